// A server whose handlers give their work to published pools, and to goroutines of published groups.
//
// It is asked as tests/go/workers is.
package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
)

var (
	backend string
	number  int64
)

// call makes the call of a request, and reads what comes back.
func call(id, way string) {
	path := fmt.Sprintf("/for/%s/%s/%d", id, way, atomic.AddInt64(&number, 1))
	response, err := http.Get(backend + path)
	if err != nil {
		log.Fatal(err)
	}
	io.Copy(io.Discard, response.Body)
	response.Body.Close()
	fmt.Println(path)
}

func main() {
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	backend = "http://" + other.Addr().String()
	go http.Serve(other, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, r.URL.Path) }))

	mux := http.NewServeMux()
	mux.HandleFunc("/open/", func(w http.ResponseWriter, r *http.Request) {
		way, id := parts(r)
		ways[way](r, id)
		fmt.Fprintln(w, "open")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	mux.HandleFunc("/do/", func(w http.ResponseWriter, r *http.Request) {
		way, id := parts(r)
		ways[way](r, id)
		fmt.Fprintln(w, "done")
	})
	mux.HandleFunc("/calls", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, atomic.LoadInt64(&number)) })
	mux.HandleFunc("/ways", func(w http.ResponseWriter, r *http.Request) {
		for way := range ways {
			fmt.Fprintln(w, way)
		}
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening", listener.Addr())
	log.Fatal(http.Serve(listener, mux))
}

func parts(r *http.Request) (way, id string) {
	words := strings.Split(r.URL.Path, "/")
	return words[2], words[3]
}
