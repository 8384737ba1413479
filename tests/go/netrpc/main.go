// Command netrpc serves net/rpc on sockets, gob and JSON, and is a client for both.
//
//	netrpc -codec json|gob [-network tcp|unix] [-listen ADDRESS]   serves; prints "listening ADDRESS" first
//	netrpc -codec json|gob -network N -client ADDRESS              waits for a line on stdin, then makes its calls
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/rpc"
	"net/rpc/jsonrpc"
	"os"
	"sync"
	"time"
)

// Args are the two numbers of a call.
type Args struct{ A, B int }

// Arith is the service.
type Arith int

// Multiply gives A times B.
func (*Arith) Multiply(args *Args, reply *int) error {
	*reply = args.A * args.B
	return nil
}

// Divide gives A over B, or an error when B is 0.
func (*Arith) Divide(args *Args, reply *int) error {
	if args.B == 0 {
		return errors.New("divide by zero")
	}
	*reply = args.A / args.B
	return nil
}

// Sleep takes A milliseconds.
func (*Arith) Sleep(args *Args, reply *int) error {
	time.Sleep(time.Duration(args.A) * time.Millisecond)
	return nil
}

func serve(codec, network, address string) error {
	server := rpc.NewServer()
	if err := server.Register(new(Arith)); err != nil {
		return err
	}
	listener, err := net.Listen(network, address)
	if err != nil {
		return err
	}
	if network == "unix" {
		fmt.Println("listening unix:0")
	} else {
		fmt.Println("listening", listener.Addr())
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		if codec == "json" {
			go server.ServeCodec(jsonrpc.NewServerCodec(conn))
		} else {
			go server.ServeConn(conn)
		}
	}
}

func converse(codec, network, address string) error {
	conn, err := net.Dial(network, address)
	if err != nil {
		return err
	}
	var client *rpc.Client
	if codec == "json" {
		client = jsonrpc.NewClient(conn)
	} else {
		client = rpc.NewClient(conn)
	}
	fmt.Println("listening client:0")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return err
	}
	var reply int
	for _, call := range []struct {
		method string
		args   Args
	}{
		{"Arith.Multiply", Args{6, 7}},
		{"Arith.Divide", Args{1, 0}},
		{"Arith.Missing", Args{}},
		{"Arith.Sleep", Args{20, 0}},
	} {
		err := client.Call(call.method, &call.args, &reply)
		fmt.Println(call.method, err)
	}
	// many at a time: the codec's table of pending calls grows beyond one group
	var group sync.WaitGroup
	for number := 0; number < 40; number++ {
		group.Add(1)
		go func() {
			defer group.Done()
			var reply int
			if err := client.Call("Arith.Sleep", &Args{A: 30}, &reply); err != nil {
				log.Print(err)
			}
		}()
	}
	group.Wait()
	fmt.Println("done")
	return client.Close()
}

func main() {
	codec := flag.String("codec", "json", "json or gob")
	network := flag.String("network", "tcp", "tcp or unix")
	address := flag.String("listen", "127.0.0.1:0", "address to listen on")
	server := flag.String("client", "", "be a client of this address")
	flag.Parse()
	var err error
	if *server != "" {
		err = converse(*codec, *network, *server)
	} else {
		err = serve(*codec, *network, *address)
	}
	if err != nil {
		log.Fatal(err)
	}
}
