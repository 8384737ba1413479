package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httputil"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

// counted is a ResponseWriter that remembers what the handler sent.
type counted struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (c *counted) WriteHeader(status int) {
	if c.status == 0 && status >= 200 {
		c.status = status
	}
	c.ResponseWriter.WriteHeader(status)
}

func (c *counted) Write(data []byte) (int, error) {
	if c.status == 0 {
		c.status = http.StatusOK
	}
	n, err := c.ResponseWriter.Write(data)
	c.bytes += int64(n)
	return n, err
}

func (c *counted) Flush() { c.ResponseWriter.(http.Flusher).Flush() }

// logged logs each request once its handler is done, also when it panicked.
func logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &counted{ResponseWriter: w}
		done := false
		defer func() {
			entry := Entry{
				ID: r.Header.Get("X-Id"), Proto: r.Proto, Method: r.Method, Path: r.URL.EscapedPath(),
				Query: r.URL.RawQuery, Status: c.status, Bytes: c.bytes, Request: r.ContentLength,
			}
			if !done {
				entry.Error = "panic"
			} else if c.status == 0 {
				entry.Status = http.StatusOK
			}
			record(entry)
		}()
		next.ServeHTTP(c, r)
		done = true
	})
}

func number(r *http.Request, name string) int {
	n, _ := strconv.Atoi(r.URL.Query().Get(name))
	return n
}

func routes() *http.ServeMux {
	mux := http.NewServeMux()
	// /item/ID?status=S&bytes=B&type=T&chunks=N&ms=M: what is asked for. The request's body is read.
	mux.HandleFunc("/item/", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if wait := number(r, "ms"); wait > 0 {
			time.Sleep(time.Duration(wait) * time.Millisecond)
		}
		if kind := r.URL.Query().Get("type"); kind != "" {
			w.Header().Set("Content-Type", kind)
		}
		if id := r.Header.Get("X-Id"); id != "" {
			w.Header().Set("X-Id", id)
		}
		if status := number(r, "status"); status != 0 {
			if status == http.StatusMovedPermanently {
				w.Header().Set("Location", "/nothing") // Go 1.17's client fails without
			}
			w.WriteHeader(status)
		}
		chunks := number(r, "chunks")
		for chunk := 0; chunk <= chunks; chunk++ {
			if size := number(r, "bytes"); size > 0 {
				_, _ = io.WriteString(w, strings.Repeat("x", size))
			}
			if chunks > 0 {
				w.(http.Flusher).Flush()
			}
		}
	})
	mux.HandleFunc("/nothing", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/panic", func(http.ResponseWriter, *http.Request) { panic("a handler that panics") })
	mux.HandleFunc("/abort", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	mux.HandleFunc("/goexit", func(http.ResponseWriter, *http.Request) { runtime.Goexit() })
	// Breaks off an answer that it has begun.
	mux.HandleFunc("/cut", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half of")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	// /proxy?url=U is a reverse proxy to U.
	mux.HandleFunc("/proxy", func(w http.ResponseWriter, r *http.Request) {
		target, err := url.Parse(r.URL.Query().Get("url"))
		if err != nil {
			log.Fatal(err)
		}
		proxy := httputil.ReverseProxy{
			Director:      func(out *http.Request) { out.URL = target },
			Transport:     client.Transport,
			FlushInterval: -1,
		}
		proxy.ServeHTTP(w, r)
	})
	// Streams until the client leaves, then says so.
	mux.HandleFunc("/forever", func(w http.ResponseWriter, r *http.Request) {
		for {
			if _, err := io.WriteString(w, "data: tick\n\n"); err != nil {
				return
			}
			w.(http.Flusher).Flush()
			select {
			case <-r.Context().Done():
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	})
	// /call?url=U calls U from the handler's goroutine; /fan?url=U&n=N from N goroutines of their own.
	mux.HandleFunc("/call", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, call(r.URL.Query().Get("url")))
	})
	mux.HandleFunc("/fan", func(w http.ResponseWriter, r *http.Request) {
		var group sync.WaitGroup
		for i := 0; i < number(r, "n"); i++ {
			group.Add(1)
			go func(i int) {
				defer group.Done()
				call(r.URL.Query().Get("url") + "?n=" + strconv.Itoa(i))
			}(i)
		}
		group.Wait()
	})
	// /connect?url=U asks U for a tunnel to example.org.
	mux.HandleFunc("/connect", func(_ http.ResponseWriter, r *http.Request) {
		request, err := http.NewRequest(http.MethodConnect, r.URL.Query().Get("url"), nil)
		if err != nil {
			log.Fatal(err)
		}
		request.Host = "example.org:443"
		send(request)
	})
	mux.HandleFunc("/wrapped", func(_ http.ResponseWriter, r *http.Request) { wrapped(r.URL.Query().Get("url")) })
	// /drive?url=U&requests=N&streams=M is the client of U for a while.
	mux.HandleFunc("/drive", func(_ http.ResponseWriter, r *http.Request) {
		drive(r.URL.Query().Get("url"), number(r, "streams"), number(r, "requests"), 0, 1)
	})
	// Answers after what its client is ready to wait for.
	mux.HandleFunc("/late", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-time.After(5 * time.Second):
		}
	})
	// /impatient?url=U&how=timeout|cancel gives up on U.
	mux.HandleFunc("/impatient", func(_ http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 50*time.Millisecond)
		if r.URL.Query().Get("how") == "cancel" {
			ctx, cancel = context.WithCancel(r.Context())
			time.AfterFunc(50*time.Millisecond, cancel)
		}
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.URL.Query().Get("url"), nil)
		if err != nil {
			log.Fatal(err)
		}
		send(request)
	})
	return mux
}

func certificate() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "traffic.test"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		DNSNames:     []string{"traffic.test"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		log.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
