// Command traffic is an HTTP server and an HTTP client that both log what they do, one JSON object a line, so that
// what a tracer says can be compared with it. The server prints "listening ADDRESS" first; with -tls it speaks HTTP/2
// too. With -drive URL it is the client: it sends a random but repeatable mix of requests and ends.
package main

import (
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
)

// Entry is a line of the log.
type Entry struct {
	ID      string `json:"id"`
	Proto   string `json:"proto"`
	Method  string `json:"method"`
	Path    string `json:"path"`
	Query   string `json:"query"`
	Status  int    `json:"status"`
	Bytes   int64  `json:"bytes"`
	Request int64  `json:"request"`
	Reused  bool   `json:"reused"`
	Error   string `json:"error,omitempty"`
}

var out struct {
	sync.Mutex
	*json.Encoder
}

func record(entry Entry) {
	out.Lock()
	defer out.Unlock()
	_ = out.Encode(entry)
}

var pause = flag.Int("pause", 0, "client: how long the server is to wait in each request, in ms")

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address to serve on")
	secure := flag.Bool("tls", false, "serve TLS with a certificate of its own, and so HTTP/2")
	quiet := flag.Bool("quiet", false, "log no requests")
	target := flag.String("drive", "", "be the client of the server at this URL")
	streams := flag.Int("streams", 10, "client: how many requests at a time")
	requests := flag.Int("requests", 100, "client: how many requests in all")
	seconds := flag.Float64("seconds", 0, "client: for how long, instead of -requests")
	seed := flag.Int64("seed", 1, "client: which mix of requests")
	flag.Parse()
	out.Encoder = json.NewEncoder(os.Stdout)

	if *target != "" {
		drive(*target, *streams, *requests, *seconds, *seed)
		return
	}
	handler := http.Handler(routes())
	if !*quiet {
		handler = logged(handler)
	}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening", listener.Addr())
	server := &http.Server{Handler: handler}
	if *secure {
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate()}}
		log.Fatal(server.ServeTLS(listener, "", ""))
	}
	log.Fatal(server.Serve(listener))
}
