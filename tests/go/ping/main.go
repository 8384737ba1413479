// Command ping is a net/http server that counts what it served.
//
// It prints "listening ADDRESS" first. GET /ping answers "pong"; GET /count answers how many /ping requests were
// answered; GET /quit ends the process with exit code 0. All but /ping leave the count alone.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
)

var served uint64

func ping(w http.ResponseWriter, _ *http.Request) {
	atomic.AddUint64(&served, 1)
	_, _ = w.Write([]byte("pong\n"))
}

func main() {
	address := flag.String("listen", "127.0.0.1:0", "address to listen on")
	flag.Parse()

	mux := http.NewServeMux()
	mux.HandleFunc("/ping", ping)
	mux.HandleFunc("/count", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(strconv.FormatUint(atomic.LoadUint64(&served), 10)))
	})
	mux.HandleFunc("/quit", func(http.ResponseWriter, *http.Request) { os.Exit(0) })

	listener, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening", listener.Addr())
	log.Fatal(http.Serve(listener, mux))
}
