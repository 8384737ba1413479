// Command rpcstreams speaks JSON-RPC over streams, by several libraries, as server and as client.
//
//	rpcstreams -over sourcegraph|exp|gorilla|coder              serves on TCP; prints "listening ADDRESS" first
//	rpcstreams -over ... -client ADDRESS [-calls N]             waits for a line on stdin, makes its calls, prints "done"
//	rpcstreams -over lines|headers                              serves on standard input and output
//	rpcstreams -over lines|headers -spawn N [-calls N]          as a client, starts N of those, to which it talks in turn
//	rpcstreams ... -spawn N -read N                             reads a file so often before, and behind a line once more
//	rpcstreams -over http1|http2|sse|lines|headers|socket-lines|socket-headers|values|gorilla|coder -plain LOG [-listen PATH]
//	    serves, also on a Unix socket, messages of any form; logs each call as a line of JSON
//
// Methods: add (params [a, b]), ask (the server calls "whoami" of its client first), note (a notification), never (is
// not answered). Where messages are bare (not a library's), a client also sends a batch.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"os/exec"
	"strconv"
	"sync"

	coder "github.com/coder/websocket"
	"github.com/gorilla/websocket"
	sourcegraph "github.com/sourcegraph/jsonrpc2"
	exp "golang.org/x/exp/jsonrpc2"
)

type message struct {
	JSONRPC string           `json:"jsonrpc"`
	ID      *json.RawMessage `json:"id,omitempty"`
	Method  string           `json:"method,omitempty"`
	Params  json.RawMessage  `json:"params,omitempty"`
	Result  any              `json:"result,omitempty"`
	Error   *failure         `json:"error,omitempty"`
}

type failure struct {
	Code    int64  `json:"code"`
	Message string `json:"message"`
}

func add(params json.RawMessage) int {
	var numbers []int
	_ = json.Unmarshal(params, &numbers)
	sum := 0
	for _, number := range numbers {
		sum += number
	}
	return sum
}

// answer is what a server of bare messages says; nil for a notification.
func answer(request *message) *message {
	reply := &message{JSONRPC: "2.0", ID: request.ID}
	switch request.Method {
	case "add":
		reply.Result = add(request.Params)
	case "long":
		reply.Result = string(make([]byte, add(request.Params)))
	default:
		reply.Error = &failure{-32601, "no method " + request.Method}
	}
	if request.ID == nil {
		return nil
	}
	return reply
}

// wire carries bare messages.
type wire struct {
	send    func([]byte) error
	receive func() ([]byte, error)
}

// framed is a wire of lines, or of messages behind headers.
func framed(from io.Reader, to io.Writer, headers bool) wire {
	in := bufio.NewReader(from)
	receive := func() ([]byte, error) { return in.ReadBytes('\n') }
	send := func(text []byte) error { _, err := to.Write(append(text, '\n')); return err }
	if headers {
		receive = func() ([]byte, error) {
			head, err := textproto.NewReader(in).ReadMIMEHeader()
			if err != nil {
				return nil, err
			}
			length, _ := strconv.Atoi(head.Get("Content-Length"))
			text := make([]byte, length)
			_, err = io.ReadFull(in, text)
			return text, err
		}
		send = func(text []byte) error {
			_, err := fmt.Fprintf(to, "Content-Length: %d\r\n\r\n%s", len(text), text)
			return err
		}
	}
	return wire{send, receive}
}

// say sends one message, or several as a batch.
func (w wire) say(value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return w.send(text)
}

// serve answers what comes until there is no more.
func (w wire) serve() error {
	var asked *json.RawMessage
	for {
		text, err := w.receive()
		if err != nil {
			if err == io.EOF {
				return nil
			}
			return err
		}
		var batch []*message
		if json.Unmarshal(text, &batch) == nil {
			replies := []*message{}
			for _, request := range batch {
				if reply := answer(request); reply != nil {
					replies = append(replies, reply)
				}
			}
			if err := w.say(replies); err != nil {
				return err
			}
			continue
		}
		var request message
		if json.Unmarshal(text, &request) != nil {
			continue
		}
		var reply *message
		switch request.Method {
		case "never":
			continue
		case "ask":
			asked = request.ID
			id := json.RawMessage(`"s-1"`)
			reply = &message{JSONRPC: "2.0", ID: &id, Method: "whoami"}
		case "":
			reply = &message{JSONRPC: "2.0", ID: asked, Result: request.Result}
		default:
			reply = answer(&request)
		}
		if reply == nil {
			continue
		}
		if err := w.say(reply); err != nil {
			return err
		}
	}
}

// caller makes calls one after the other, and answers what it is asked meanwhile.
func (w wire) caller() caller {
	var lock sync.Mutex
	number := 0
	return func(method string, params any, notify bool) error {
		lock.Lock()
		defer lock.Unlock()
		made := func(method string, notify bool) *message {
			request := &message{JSONRPC: "2.0", Method: method}
			request.Params, _ = json.Marshal(params)
			if !notify {
				number++
				id := json.RawMessage(strconv.Itoa(number))
				request.ID = &id
			}
			return request
		}
		if method == "batch" {
			err := w.say([]*message{made("add", false), made("note", true), made("missing", false)})
			if err == nil {
				_, err = w.receive()
			}
			return err
		}
		if err := w.say(made(method, notify)); err != nil || notify || method == "never" {
			return err
		}
		for {
			text, err := w.receive()
			if err != nil {
				return err
			}
			var reply message
			if err := json.Unmarshal(text, &reply); err != nil {
				return err
			}
			if reply.Method != "" {
				if err := w.say(&message{JSONRPC: "2.0", ID: reply.ID, Result: "a client"}); err != nil {
					return err
				}
				continue
			}
			if reply.Error != nil {
				return errors.New(reply.Error.Message)
			}
			return nil
		}
	}
}

// readTwice reads a file many times, and once more when it is told to; lines on standard input say when.
func readTwice(times int) {
	file, err := os.Open(os.Args[0])
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	fmt.Println("ready")
	for round := 0; round < 2; round++ {
		waitForLine()
		for range times {
			if _, err := file.Read(make([]byte, 1)); err != nil {
				log.Fatal(err)
			}
		}
		fmt.Println("read")
	}
	waitForLine()
}

// waitForLine takes one byte after the other: what follows is for others.
func waitForLine() {
	for one := []byte{0}; one[0] != '\n'; {
		if _, err := os.Stdin.Read(one); err != nil {
			log.Fatal(err)
		}
	}
}

// spawn starts servers on standard input and output and talks to them in turn: they all see the same ids.
func spawn(over string, count, calls int) error {
	callers := []caller{}
	for ; count > 0; count-- {
		child := exec.Command(os.Args[0], "-over", over)
		in, err := child.StdinPipe()
		if err != nil {
			return err
		}
		out, err := child.StdoutPipe()
		if err != nil {
			return err
		}
		if err := child.Start(); err != nil {
			return err
		}
		callers = append(callers, framed(out, in, over == "headers").caller())
	}
	return converse(func(method string, params any, notify bool) error {
		var last error
		for _, call := range callers {
			if err := call(method, params, notify); err != nil {
				last = err
			}
		}
		return last
	}, true, calls)
}

// -- sourcegraph ---------------------------------------------------------------------------------------------------

type handler struct{}

func (handler) Handle(ctx context.Context, conn *sourcegraph.Conn, request *sourcegraph.Request) {
	switch {
	case request.Notif:
	case request.Method == "add":
		_ = conn.Reply(ctx, request.ID, add(*request.Params))
	case request.Method == "whoami":
		_ = conn.Reply(ctx, request.ID, "a client")
	case request.Method == "ask":
		go func() {
			var name string
			if err := conn.Call(ctx, "whoami", nil, &name); err != nil {
				log.Print(err)
			}
			_ = conn.Reply(ctx, request.ID, name)
		}()
	default:
		_ = conn.ReplyWithError(ctx, request.ID, &sourcegraph.Error{Code: -32601, Message: "no method " + request.Method})
	}
}

func sourcegraphConn(conn net.Conn) *sourcegraph.Conn {
	stream := sourcegraph.NewBufferedStream(conn, sourcegraph.VSCodeObjectCodec{})
	return sourcegraph.NewConn(context.Background(), stream, handler{})
}

// -- golang.org/x/exp ----------------------------------------------------------------------------------------------

type binder struct{}

func (binder) Bind(_ context.Context, conn *exp.Connection) (exp.ConnectionOptions, error) {
	handle := func(ctx context.Context, request *exp.Request) (any, error) {
		switch request.Method {
		case "add":
			return add(request.Params), nil
		case "note":
			return nil, nil
		case "whoami":
			return "a client", nil
		case "ask":
			var name string
			go func() {
				err := conn.Call(context.Background(), "whoami", nil).Await(context.Background(), &name)
				_ = conn.Respond(request.ID, name, err)
			}()
			return nil, exp.ErrAsyncResponse
		}
		return nil, exp.ErrMethodNotFound
	}
	return exp.ConnectionOptions{Framer: exp.HeaderFramer(), Handler: exp.HandlerFunc(handle)}, nil
}

// -- a server on TCP -----------------------------------------------------------------------------------------------

func serve(over string, talk func(wire) error) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if over == "exp" {
		address := listener.Addr().String()
		_ = listener.Close()
		var served exp.Listener
		if served, err = exp.NetListener(context.Background(), "tcp", address, exp.NetListenOptions{}); err != nil {
			return err
		}
		fmt.Println("listening", address)
		server, err := exp.Serve(context.Background(), served, binder{})
		if err != nil {
			return err
		}
		return server.Wait()
	}
	fmt.Println("listening", listener.Addr())
	if over == "sourcegraph" {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return err
			}
			sourcegraphConn(conn)
		}
	}
	return http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if over == "gorilla" {
			upgrader := websocket.Upgrader{}
			if conn, err := upgrader.Upgrade(w, r, nil); err == nil {
				_ = talk(gorillaWire(conn))
			}
			return
		}
		if conn, err := coder.Accept(w, r, nil); err == nil {
			_ = talk(coderWire(conn))
		}
	}))
}

func gorillaWire(conn *websocket.Conn) wire {
	return wire{
		func(text []byte) error { return conn.WriteMessage(websocket.TextMessage, text) },
		func() ([]byte, error) { _, text, err := conn.ReadMessage(); return text, err },
	}
}

func coderWire(conn *coder.Conn) wire {
	ctx := context.Background()
	return wire{
		func(text []byte) error { return conn.Write(ctx, coder.MessageText, text) },
		func() ([]byte, error) { _, text, err := conn.Read(ctx); return text, err },
	}
}

// -- a client ------------------------------------------------------------------------------------------------------

type caller func(method string, params any, notify bool) error

func dial(over, address string) (caller, error) {
	ctx := context.Background()
	switch over {
	case "sourcegraph":
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return nil, err
		}
		client := sourcegraphConn(conn)
		return func(method string, params any, notify bool) error {
			if notify {
				return client.Notify(ctx, method, params)
			}
			var result any
			return client.Call(ctx, method, params, &result)
		}, nil
	case "exp":
		client, err := exp.Dial(ctx, exp.NetDialer("tcp", address, net.Dialer{}), binder{})
		if err != nil {
			return nil, err
		}
		return func(method string, params any, notify bool) error {
			if notify {
				return client.Notify(ctx, method, params)
			}
			var result any
			return client.Call(ctx, method, params).Await(ctx, &result)
		}, nil
	}
	if over == "gorilla" {
		conn, _, err := websocket.DefaultDialer.Dial("ws://"+address, nil)
		if err != nil {
			return nil, err
		}
		return gorillaWire(conn).caller(), nil
	}
	conn, _, err := coder.Dial(ctx, "ws://"+address, nil)
	if err != nil {
		return nil, err
	}
	return coderWire(conn).caller(), nil
}

func converse(call caller, bare bool, calls int) error {
	fmt.Println("listening client:0")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return err
	}
	fmt.Println("add", call("add", []int{6, 7}, false))
	fmt.Println("note", call("note", map[string]string{"text": "x"}, true))
	fmt.Println("missing", call("missing", []int{}, false))
	fmt.Println("ask", call("ask", []int{}, false))
	if bare {
		fmt.Println("batch", call("batch", []int{1, 2}, false))
		fmt.Println("never", call("never", []int{}, false))
	}
	for number := 0; number < calls; number++ {
		if err := call("add", []int{number, number}, false); err != nil {
			return err
		}
	}
	fmt.Println("done")
	return nil
}

func main() {
	over := flag.String("over", "", "sourcegraph, exp, gorilla, coder, lines or headers")
	server := flag.String("client", "", "be a client of this address")
	children := flag.Int("spawn", 0, "be a client of so many, on their standard input and output")
	calls := flag.Int("calls", 0, "more calls of add")
	reads := flag.Int("read", 0, "read a file so often, twice, before children are started, each time behind a line on stdin")
	plainLog := flag.String("plain", "", "serve messages of any form, and log them to this file")
	address := flag.String("listen", "127.0.0.1:0", "listen on this address, or on a Unix socket")
	flag.Parse()
	var err error
	switch {
	case *plainLog != "":
		err = servePlain(*over, *address, *plainLog)
	case *children > 0:
		if *reads > 0 {
			readTwice(*reads)
		}
		err = spawn(*over, *children, *calls)
	case *over == "lines" || *over == "headers":
		err = framed(os.Stdin, os.Stdout, *over == "headers").serve()
	case *server != "":
		var call caller
		if call, err = dial(*over, *server); err == nil {
			err = converse(call, *over == "gorilla" || *over == "coder", *calls)
		}
	default:
		err = serve(*over, wire.serve)
	}
	if err != nil {
		log.Fatal(err)
	}
}
