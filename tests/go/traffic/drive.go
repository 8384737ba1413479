package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

var client = &http.Client{
	Transport: &http.Transport{
		TLSClientConfig:     &tls.Config{InsecureSkipVerify: true, ServerName: "traffic.test"},
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: 100,
	},
	Timeout: 30 * time.Second,
}

// dialError is as proxies and service meshes have one of their own around net's.
type dialError struct{ error }

func (e dialError) Unwrap() error { return e.error }

// wrapped gets a URL, with a dialer that wraps its errors.
func wrapped(url string) {
	own := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			connection, err := (&net.Dialer{}).DialContext(ctx, network, address)
			if err != nil {
				return nil, dialError{err}
			}
			return connection, nil
		},
	}}
	response, err := own.Get(url)
	if err == nil {
		_ = response.Body.Close()
	}
}

// call gets a URL and says how that ended.
func call(url string) string {
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return err.Error()
	}
	return send(request).Error
}

// send sends a request, reads the answer to its end and logs both.
func send(request *http.Request) Entry {
	entry := Entry{
		ID: request.Header.Get("X-Id"), Method: request.Method, Path: request.URL.EscapedPath(),
		Query: request.URL.RawQuery, Request: request.ContentLength,
	}
	trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) { entry.Reused = info.Reused }}
	response, err := client.Do(request.WithContext(httptrace.WithClientTrace(request.Context(), trace)))
	if err != nil {
		entry.Error = err.Error()
	} else {
		entry.Bytes, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		entry.Status, entry.Proto = response.StatusCode, response.Proto
		if id := response.Header.Get("X-Id"); id != entry.ID && !strings.HasSuffix(entry.Path, "/nothing") {
			entry.Error = fmt.Sprintf("the answer is for %q", id)
		}
	}
	record(entry)
	return entry
}

var (
	methods  = []string{"GET", "GET", "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"}
	statuses = []int{0, 0, 0, 200, 201, 202, 204, 301, 304, 400, 404, 418, 500, 503}
	types    = []string{"", "", "application/json", "text/html; charset=utf-8"}
)

func drive(target string, streams, requests int, seconds float64, seed int64) {
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	var next int64
	end := time.Now().Add(time.Duration(seconds * float64(time.Second)))
	more := func() (int64, bool) {
		n := atomic.AddInt64(&next, 1)
		if seconds > 0 {
			return n, time.Now().Before(end)
		}
		return n, n <= int64(requests)
	}
	// one alone, so that all others find an HTTP/2 connection
	if n, ok := more(); ok {
		one(target, n, rand.New(rand.NewSource(seed)))
	}
	var group sync.WaitGroup
	for stream := 1; stream <= streams; stream++ {
		group.Add(1)
		go func(random *rand.Rand) {
			defer group.Done()
			for n, ok := more(); ok; n, ok = more() {
				one(target, n, random)
			}
		}(rand.New(rand.NewSource(seed + int64(stream))))
	}
	group.Wait()
}

func one(target string, n int64, random *rand.Rand) {
	method := methods[random.Intn(len(methods))]
	status := statuses[random.Intn(len(statuses))]
	size := random.Intn(200)
	if random.Intn(20) == 0 {
		size = random.Intn(20000)
	}
	if status == 204 || status == 304 {
		size = 0
	}
	wait := ""
	if *pause > 0 {
		wait = fmt.Sprintf("&ms=%d", *pause)
	}
	id := fmt.Sprintf("r%d", n)
	url := fmt.Sprintf("%s/item/%s?status=%d&bytes=%d&type=%s", target, id, status, size,
		strings.NewReplacer(" ", "+", ";", "%3B").Replace(types[random.Intn(len(types))]))
	if random.Intn(10) == 0 && size > 0 {
		url += "&chunks=2"
	}
	url += wait
	if random.Intn(30) == 0 {
		url = fmt.Sprintf("%s/item/%s/%%C3%%A9t%%C3%%A9%%20%s?%s", target, id, strings.Repeat("p", random.Intn(80)), strings.TrimPrefix(wait, "&"))
	}
	var body io.Reader
	if method == "POST" || method == "PUT" || method == "PATCH" {
		body = strings.NewReader(strings.Repeat("b", random.Intn(6000)))
	}
	request, err := http.NewRequest(method, url, body)
	if err != nil {
		panic(err)
	}
	request.Header.Set("X-Id", id)
	for extra := random.Intn(12); extra > 0; extra-- {
		request.Header.Set(fmt.Sprintf("X-Extra-%d", extra), strings.Repeat("e", extra))
	}
	send(request)
}
