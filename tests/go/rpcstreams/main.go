// Command rpcstreams speaks JSON-RPC over streams, by several libraries, as server and as client.
//
//	rpcstreams -over sourcegraph|exp|gorilla|coder              serves on TCP; prints "listening ADDRESS" first
//	rpcstreams -over ... -client ADDRESS [-calls N]             waits for a line on stdin, makes its calls, prints "done"
//	rpcstreams -over lines|headers                              serves on standard input and output
//
// Methods: add (params [a, b]), fail, ask (the server calls "whoami" of its client first), note (a notification).
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

// overStdio answers what comes on standard input, in lines or behind headers.
func overStdio(headers bool) error {
	in := bufio.NewReader(os.Stdin)
	for {
		var text []byte
		var err error
		if headers {
			var head textproto.MIMEHeader
			if head, err = textproto.NewReader(in).ReadMIMEHeader(); err == nil {
				length, _ := strconv.Atoi(head.Get("Content-Length"))
				text = make([]byte, length)
				_, err = io.ReadFull(in, text)
			}
		} else {
			text, err = in.ReadBytes('\n')
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		var request message
		if json.Unmarshal(text, &request) != nil {
			continue
		}
		if reply := answer(&request); reply != nil {
			text, _ := json.Marshal(reply)
			if headers {
				fmt.Fprintf(os.Stdout, "Content-Length: %d\r\n\r\n%s", len(text), text)
			} else {
				_, _ = os.Stdout.Write(append(text, '\n'))
			}
		}
	}
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

func serve(over string) error {
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
			conn, err := upgrader.Upgrade(w, r, nil)
			for err == nil {
				var request message
				if err = conn.ReadJSON(&request); err == nil {
					if reply := answer(&request); reply != nil {
						err = conn.WriteJSON(reply)
					}
				}
			}
			return
		}
		conn, err := coder.Accept(w, r, nil)
		for err == nil {
			var text []byte
			if _, text, err = conn.Read(r.Context()); err == nil {
				var request message
				_ = json.Unmarshal(text, &request)
				if reply := answer(&request); reply != nil {
					text, _ := json.Marshal(reply)
					err = conn.Write(r.Context(), coder.MessageText, text)
				}
			}
		}
	}))
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
	var send func([]byte) error
	var receive func() ([]byte, error)
	if over == "gorilla" {
		conn, _, err := websocket.DefaultDialer.Dial("ws://"+address, nil)
		if err != nil {
			return nil, err
		}
		send = func(text []byte) error { return conn.WriteMessage(websocket.TextMessage, text) }
		receive = func() ([]byte, error) { _, text, err := conn.ReadMessage(); return text, err }
	} else {
		conn, _, err := coder.Dial(ctx, "ws://"+address, nil)
		if err != nil {
			return nil, err
		}
		send = func(text []byte) error { return conn.Write(ctx, coder.MessageText, text) }
		receive = func() ([]byte, error) { _, text, err := conn.Read(ctx); return text, err }
	}
	var lock sync.Mutex
	number := 0
	return func(method string, params any, notify bool) error {
		lock.Lock()
		defer lock.Unlock()
		request := message{JSONRPC: "2.0", Method: method}
		request.Params, _ = json.Marshal(params)
		if !notify {
			number++
			id := json.RawMessage(strconv.Itoa(number))
			request.ID = &id
		}
		text, _ := json.Marshal(&request)
		if err := send(text); err != nil || notify {
			return err
		}
		text, err := receive()
		if err != nil {
			return err
		}
		var reply message
		if err := json.Unmarshal(text, &reply); err != nil {
			return err
		}
		if reply.Error != nil {
			return errors.New(reply.Error.Message)
		}
		return nil
	}, nil
}

func converse(over, address string, calls int) error {
	call, err := dial(over, address)
	if err != nil {
		return err
	}
	fmt.Println("listening client:0")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return err
	}
	fmt.Println("add", call("add", []int{6, 7}, false))
	fmt.Println("note", call("note", map[string]string{"text": "x"}, true))
	fmt.Println("missing", call("missing", []int{}, false))
	if over == "sourcegraph" || over == "exp" {
		fmt.Println("ask", call("ask", []int{}, false))
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
	calls := flag.Int("calls", 0, "more calls of add")
	flag.Parse()
	var err error
	switch {
	case *over == "lines" || *over == "headers":
		err = overStdio(*over == "headers")
	case *server != "":
		err = converse(*over, *server, *calls)
	default:
		err = serve(*over)
	}
	if err != nil {
		log.Fatal(err)
	}
}
