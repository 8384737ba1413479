// Command rawrpc speaks JSON-RPC 2.0 on bare sockets, written by hand: server and client.
//
//	rawrpc -framing lines|values|headers [-network tcp|unix] [-listen ADDRESS]   serves; prints "listening ADDRESS"
//	rawrpc -framing F -network N -client ADDRESS     waits for a line on stdin between its rounds of calls
//
// Methods: add (params [a, b]), fail, never (no answer), ask (the server calls "whoami" of its client first).
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/textproto"
	"os"
	"strconv"
)

type message struct {
	JSONRPC string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  []int           `json:"params,omitempty"`
	Result  interface{}     `json:"result,omitempty"`
	Error   *failure        `json:"error,omitempty"`
}

type failure struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// stream is a connection with a framing.
type stream struct {
	conn    net.Conn
	framing string
	in      *bufio.Reader
	values  *json.Decoder
}

func newStream(conn net.Conn, framing string) *stream {
	in := bufio.NewReader(conn)
	return &stream{conn, framing, in, json.NewDecoder(in)}
}

func (s *stream) receive() (json.RawMessage, error) {
	var text json.RawMessage
	switch s.framing {
	case "values":
		err := s.values.Decode(&text)
		return text, err
	case "lines":
		return s.in.ReadBytes('\n')
	}
	head, err := textproto.NewReader(s.in).ReadMIMEHeader()
	if err != nil {
		return nil, err
	}
	length, err := strconv.Atoi(head.Get("Content-Length"))
	if err != nil {
		return nil, err
	}
	text = make([]byte, length)
	_, err = io.ReadFull(s.in, text)
	return text, err
}

func (s *stream) send(value interface{}) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	switch s.framing {
	case "lines":
		text = append(text, '\n')
	case "headers":
		if _, err := fmt.Fprintf(s.conn, "Content-Length: %d\r\n\r\n", len(text)); err != nil {
			return err
		}
	}
	_, err = s.conn.Write(text)
	return err
}

func (s *stream) answer(request message) (*message, error) {
	reply := &message{JSONRPC: "2.0", ID: request.ID}
	switch request.Method {
	case "add":
		reply.Result = request.Params[0] + request.Params[1]
	case "ask":
		if err := s.send(message{JSONRPC: "2.0", ID: json.RawMessage(`"s1"`), Method: "whoami"}); err != nil {
			return nil, err
		}
		text, err := s.receive()
		if err != nil {
			return nil, err
		}
		var told message
		if err := json.Unmarshal(text, &told); err != nil {
			return nil, err
		}
		reply.Result = told.Result
	case "never":
		return nil, nil
	default:
		reply.Error = &failure{-32601, "no method " + request.Method}
	}
	if request.ID == nil {
		return nil, nil
	}
	return reply, nil
}

func (s *stream) serve() error {
	for {
		text, err := s.receive()
		if err != nil {
			return err
		}
		if text[0] == '[' {
			var batch []message
			if err := json.Unmarshal(text, &batch); err != nil {
				return err
			}
			var replies []*message
			for _, request := range batch {
				reply, err := s.answer(request)
				if err != nil {
					return err
				}
				if reply != nil {
					replies = append(replies, reply)
				}
			}
			if err := s.send(replies); err != nil {
				return err
			}
			continue
		}
		var request message
		if err := json.Unmarshal(text, &request); err != nil {
			return err
		}
		reply, err := s.answer(request)
		if err == nil && reply != nil {
			err = s.send(reply)
		}
		if err != nil {
			return err
		}
	}
}

func serve(framing, network, address string) error {
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
		go func() { _ = newStream(conn, framing).serve() }()
	}
}

func call(id int, method string, params ...int) message {
	return message{JSONRPC: "2.0", ID: json.RawMessage(strconv.Itoa(id)), Method: method, Params: params}
}

func converse(framing, network, address string) error {
	conn, err := net.Dial(network, address)
	if err != nil {
		return err
	}
	defer conn.Close()
	s := newStream(conn, framing)
	fmt.Println("listening client:0")
	lines := bufio.NewReader(os.Stdin)
	for id := 10; ; id += 10 {
		if _, err := lines.ReadString('\n'); err != nil {
			return nil
		}
		for _, value := range []interface{}{
			call(id, "add", 1, 2),
			call(id+1, "fail"),
			message{JSONRPC: "2.0", Method: "note"},
			[]message{call(id+2, "add", 1, 2), {JSONRPC: "2.0", Method: "note"}, call(id+3, "fail")},
			call(id+4, "never"),
			call(id+5, "ask"),
		} {
			if err := s.send(value); err != nil {
				return err
			}
			if one, ok := value.(message); ok && (one.Method == "note" || one.Method == "never") {
				continue
			} else if ok && one.Method == "ask" {
				text, err := s.receive()
				if err != nil {
					return err
				}
				var asked message
				if err := json.Unmarshal(text, &asked); err != nil {
					return err
				}
				if err := s.send(message{JSONRPC: "2.0", ID: asked.ID, Result: "a client"}); err != nil {
					return err
				}
			}
			if _, err := s.receive(); err != nil {
				return err
			}
		}
		fmt.Println("done")
	}
}

func main() {
	framing := flag.String("framing", "lines", "lines, values or headers")
	network := flag.String("network", "tcp", "tcp or unix")
	address := flag.String("listen", "127.0.0.1:0", "address to listen on")
	client := flag.String("client", "", "be a client of this address")
	flag.Parse()
	var err error
	if *client != "" {
		err = converse(*framing, *network, *client)
	} else {
		err = serve(*framing, *network, *address)
	}
	if err != nil {
		log.Fatal(err)
	}
}
