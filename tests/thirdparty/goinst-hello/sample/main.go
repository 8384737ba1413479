// Command sample is what the hello plugin traces: a web server that calls greet. It prints "listening ADDRESS" first.
package main

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"strings"
)

//go:noinline
func greet(name string, times int) string {
	return strings.Repeat("hello "+name+"\n", times)
}

func main() {
	http.HandleFunc("/greet", func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(greet(r.URL.Query().Get("name"), 3)))
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening", listener.Addr())
	log.Fatal(http.Serve(listener, nil))
}
