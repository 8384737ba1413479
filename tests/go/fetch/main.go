// Command fetch gets each URL of its arguments, one after the other, and prints "STATUS BYTES", or "0 0" where there
// was no answer. It serves nothing: net/http's server is not linked in.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
)

func main() {
	for _, url := range os.Args[1:] {
		response, err := http.Get(url)
		if err != nil {
			fmt.Println(0, 0)
			continue
		}
		size, _ := io.Copy(io.Discard, response.Body)
		response.Body.Close()
		fmt.Println(response.StatusCode, size)
	}
}
