package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
)

// request is JSON-RPC 1.0 or 2.0; ID is nil where there is none, and `null` where there is that.
type request struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Method  string          `json:"method"`
	Params  json.RawMessage `json:"params"`
}

type object map[string]any

var record *json.Encoder // where plain logs what it was asked

// plain answers a message or a batch, as bytes, and logs each call in it; nil where there is nothing to answer.
func plain(text []byte) []byte {
	var found any
	if bytes.HasPrefix(text, []byte("[")) {
		var batch []request
		if err := json.Unmarshal(text, &batch); err != nil {
			found = fault(-32700, "parse error")
		} else {
			replies := []object{}
			for _, one := range batch {
				if reply := one.answer(); reply != nil {
					replies = append(replies, reply)
				}
			}
			found = replies
		}
	} else {
		var one request
		if err := json.Unmarshal(text, &one); err != nil {
			found = fault(-32700, "parse error")
		} else if one.Method == "" {
			found = fault(-32600, "no request")
		} else if reply := one.answer(); reply != nil {
			found = reply
		} else {
			return nil
		}
	}
	answer, _ := json.Marshal(found)
	return answer
}

func fault(code int, words string) object {
	return object{"jsonrpc": "2.0", "id": nil, "error": object{"code": code, "message": words}}
}

func (r request) answer() object {
	reply := object{"id": r.ID}
	var failed object
	switch r.Method {
	case "add", "note":
		reply["result"] = len(r.Params)
	case "fail":
		failed = object{"code": -32000, "message": "it failed", "data": object{"why": "nobody knows", "times": []int{1, 2}}}
	default:
		failed = object{"code": -32601, "message": "no method " + r.Method}
	}
	notification := r.ID == nil
	if r.Version != "" {
		reply["jsonrpc"] = r.Version
		if failed != nil {
			reply["error"] = failed
		}
	} else {
		notification = notification || string(r.ID) == "null"
		reply["error"] = nil
		if failed != nil {
			reply["error"], reply["result"] = failed["message"], nil
		}
	}
	_ = record.Encode(object{"method": r.Method, "id": r.ID, "notification": notification})
	if notification {
		return nil
	}
	return reply
}

// servePlain serves over everything that carries messages as they are.
func servePlain(over, address, path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	record = json.NewEncoder(file)
	switch over {
	case "lines", "headers":
		return serveWire(framed(os.Stdin, os.Stdout, over == "headers"))
	case "http1", "http2", "sse":
		handler := http.HandlerFunc(servePost)
		if over == "sse" {
			handler = (&streams{of: map[string]chan []byte{}}).serve
		}
		made := httptest.NewUnstartedServer(handler)
		made.EnableHTTP2 = over == "http2"
		if over == "http2" {
			made.StartTLS()
		} else {
			made.Start()
		}
		fmt.Println("listening", made.Listener.Addr())
		select {}
	case "gorilla", "coder":
		return serve(over, serveWire)
	}
	network := "tcp"
	if address != "127.0.0.1:0" {
		network = "unix"
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
		go func() {
			if over != "values" {
				_ = serveWire(framed(conn, conn, over == "socket-headers"))
				return
			}
			decoder := json.NewDecoder(conn)
			var text json.RawMessage
			for decoder.Decode(&text) == nil {
				if answer := plain(text); answer != nil {
					_, _ = conn.Write(answer)
				}
			}
		}()
	}
}

func serveWire(w wire) error {
	for {
		text, err := w.receive()
		if err != nil {
			return err
		}
		if answer := plain(bytes.TrimSpace(text)); answer != nil {
			if err := w.send(answer); err != nil {
				return err
			}
		}
	}
}

func servePost(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		log.Fatal(err)
	}
	answer := plain(body)
	if answer == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(answer)
}

// streams are those of HTTP with server-sent events, by session: a GET opens one, a POST to its endpoint is answered on it.
type streams struct {
	lock sync.Mutex
	of   map[string]chan []byte
}

func (s *streams) serve(w http.ResponseWriter, r *http.Request) {
	s.lock.Lock()
	session := r.URL.Query().Get("session")
	if r.Method == http.MethodGet {
		session = fmt.Sprint("s", len(s.of))
		s.of[session] = make(chan []byte, 100)
	}
	answers := s.of[session]
	s.lock.Unlock()
	if r.Method == http.MethodPost {
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader(http.StatusAccepted)
		if answer := plain(body); answer != nil {
			answers <- answer
		}
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	fmt.Fprintf(w, "event: endpoint\ndata: /?session=%s\n\n", session)
	w.(http.Flusher).Flush()
	for {
		select {
		case answer := <-answers:
			fmt.Fprintf(w, "event: message\ndata: %s\n\n", answer)
			w.(http.Flusher).Flush()
		case <-r.Context().Done():
			return
		}
	}
}
