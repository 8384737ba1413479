// Command arith serves net/rpc/jsonrpc over HTTP: every POST /rpc is one connection to the codec, whose reader is the
// request's body and whose writer is the response. JSON-RPC 1.0 is what that codec speaks.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/rpc"
	"net/rpc/jsonrpc"
)

// Args are the two numbers of a call.
type Args struct{ A, B int }

// Quotient is the answer of Divide.
type Quotient struct{ Quo, Rem int }

// Arith is the service.
type Arith int

// Multiply gives A times B.
func (*Arith) Multiply(args *Args, reply *int) error {
	*reply = args.A * args.B
	return nil
}

// Divide gives A over B, or an error when B is 0.
func (*Arith) Divide(args *Args, reply *Quotient) error {
	if args.B == 0 {
		return errors.New("divide by zero")
	}
	reply.Quo, reply.Rem = args.A/args.B, args.A%args.B
	return nil
}

// conversation joins a request's body and its response to what the codec wants: one stream.
type conversation struct {
	io.Reader
	io.Writer
}

func (conversation) Close() error { return nil }

func main() {
	address := flag.String("listen", "127.0.0.1:0", "address to listen on")
	flag.Parse()

	server := rpc.NewServer()
	if err := server.Register(new(Arith)); err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/rpc", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		codec := jsonrpc.NewServerCodec(conversation{r.Body, w})
		if err := server.ServeRequest(codec); err != nil {
			log.Print(err)
		}
	})

	listener, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening", listener.Addr())
	log.Fatal(http.Serve(listener, nil))
}
