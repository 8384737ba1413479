// Command xnet serves and asks in HTTP/2 without TLS by golang.org/x/net/http2. It prints "listening ADDRESS" first.
// GET /drive?n=N makes it its own client, with golang.org/x/net/http2.Transport; GET /calls?n=N one of JSON-RPC, which
// /rpc answers: even numbers well, odd ones with an error.
package main

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/h2c"
)

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	transport := &http2.Transport{
		AllowHTTP: true,
		DialTLS: func(network, address string, _ *tls.Config) (net.Conn, error) {
			return net.Dial(network, address)
		},
	}
	base := "http://" + listener.Addr().String()
	mux := http.NewServeMux()
	mux.HandleFunc("/item/", func(w http.ResponseWriter, r *http.Request) {
		size, _ := io.Copy(io.Discard, r.Body)
		n, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/item/"))
		w.Header().Set("Content-Type", "text/x-item")
		w.WriteHeader(200 + n%5)
		if n%5 != 4 {
			_, _ = io.WriteString(w, strings.Repeat("x", int(size)+n))
		}
	})
	mux.HandleFunc("/panic", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	mux.HandleFunc("/drive", func(_ http.ResponseWriter, r *http.Request) {
		count, _ := strconv.Atoi(r.URL.Query().Get("n"))
		var group sync.WaitGroup
		for n := 0; n < count; n++ {
			group.Add(1)
			go func(n int) {
				defer group.Done()
				body := strings.NewReader(strings.Repeat("b", n))
				request, err := http.NewRequest(http.MethodPost, fmt.Sprintf("%s/item/%d", base, n), body)
				if err != nil {
					log.Fatal(err)
				}
				response, err := transport.RoundTrip(request)
				if err != nil {
					log.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, response.Body)
				_ = response.Body.Close()
			}(n)
		}
		group.Wait()
		request, _ := http.NewRequest(http.MethodGet, base+"/panic", nil)
		if _, err := transport.RoundTrip(request); err == nil {
			log.Fatal("an aborted stream was answered")
		}
	})
	mux.HandleFunc("/rpc", func(w http.ResponseWriter, r *http.Request) {
		var call struct {
			Version string `json:"jsonrpc"`
			Method  string `json:"method"`
			ID      int    `json:"id"`
		}
		if json.NewDecoder(r.Body).Decode(&call) == nil {
			outcome := `"result":1`
			if call.ID%2 == 1 {
				outcome = `"error":{"code":-32000,"message":"odd"}`
			}
			_, _ = fmt.Fprintf(w, `{"jsonrpc":%q,"id":%d,%s}`, call.Version, call.ID, outcome)
		}
	})
	mux.HandleFunc("/calls", func(_ http.ResponseWriter, r *http.Request) {
		count, _ := strconv.Atoi(r.URL.Query().Get("n"))
		for n := 0; n < count; n++ {
			call := fmt.Sprintf(`{"jsonrpc":"2.0","method":"call.%d","params":[],"id":%d}`, n, n)
			request, _ := http.NewRequest(http.MethodPost, base+"/rpc", strings.NewReader(call))
			response, err := transport.RoundTrip(request)
			if err != nil {
				log.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
		}
	})
	fmt.Println("listening", listener.Addr())
	log.Fatal(http.Serve(listener, h2c.NewHandler(mux, &http2.Server{})))
}
