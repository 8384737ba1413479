// Command calculator is what `goinst demo` traces: JSON-RPC 2.0 over HTTP, written by hand on the standard library, as many
// services do it. Nothing in it knows of goinst. It prints "listening ADDRESS" first and ends when its stdin is closed.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"time"
)

type request struct {
	Version string          `json:"jsonrpc"`
	Method  string          `json:"method"`
	Params  json.RawMessage `json:"params"`
	ID      json.RawMessage `json:"id"` // absent: a notification, which gets no response
}

type response struct {
	Version string          `json:"jsonrpc"`
	Result  any             `json:"result,omitempty"`
	Error   *rpcError       `json:"error,omitempty"`
	ID      json.RawMessage `json:"id"`
}

type rpcError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

type pair struct{ A, B int }

func call(method string, params json.RawMessage) (any, *rpcError) {
	var p pair
	if err := json.Unmarshal(params, &p); err != nil {
		return nil, &rpcError{-32602, "invalid params: " + err.Error()}
	}
	switch method {
	case "Arith.Multiply":
		time.Sleep(2 * time.Millisecond)
		return p.A * p.B, nil
	case "Arith.Divide":
		if p.B == 0 {
			return nil, &rpcError{-32000, "division by zero"}
		}
		return p.A / p.B, nil
	case "Log.Write":
		return nil, nil
	}
	return nil, &rpcError{-32601, "method not found: " + method}
}

func answer(one request) *response {
	result, failure := call(one.Method, one.Params)
	if one.ID == nil {
		return nil
	}
	return &response{Version: "2.0", Result: result, Error: failure, ID: one.ID}
}

func rpc(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var reply any
	var batch []request
	var single request
	switch {
	case json.Unmarshal(body, &batch) == nil:
		replies := []*response{}
		for _, one := range batch {
			if done := answer(one); done != nil {
				replies = append(replies, done)
			}
		}
		reply = replies
	case json.Unmarshal(body, &single) == nil:
		done := answer(single)
		if done == nil {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		reply = done
	default:
		reply = response{Version: "2.0", Error: &rpcError{-32700, "parse error"}, ID: json.RawMessage("null")}
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(reply); err != nil {
		log.Print(err)
	}
}

func main() {
	mux := http.NewServeMux()
	mux.HandleFunc("/rpc", rpc)
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening", listener.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	log.Fatal(http.Serve(listener, mux))
}
