// Command codecrpc serves net/rpc's JSON codec with a loop of its own instead of net/rpc.Server, as debuggers do.
//
// After "listening ADDRESS" it answers Sum with the sequence number of the call, after 20 ms and on a goroutine of its
// own, and anything else with an error.
package main

import (
	"fmt"
	"log"
	"net"
	"net/rpc"
	"net/rpc/jsonrpc"
	"sync"
	"time"
)

func serve(codec rpc.ServerCodec) {
	var lock sync.Mutex
	for {
		var request rpc.Request
		if err := codec.ReadRequestHeader(&request); err != nil {
			return
		}
		var number int
		if err := codec.ReadRequestBody(&number); err != nil {
			return
		}
		go func() {
			response := rpc.Response{ServiceMethod: request.ServiceMethod, Seq: request.Seq}
			if request.ServiceMethod == "Sum" {
				time.Sleep(20 * time.Millisecond)
			} else {
				response.Error = "no method " + request.ServiceMethod
			}
			lock.Lock()
			defer lock.Unlock()
			_ = codec.WriteResponse(&response, request.Seq)
		}()
	}
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening", listener.Addr())
	for {
		conn, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go serve(jsonrpc.NewServerCodec(conn))
	}
}
