// A chain of services that know nothing of tracing: HTTP/1 -> HTTP/2 -> gRPC -> HTTP/1.
//
//	chain leaf                    HTTP/1 server; answers
//	chain rpc LEAF                gRPC server; calls leaf
//	chain middle RPC              HTTP/2 server with TLS; calls rpc
//	chain edge MIDDLE             HTTP/1 server; calls middle, on a goroutine of its own for every second request
//
// rpc and middle let workers of a pool make every second call: only its context says whose it is.
//
//	chain secure                  HTTP/2 server with TLS; answers
//	chain drive URL N CONCURRENCY sends N requests, each with an id and a body of its own, and checks what comes back
//	chain fringe EDGE LEAF SECURE the odd ones: header blocks that end near the end of a buffer, 0 to 100 header
//	                              fields, a traceparent of the program's own
//
// Each server prints "listening ADDRESS" and then a line of JSON for each request: which id came, with which
// traceparents, and what was wrong with the rest of its header or body, of which every byte is checked.
package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	pb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
)

type line struct {
	Role    string   `json:"role"`
	ID      string   `json:"id"`
	Context []string `json:"context"`
	Wrong   string   `json:"wrong,omitempty"`
}

var (
	role    string
	outLock sync.Mutex
)

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// body of a request: its length and bytes follow from its id.
func body(id string) []byte {
	sum := sha256.Sum256([]byte(id))
	return bytes.Repeat(sum[:], int(sum[0])%90+1)
}

// fillers are header fields that follow from the id: 0 to 12 of them, or N when it is "fieldsN".
func fillers(id string) map[string]string {
	sum := sha256.Sum256([]byte("fill " + id))
	count := int(sum[0]) % 13
	if strings.HasPrefix(id, "fields") {
		count, _ = strconv.Atoi(id[len("fields"):])
	}
	fields := map[string]string{}
	for i := 0; i < count; i++ {
		fields[fmt.Sprintf("x-fill-%d", i)] = hex.EncodeToString(sum[:1+int(sum[i%31+1])%32])
	}
	return fields
}

// expected are the fields that this side of the chain may see beside the traceparent.
var expected = map[string]bool{
	"user-agent": true, "accept-encoding": true, "content-length": true, "x-id": true, ":authority": true,
	"content-type": true, "te": true, "accept": true, "connection": true, "grpc-accept-encoding": true,
	"transfer-encoding": true, "tracestate": true,
}

func check(id string, fields map[string][]string, got []byte) {
	l := line{Role: role, ID: id, Context: []string{}}
	var wrong []string
	want := fillers(id)
	for name, values := range fields {
		name = strings.ToLower(name)
		if name == "traceparent" {
			l.Context = append(l.Context, values...)
		} else if value, known := want[name]; known {
			if len(values) != 1 || values[0] != value {
				wrong = append(wrong, fmt.Sprintf("%s: %q", name, values))
			}
			delete(want, name)
		} else if !expected[name] {
			wrong = append(wrong, fmt.Sprintf("unexpected %q: %q", name, values))
		}
	}
	for name := range want {
		wrong = append(wrong, "missing "+name)
	}
	if !bytes.Equal(got, body(id)) {
		wrong = append(wrong, fmt.Sprintf("body of %d bytes", len(got)))
	}
	sort.Strings(wrong)
	l.Wrong = strings.Join(wrong, "; ")
	text, _ := json.Marshal(l)
	outLock.Lock()
	os.Stdout.Write(append(text, '\n'))
	outLock.Unlock()
}

// deep makes the goroutine's stack grow and shrink, and garbage.
func deep(n int) int {
	var room [256]byte
	if n == 0 {
		return int(room[0])
	}
	return deep(n-1) + int(room[n%256])
}

func churn() {
	deep(200)
	kept := make([][]byte, 64)
	for i := range kept {
		kept[i] = make([]byte, 512)
	}
	runtime.KeepAlive(kept)
}

func send(ctx context.Context, client *http.Client, url, id string, own ...string) error {
	request, err := http.NewRequestWithContext(ctx, "POST", url, bytes.NewReader(body(id)))
	if err != nil {
		return err
	}
	request.Header.Set("X-Id", id)
	for name, value := range fillers(id) {
		request.Header.Set(name, value)
	}
	for _, name := range own {
		request.Header[name] = []string{ownContext} // as it is, not made canonical
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != 200 || string(answer) != "done "+id {
		return fmt.Errorf("%s: %d %q", id, response.StatusCode, answer)
	}
	return nil
}

var (
	work    = make(chan func())
	workers sync.Once
	turns   int64
)

// shared does every second call itself, and lets a worker do the others, which the first request starts.
func shared(call func() error) error {
	if atomic.AddInt64(&turns, 1)%2 == 0 {
		return call()
	}
	workers.Do(func() {
		for i := 0; i < 16; i++ {
			go func() {
				for one := range work {
					one()
				}
			}()
		}
	})
	done := make(chan error, 1)
	work <- func() { done <- call() }
	return <-done
}

// handler serves HTTP: it checks what came, calls what is behind it, and answers.
func handler(next func(ctx context.Context, id string) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, _ := io.ReadAll(r.Body)
		id := r.Header.Get("X-Id")
		check(id, r.Header, got)
		churn()
		if next != nil {
			if err := next(r.Context(), id); err != nil {
				http.Error(w, err.Error(), 502)
				return
			}
		}
		io.WriteString(w, "done "+id)
	})
}

type service struct {
	pb.UnimplementedTestServiceServer
	next func(ctx context.Context, id string) error
}

func (s *service) UnaryCall(ctx context.Context, in *pb.SimpleRequest) (*pb.SimpleResponse, error) {
	fields, _ := metadata.FromIncomingContext(ctx)
	id := strings.Join(fields.Get("x-id"), ",")
	check(id, fields, in.Payload.GetBody())
	churn()
	if err := s.next(ctx, id); err != nil {
		return nil, err
	}
	return &pb.SimpleResponse{Payload: &pb.Payload{Body: []byte("done " + id)}}, nil
}

func certificate() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		fail(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		fail(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

const ownContext = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"

// fringe sends what is hard to add a header field to.
func fringe(edge, leaf, secure string) {
	client := &http.Client{Transport: transport(), Timeout: 5 * time.Minute}
	count, failed := 0, 0
	try := func(url, id string, own ...string) {
		count++
		if err := send(context.Background(), client, url, id, own...); err != nil {
			failed++
			fmt.Fprintln(os.Stderr, err)
		}
	}
	// the request line fills the connection's buffer of 4,096 bytes but for every number of bytes from 300 to 0, and more
	for length := 3700; length < 4110; length++ {
		try("http://"+leaf+"/"+strings.Repeat("a", length), fmt.Sprintf("path%d", length))
	}
	for fields := 0; fields <= 100; fields++ {
		try("http://"+edge+"/go", fmt.Sprintf("fields%d", fields))
	}
	for i, name := range []string{"Traceparent", "traceparent", "TraceParent"} {
		try("http://"+leaf+"/own", fmt.Sprintf("own%d", i), name)
		try("https://"+secure+"/own", fmt.Sprintf("own-h2-%d", i), name)
	}
	fmt.Printf("drove %d failed %d\n", count, failed)
}

func transport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 256
	t.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	t.ForceAttemptHTTP2 = true
	return t
}

func drive(url string, count, concurrency int) {
	client := &http.Client{Transport: transport(), Timeout: 5 * time.Minute}
	var next, failed int64
	var all sync.WaitGroup
	for i := 0; i < concurrency; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for {
				n := atomic.AddInt64(&next, 1)
				if n > int64(count) {
					return
				}
				if err := send(context.Background(), client, url, fmt.Sprintf("r%d", n)); err != nil {
					atomic.AddInt64(&failed, 1)
					fmt.Fprintln(os.Stderr, err)
				}
			}
		}()
	}
	all.Wait()
	fmt.Printf("drove %d failed %d\n", count, failed)
}

func main() {
	role = os.Args[1]
	if role == "drive" {
		count, _ := strconv.Atoi(os.Args[3])
		concurrency, _ := strconv.Atoi(os.Args[4])
		drive(os.Args[2], count, concurrency)
		return
	}
	if role == "fringe" {
		fringe(os.Args[2], os.Args[3], os.Args[4])
		return
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fail(err)
	}
	fmt.Println("listening", listener.Addr())
	client := &http.Client{Transport: transport()}
	switch role {
	case "leaf":
		err = http.Serve(listener, handler(nil))
	case "secure":
		server := &http.Server{Handler: handler(nil), TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate()}}}
		err = server.ServeTLS(listener, "", "")
	case "rpc":
		server := grpc.NewServer()
		pb.RegisterTestServiceServer(server, &service{next: func(ctx context.Context, id string) error {
			return shared(func() error { return send(ctx, client, "http://"+os.Args[2]+"/leaf", id) })
		}})
		err = server.Serve(listener)
	case "middle":
		conn, failed := grpc.Dial(os.Args[2], grpc.WithTransportCredentials(insecure.NewCredentials()))
		if failed != nil {
			fail(failed)
		}
		stub := pb.NewTestServiceClient(conn)
		server := &http.Server{Handler: handler(func(ctx context.Context, id string) error {
			ctx = metadata.AppendToOutgoingContext(ctx, "x-id", id)
			for name, value := range fillers(id) {
				ctx = metadata.AppendToOutgoingContext(ctx, name, value)
			}
			return shared(func() error {
				_, err := stub.UnaryCall(ctx, &pb.SimpleRequest{Payload: &pb.Payload{Body: body(id)}})
				return err
			})
		}), TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate()}}}
		err = server.ServeTLS(listener, "", "")
	case "edge":
		var turn int64
		err = http.Serve(listener, handler(func(ctx context.Context, id string) error {
			url := "https://" + os.Args[2] + "/middle"
			if atomic.AddInt64(&turn, 1)%2 == 0 {
				return send(ctx, client, url, id)
			}
			done := make(chan error)
			go func() { done <- send(ctx, client, url, id) }()
			return <-done
		}))
	default:
		err = fmt.Errorf("no such role: %s", role)
	}
	fail(err)
}
