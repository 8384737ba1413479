// A server whose handlers call another one in every way that goroutines can be shared, or not.
//
// GET /open/WAY/ID does one piece of work in this way, says "open", and stays until the client leaves. GET /do/WAY/ID does
// one and ends. Each call that is made for a request says whose it is: GET /for/ID/WAY/N.
package main

import (
	"context"
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

// call makes the call of a request, and reads what comes back; its context does not say whose it is.
func call(id, way string) { callWith(context.Background(), id, way) }

func callWith(ctx context.Context, id, way string) {
	path := fmt.Sprintf("/for/%s/%s/%d", id, way, atomic.AddInt64(&number, 1))
	request, err := http.NewRequestWithContext(ctx, "GET", backend+path, nil)
	if err != nil {
		log.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
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
