// Command odd is a net/http server of handlers that are hard to trace. It prints "listening ADDRESS" first.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// limited and seen are what servers put around connections: a limit on how many there are, a look at their first bytes.
type limited struct {
	net.Conn
	done sync.Once
}

type seen struct {
	first []byte
	inner net.Conn
}

func (s seen) Read(p []byte) (int, error)         { return s.inner.Read(p) }
func (s seen) Write(p []byte) (int, error)        { return s.inner.Write(p) }
func (s seen) Close() error                       { return s.inner.Close() }
func (s seen) LocalAddr() net.Addr                { return s.inner.LocalAddr() }
func (s seen) RemoteAddr() net.Addr               { return s.inner.RemoteAddr() }
func (s seen) SetDeadline(t time.Time) error      { return s.inner.SetDeadline(t) }
func (s seen) SetReadDeadline(t time.Time) error  { return s.inner.SetReadDeadline(t) }
func (s seen) SetWriteDeadline(t time.Time) error { return s.inner.SetWriteDeadline(t) }

// wrapping puts them around each connection, by value and by pointer.
type wrapping struct{ net.Listener }

func (w wrapping) Accept() (net.Conn, error) {
	conn, err := w.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &limited{Conn: seen{inner: conn}}, nil
}

type nothing struct{}

func (nothing) ServeHTTP(http.ResponseWriter, *http.Request) {}

func main() {
	address := flag.String("listen", "127.0.0.1:0", "address to listen on")
	copies := flag.Bool("copy", false, "hand a copy of each request on, as middleware does that adds to its context")
	wrap := flag.Bool("wrap", false, "put other connections around those that come in")
	flag.Parse()

	mux := http.NewServeMux()
	routes(mux)
	// A panic closes the connection; net/http recovers it and logs a trace to stderr.
	mux.HandleFunc("/panic", func(http.ResponseWriter, *http.Request) { panic("a handler that panics") })
	mux.HandleFunc("/abort", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	// Takes the connection over and answers what comes with itself, until the client leaves.
	mux.HandleFunc("/upgraded", func(w http.ResponseWriter, _ *http.Request) {
		conn, buffered, err := w.(http.Hijacker).Hijack()
		if err != nil {
			log.Print(err)
			return
		}
		_, _ = conn.Write([]byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: odd\r\nConnection: Upgrade\r\n\r\n"))
		_, _ = io.Copy(conn, buffered)
		_ = conn.Close()
	})
	// Answers by net/http, then takes the connection over.
	mux.HandleFunc("/answered/", func(w http.ResponseWriter, r *http.Request) {
		status, _ := strconv.Atoi(r.URL.Path[len("/answered/"):])
		w.WriteHeader(status)
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			log.Print(err)
			return
		}
		_ = conn.Close()
	})
	// The handler takes the connection over and speaks for itself.
	mux.HandleFunc("/hijack", func(w http.ResponseWriter, _ *http.Request) {
		conn, buffered, err := w.(http.Hijacker).Hijack()
		if err != nil {
			log.Print(err)
			return
		}
		_, _ = buffered.WriteString("HTTP/1.1 101 Switching Protocols\r\nUpgrade: odd\r\nConnection: Upgrade\r\n\r\nhello\n")
		_ = buffered.Flush()
		_ = conn.Close()
	})
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		wait, _ := strconv.Atoi(r.URL.Query().Get("ms"))
		time.Sleep(time.Duration(wait) * time.Millisecond)
		_, _ = io.WriteString(w, "slow\n")
	})
	// /big?bytes=N answers N bytes with a Content-Length; /chunked?bytes=N in chunks.
	mux.HandleFunc("/big", func(w http.ResponseWriter, r *http.Request) {
		size, _ := strconv.Atoi(r.URL.Query().Get("bytes"))
		w.Header().Set("Content-Length", strconv.Itoa(size))
		_, _ = io.WriteString(w, strings.Repeat("b", size))
	})
	mux.HandleFunc("/chunked", func(w http.ResponseWriter, r *http.Request) {
		size, _ := strconv.Atoi(r.URL.Query().Get("bytes"))
		for size > 0 {
			part := size
			if part > 1000 {
				part = 1000
			}
			_, _ = io.WriteString(w, strings.Repeat("c", part))
			w.(http.Flusher).Flush()
			size -= part
		}
	})
	// Reads the whole body and answers its length.
	mux.HandleFunc("/upload", func(w http.ResponseWriter, r *http.Request) {
		size, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprintf(w, "%d\n", size)
	})
	// Leaves the body unread.
	mux.HandleFunc("/ignore", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) })
	mux.HandleFunc("/status/", func(w http.ResponseWriter, r *http.Request) {
		code, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/status/"))
		w.WriteHeader(code)
	})
	mux.HandleFunc("/echo/", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.URL.Path)
	})
	// Nothing is written: net/http sends 200 by itself.
	mux.Handle("/nothing", nothing{})

	listener, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening", listener.Addr())
	if *wrap {
		listener = wrapping{listener}
	}
	handler := http.Handler(mux)
	if *copies {
		handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mux.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), nothing{}, 1)))
		})
	}
	log.Fatal(http.Serve(listener, handler))
}
