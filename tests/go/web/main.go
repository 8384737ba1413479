// A server with HTTP/1.1, TLS (and so HTTP/2), an HTTP client and JSON-RPC: what the analysis is tested on.
package main

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/rpc"
	"net/rpc/jsonrpc"
)

type Arith struct{}

type Args struct{ A, B int }

func (*Arith) Multiply(args *Args, reply *int) error {
	*reply = args.A * args.B
	return nil
}

// Every kind of type descriptor, so that a reader of them meets each one.
type Zoo struct {
	Args
	*Arith
	Flag       bool
	Small      int8
	Ratio      float32
	Wave       complex128
	Grid       [3][2]uint16
	Events     chan<- Args
	Visit      func(name string, depth ...int) (bool, error)
	Any        interface{}
	Close      io.Closer
	ByName     map[string]*Zoo
	Text       string
	Raw        []byte
	Point      struct{ X, Y int32 }
	unexported uintptr
}

//go:noinline
func rpcHandler(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	codec := jsonrpc.NewServerCodec(struct {
		io.Reader
		io.Writer
		io.Closer
	}{r.Body, w, r.Body})
	if err := rpc.ServeRequest(codec); err != nil {
		log.Print(err)
	}
}

func hello(w http.ResponseWriter, r *http.Request) {
	served++
	fmt.Fprintf(w, "%s %s %d\n", r.Method, twice(r.URL.Path), triple(len(r.URL.RawQuery)))
}

var served int

// These have no body of their own: they are inlined, one into the other.

func twice(text string) string { return text + text }

func triple(n int) int { return 3*n + double(n) }

func double(n int) int { return n * half(served) }

func half(n int) int { return n / 2 }

func client(address string) error {
	response, err := http.Get(address)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	scanner := bufio.NewReader(response.Body)
	line, err := scanner.ReadString('\n')
	fmt.Print(line)
	return err
}

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address to serve on")
	get := flag.String("get", "", "address to get instead of serving")
	secure := flag.String("tls", "", "certificate and key file")
	flag.Parse()
	if *get != "" {
		if err := client(*get); err != nil {
			log.Fatal(err)
		}
		return
	}
	if err := rpc.Register(new(Arith)); err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/rpc", rpcHandler)
	http.HandleFunc("/", hello)
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening on", listener.Addr())
	if err := json.NewEncoder(io.Discard).Encode(&Zoo{ByName: map[string]*Zoo{}}); err == nil {
		log.Fatal("a channel cannot be encoded")
	}
	if *secure != "" {
		server := &http.Server{TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12}}
		log.Fatal(server.ServeTLS(listener, *secure, *secure))
	}
	log.Fatal(http.Serve(listener, nil))
}
