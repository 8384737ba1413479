// Command jsonpost speaks JSON-RPC 2.0 by POST, over HTTP/1 or HTTP/2 (TLS), as server and as client.
//
//	jsonpost [-http2]                          serves; prints "listening ADDRESS" first
//	jsonpost [-http2] -client ADDRESS -calls N makes N requests behind a line on standard input, after a third of
//	                                           them prints "pause" and waits for another; prints "done"
//
// Both print a JSON object for each request, so that a test can compare what was traced with what happened: who, what
// was called (methods, ids, error codes, in order), whether it was a batch, how the body was made, its size.
package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"time"
)

type message struct {
	Version string          `json:"jsonrpc"`
	Method  string          `json:"method,omitempty"`
	Params  interface{}     `json:"params,omitempty"`
	Result  interface{}     `json:"result,omitempty"`
	Error   *failure        `json:"error,omitempty"`
	ID      json.RawMessage `json:"id,omitempty"`
}

type failure struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// Entry is one line of the log.
type Entry struct {
	Who     string   `json:"who"`
	Batch   bool     `json:"batch"`
	How     string   `json:"how"`
	Size    int      `json:"size"`
	Answer  int      `json:"answer"`
	Methods []string `json:"methods"`
	IDs     []string `json:"ids"`
	Codes   []int    `json:"codes"`
}

var logLock sync.Mutex

func record(entry Entry) {
	line, _ := json.Marshal(entry)
	logLock.Lock()
	defer logLock.Unlock()
	_, _ = os.Stdout.Write(append(line, '\n'))
}

func (e *Entry) add(call message, code int) {
	e.Methods = append(e.Methods, call.Method)
	e.IDs = append(e.IDs, strings.Trim(string(call.ID), `"`))
	e.Codes = append(e.Codes, code)
}

// parse takes a message or a batch.
func parse(body []byte) (found []message, batch bool) {
	if bytes.HasPrefix(body, []byte("[")) {
		_ = json.Unmarshal(body, &found)
		return found, true
	}
	found = make([]message, 1)
	_ = json.Unmarshal(body, &found[0])
	return found, false
}

func serve(w http.ResponseWriter, r *http.Request) {
	var body []byte
	if r.URL.Path == "/stream" {
		var raw json.RawMessage
		_ = json.NewDecoder(r.Body).Decode(&raw)
		body = raw
	} else {
		body, _ = io.ReadAll(r.Body)
	}
	calls, batch := parse(body)
	entry := Entry{Who: "server", Batch: batch, How: r.Proto, Size: len(body)}
	replies := []message{}
	for _, call := range calls {
		reply := message{Version: "2.0", ID: call.ID}
		code := 0
		switch call.Method {
		case "fail":
			code = -32000
			reply.Error = &failure{code, "it failed"}
		case "long":
			reply.Result = strings.Repeat("r", 6000)
		default:
			reply.Result = call.Method
		}
		entry.add(call, code)
		if call.ID != nil {
			replies = append(replies, reply)
		}
	}
	var answer []byte
	if batch && len(replies) > 0 {
		answer, _ = json.Marshal(replies)
	} else if len(replies) > 0 {
		answer, _ = json.Marshal(replies[0])
	}
	entry.Answer = len(answer)
	record(entry)
	if answer == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(answer)
}

// wrapped hides what a body is, as instrumentation does.
type wrapped struct{ io.ReadCloser }

// shapes are how a request gets its body; a pipe is nowhere in memory when the request is sent.
var shapes = []string{"bytes.Reader", "bytes.Buffer", "strings.Reader", "no GetBody", "wrapped", "pipe"}

func request(url, how string, body []byte) *http.Request {
	var reader io.Reader = bytes.NewReader(body)
	switch how {
	case "bytes.Buffer":
		reader = bytes.NewBuffer(body)
	case "strings.Reader":
		reader = strings.NewReader(string(body))
	case "pipe":
		in, out := io.Pipe()
		go func() { _, _ = out.Write(body); _ = out.Close() }()
		reader = in
	}
	made, err := http.NewRequest(http.MethodPost, url, reader)
	if err != nil {
		log.Fatal(err)
	}
	if how == "no GetBody" {
		made.GetBody = nil
	}
	if how == "wrapped" {
		made.Body = wrapped{made.Body}
	}
	made.Header.Set("Content-Type", "application/json")
	return made
}

func ask(client *http.Client, base string, number int, chosen *rand.Rand) error {
	methods := []string{"Arith.Multiply", "fail", "tools/echo", "long"}
	entry := Entry{Who: "client", How: shapes[number%len(shapes)], Batch: chosen.Intn(4) == 0}
	var calls []message
	for len(calls) == 0 || (entry.Batch && len(calls) < 5) {
		call := message{Version: "2.0", Method: methods[chosen.Intn(len(methods))]}
		call.Params = []string{strings.Repeat("p", chosen.Intn(700))}
		switch chosen.Intn(5) {
		case 0: // a notification
		case 1:
			call.ID = json.RawMessage(fmt.Sprintf(`"id-%d-%d"`, number, len(calls)))
		default:
			call.ID = json.RawMessage(fmt.Sprint(number*10 + len(calls)))
		}
		calls = append(calls, call)
	}
	var body []byte
	if entry.Batch {
		body, _ = json.Marshal(calls)
	} else {
		body, _ = json.Marshal(calls[0])
	}
	path := "/rpc"
	if chosen.Intn(3) == 0 {
		path = "/stream"
	}
	entry.Size = len(body)
	response, err := client.Do(request(base+path, entry.How, body))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	entry.Answer = len(answer)
	replies, _ := parse(answer)
	codes := map[string]int{}
	for _, reply := range replies {
		if reply.Error != nil {
			codes[string(reply.ID)] = reply.Error.Code
		}
	}
	for _, call := range calls {
		entry.add(call, codes[string(call.ID)])
	}
	record(entry)
	return nil
}

func main() {
	over2 := flag.Bool("http2", false, "HTTP/2")
	server := flag.String("client", "", "be a client of this address")
	calls := flag.Int("calls", 0, "requests to make")
	flag.Parse()
	if *server == "" {
		made := httptest.NewUnstartedServer(http.HandlerFunc(serve))
		made.EnableHTTP2 = *over2
		if *over2 {
			made.StartTLS()
		} else {
			made.Start()
		}
		fmt.Println("listening", made.Listener.Addr())
		select {}
	}
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: *over2,
	}}
	base := "http://" + *server
	if *over2 {
		base = "https://" + *server
	}
	fmt.Println("listening client:0")
	lines := bufio.NewReader(os.Stdin)
	wait := func() {
		if _, err := lines.ReadString('\n'); err != nil && !errors.Is(err, io.EOF) {
			log.Fatal(err)
		}
	}
	wait()
	chosen := rand.New(rand.NewSource(5))
	for number := 0; number < *calls; number++ {
		if number == *calls/3 {
			fmt.Println("pause") // probes that the first requests have called for come
			wait()
		}
		if err := ask(client, base, number, chosen); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println("done")
}
