// Command jsonhand is a JSON-RPC 2.0 server written by hand, without net/rpc: encoding/json over an http.Handler.
//
// After "listening ADDRESS" it prints one JSON object for each call, so that a test can compare what was traced with
// what happened. POST /rpc reads the whole body first; POST /stream decodes it as it arrives; POST /timeout
// reads it on a goroutine of its own.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

type call struct {
	Version string          `json:"jsonrpc"`
	Method  string          `json:"method"`
	Params  json.RawMessage `json:"params,omitempty"`
	ID      json.RawMessage `json:"id,omitempty"`
}

type failure struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

type answer struct {
	Version string          `json:"jsonrpc"`
	Result  interface{}     `json:"result,omitempty"`
	Error   *failure        `json:"error,omitempty"`
	ID      json.RawMessage `json:"id"`
}

var logLock sync.Mutex

func record(batch bool, one call) {
	line, _ := json.Marshal(map[string]interface{}{
		"method": one.Method, "id": one.ID, "batch": batch, "notification": one.ID == nil,
	})
	logLock.Lock()
	defer logLock.Unlock()
	_, _ = os.Stdout.Write(append(line, '\n'))
}

// execute returns nil for a notification: it has no answer.
func execute(batch bool, one call) *answer {
	record(batch, one)
	reply := &answer{Version: "2.0", ID: one.ID}
	switch one.Method {
	case "Arith.Multiply":
		var numbers [2]int
		if err := json.Unmarshal(one.Params, &numbers); err != nil {
			reply.Error = &failure{-32602, "Invalid params: two numbers wanted"}
			break
		}
		reply.Result = numbers[0] * numbers[1]
	case "Arith.Divide":
		reply.Error = &failure{-32000, "division by zero"}
	case "echo":
		reply.Result = one.Params
	case "log":
		reply.Result = true
	default:
		reply.Error = &failure{-32601, "Method not found"}
	}
	if one.ID == nil {
		return nil
	}
	return reply
}

func send(w http.ResponseWriter, value interface{}) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}

func serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if len(body) > 0 && body[0] == '[' {
		var calls []call
		if err := json.Unmarshal(body, &calls); err != nil {
			send(w, answer{Version: "2.0", Error: &failure{-32700, "Parse error"}})
			return
		}
		replies := []*answer{}
		for _, one := range calls {
			if reply := execute(true, one); reply != nil {
				replies = append(replies, reply)
			}
		}
		if len(replies) == 0 {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		send(w, replies)
		return
	}
	var one call
	if err := json.Unmarshal(body, &one); err != nil {
		send(w, answer{Version: "2.0", Error: &failure{-32700, "Parse error"}})
		return
	}
	reply := execute(false, one)
	if reply == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	send(w, reply)
}

// stream reads one JSON value from the body as it arrives and answers without waiting for the body's end.
func stream(w http.ResponseWriter, r *http.Request) {
	var one call
	if err := json.NewDecoder(r.Body).Decode(&one); err != nil {
		send(w, answer{Version: "2.0", Error: &failure{-32700, "Parse error"}})
		return
	}
	if reply := execute(false, one); reply != nil {
		send(w, reply)
	}
}

func main() {
	address := flag.String("listen", "127.0.0.1:0", "address to listen on")
	flag.Parse()

	mux := http.NewServeMux()
	mux.HandleFunc("/rpc", serve)
	mux.HandleFunc("/stream", stream)
	mux.Handle("/timeout", http.TimeoutHandler(http.HandlerFunc(serve), time.Minute, "too late"))
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening", listener.Addr())
	log.Fatal(http.Serve(listener, mux))
}
