// A gRPC server and client on grpc's own test service, for what tests ask of them.
//
// It is written for Go 1.16 and grpc 1.40 and works with every version since.
//
//	rpcs serve [-unix PATH] [-tls] [-http] [-count]   serve until killed; prints "listening ADDRESS"
//	rpcs call ADDRESS CALL...                make these calls one after another, print a line of JSON for each
//	rpcs count ADDRESS CALL...               the same, and a line for what went over each of them
//	rpcs within CALL...                      make these calls to a server in the same process
//	rpcs random N CONCURRENCY SEED           serve and call itself N times; a line of JSON for each side of each call
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/encoding/gzip"
	pb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/status"
)

// line is what the program knows of one side of one call.
type line struct {
	Side    string `json:"side"`
	Method  string `json:"method"`
	Code    int    `json:"code"`
	Message string `json:"message"`
	Peer    string `json:"peer,omitempty"`
	ID      string `json:"id,omitempty"`
	Inside  string `json:"inside,omitempty"`

	Sent          int64 `json:"sent,omitempty"`
	Received      int64 `json:"received,omitempty"`
	SentBytes     int64 `json:"sent_bytes,omitempty"`
	ReceivedBytes int64 `json:"received_bytes,omitempty"`
}

var (
	out     = bufio.NewWriter(os.Stdout)
	outLock sync.Mutex
)

func say(l line) {
	text, _ := json.Marshal(l)
	outLock.Lock()
	out.Write(append(text, '\n'))
	outLock.Unlock()
}

func flush() {
	outLock.Lock()
	out.Flush()
	outLock.Unlock()
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// idOf is the trace id of the traceparent that came with the call.
func idOf(ctx context.Context) string {
	md, _ := metadata.FromIncomingContext(ctx)
	for _, value := range md.Get("traceparent") {
		if parts := strings.Split(value, "-"); len(parts) == 4 {
			return parts[1]
		}
	}
	return ""
}

// withID gives a call an identity of its own: the trace id of the traceparent that it sends.
func withID(ctx context.Context, id string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "traceparent", "00-"+id+"-00000000000000ff-01")
}

// service does what a request's payload or response_status says.
type service struct {
	pb.UnimplementedTestServiceServer
	inner func() pb.TestServiceClient // to call from inside a handler
}

func (s *service) EmptyCall(ctx context.Context, _ *pb.Empty) (*pb.Empty, error) {
	return &pb.Empty{}, nil
}

func answer(st *pb.EchoStatus) error {
	if st != nil && st.Code != 0 {
		return status.Error(codes.Code(st.Code), st.Message)
	}
	return nil
}

func (s *service) UnaryCall(ctx context.Context, in *pb.SimpleRequest) (*pb.SimpleResponse, error) {
	verb, argument := "", ""
	if in.Payload != nil {
		words := strings.SplitN(string(in.Payload.Body), " ", 2)
		verb = words[0]
		if len(words) > 1 {
			argument = words[1]
		}
	}
	switch verb {
	case "panic":
		panic("as asked")
	case "goexit":
		runtime.Goexit()
	case "sleep":
		ms, _ := strconv.Atoi(argument)
		select {
		case <-time.After(time.Duration(ms) * time.Millisecond):
		case <-ctx.Done():
			return nil, status.FromContextError(ctx.Err()).Err()
		}
	case "nested":
		if _, err := s.inner().EmptyCall(withID(ctx, argument), &pb.Empty{}); err != nil {
			return nil, err
		}
	case "descendant":
		failed := make(chan error)
		go func() {
			_, err := s.inner().EmptyCall(ctx, &pb.Empty{})
			failed <- err
		}()
		if err := <-failed; err != nil {
			return nil, err
		}
	case "plain-error":
		return nil, errors.New(argument)
	}
	if err := answer(in.ResponseStatus); err != nil {
		return nil, err
	}
	return &pb.SimpleResponse{Payload: &pb.Payload{Body: make([]byte, in.ResponseSize)}}, nil
}

func (s *service) StreamingOutputCall(in *pb.StreamingOutputCallRequest, stream pb.TestService_StreamingOutputCallServer) error {
	for _, p := range in.ResponseParameters {
		time.Sleep(time.Duration(p.IntervalUs) * time.Microsecond)
		if err := stream.Send(&pb.StreamingOutputCallResponse{Payload: &pb.Payload{Body: make([]byte, p.Size)}}); err != nil {
			return err
		}
	}
	return answer(in.ResponseStatus)
}

func (s *service) StreamingInputCall(stream pb.TestService_StreamingInputCallServer) error {
	total := 0
	for {
		in, err := stream.Recv()
		if err == io.EOF {
			return stream.SendAndClose(&pb.StreamingInputCallResponse{AggregatedPayloadSize: int32(total)})
		}
		if err != nil {
			return err
		}
		if body := string(in.Payload.Body); strings.HasPrefix(body, "status ") {
			words := strings.SplitN(body, " ", 3)
			code, _ := strconv.Atoi(words[1])
			return status.Error(codes.Code(code), words[2])
		}
		total += len(in.Payload.Body)
	}
}

func (s *service) FullDuplexCall(stream pb.TestService_FullDuplexCallServer) error {
	for {
		in, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := answer(in.ResponseStatus); err != nil {
			return err
		}
		for _, p := range in.ResponseParameters {
			if err := stream.Send(&pb.StreamingOutputCallResponse{Payload: &pb.Payload{Body: make([]byte, p.Size)}}); err != nil {
				return err
			}
		}
	}
}

func logged(ctx context.Context, method string, err error) {
	st, _ := status.FromError(err)
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		st = status.FromContextError(err)
	}
	l := line{Side: "server", Method: method, Code: int(st.Code()), Message: st.Message(), ID: idOf(ctx)}
	if p, ok := peer.FromContext(ctx); ok {
		l.Peer = p.Addr.String()
	}
	say(l)
}

func logUnary(ctx context.Context, in interface{}, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (interface{}, error) {
	reply, err := next(ctx, in)
	logged(ctx, info.FullMethod, err)
	return reply, err
}

func logStream(srv interface{}, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	err := next(srv, stream)
	logged(stream.Context(), info.FullMethod, err)
	return err
}

func dial(address string, options ...grpc.DialOption) *grpc.ClientConn {
	if strings.HasPrefix(address, "tls:") {
		address = strings.TrimPrefix(address, "tls:")
		options = append(options, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{InsecureSkipVerify: true})))
	} else {
		options = append(options, grpc.WithInsecure())
	}
	conn, err := grpc.Dial(address, options...)
	if err != nil {
		fail(err)
	}
	return conn
}

func serve(arguments []string) {
	network, address, secure, over, count := "tcp", "127.0.0.1:0", false, false, false
	for i := 0; i < len(arguments); i++ {
		switch arguments[i] {
		case "-unix":
			network, address = "unix", arguments[i+1]
			i++
		case "-tls":
			secure = true
		case "-http":
			secure, over = true, true
		case "-count":
			count = true
		}
	}
	listener, err := net.Listen(network, address)
	if err != nil {
		fail(err)
	}
	s := &service{}
	var inner pb.TestServiceClient
	var once sync.Once
	s.inner = func() pb.TestServiceClient {
		once.Do(func() {
			target := listener.Addr().String()
			if network == "unix" {
				target = "unix:" + target
			}
			if secure {
				target = "tls:" + target
			}
			inner = pb.NewTestServiceClient(dial(target))
		})
		return inner
	}
	var options []grpc.ServerOption
	if secure && !over {
		certificate := selfSigned()
		options = append(options, grpc.Creds(credentials.NewServerTLSFromCert(&certificate)))
	}
	if count {
		options = append(options, grpc.StatsHandler(counter{"server-messages"}))
	}
	server := grpc.NewServer(options...)
	pb.RegisterTestServiceServer(server, s)
	fmt.Printf("listening %s:%s\n", network, listener.Addr())
	if over {
		web := &http.Server{Handler: server, TLSConfig: &tls.Config{Certificates: []tls.Certificate{selfSigned()}}}
		fail(web.ServeTLS(listener, "", ""))
	}
	fail(server.Serve(listener))
}

// never is a resolver that has nothing to say.
type never struct{}

func (never) Build(resolver.Target, resolver.ClientConn, resolver.BuildOptions) (resolver.Resolver, error) {
	return never{}, nil
}
func (never) Scheme() string                        { return "never" }
func (never) ResolveNow(resolver.ResolveNowOptions) {}
func (never) Close()                                {}

// call makes one call, named by its first word, and returns what its caller was told.
func call(client pb.TestServiceClient, what string) (string, error) {
	words := strings.SplitN(what, " ", 2)
	argument := ""
	if len(words) > 1 {
		argument = words[1]
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	const service = "/grpc.testing.TestService/"
	switch words[0] {
	case "empty":
		_, err := client.EmptyCall(ctx, &pb.Empty{})
		return service + "EmptyCall", err
	case "gzip":
		_, err := client.UnaryCall(ctx, &pb.SimpleRequest{ResponseSize: 100}, grpc.UseCompressor(gzip.Name))
		return service + "UnaryCall", err
	case "id":
		_, err := client.EmptyCall(withID(ctx, argument), &pb.Empty{})
		return service + "EmptyCall", err
	case "id-nested": // id-nested ID ID: both calls have one
		parts := strings.Split(argument, " ")
		in := &pb.SimpleRequest{Payload: &pb.Payload{Body: []byte("nested " + parts[1])}}
		_, err := client.UnaryCall(withID(ctx, parts[0]), in)
		return service + "UnaryCall", err
	case "metadata": // metadata COUNT
		count, _ := strconv.Atoi(argument)
		for i := 0; i < count; i++ {
			ctx = metadata.AppendToOutgoingContext(ctx, fmt.Sprintf("key-%d", i), "value")
		}
		_, err := client.EmptyCall(ctx, &pb.Empty{})
		return service + "EmptyCall", err
	case "unary": // unary VERB ARGUMENT
		_, err := client.UnaryCall(ctx, &pb.SimpleRequest{Payload: &pb.Payload{Body: []byte(argument)}})
		return service + "UnaryCall", err
	case "status": // status CODE MESSAGE
		parts := strings.SplitN(argument, " ", 2)
		code, _ := strconv.Atoi(parts[0])
		_, err := client.UnaryCall(ctx, &pb.SimpleRequest{ResponseStatus: &pb.EchoStatus{Code: int32(code), Message: parts[1]}})
		return service + "UnaryCall", err
	case "unimplemented":
		_, err := client.UnimplementedCall(ctx, &pb.Empty{})
		return service + "UnimplementedCall", err
	case "timeout": // timeout MS: the handler takes ten times as long
		ms, _ := strconv.Atoi(argument)
		short, stop := context.WithTimeout(ctx, time.Duration(ms)*time.Millisecond)
		defer stop()
		_, err := client.UnaryCall(short, &pb.SimpleRequest{Payload: &pb.Payload{Body: []byte(fmt.Sprintf("sleep %d", 10*ms))}})
		return service + "UnaryCall", err
	case "cancel": // cancel MS
		ms, _ := strconv.Atoi(argument)
		short, stop := context.WithCancel(ctx)
		time.AfterFunc(time.Duration(ms)*time.Millisecond, stop)
		_, err := client.UnaryCall(short, &pb.SimpleRequest{Payload: &pb.Payload{Body: []byte(fmt.Sprintf("sleep %d", 10*ms))}})
		return service + "UnaryCall", err
	case "expired": // over before it begins
		short, stop := context.WithTimeout(ctx, 0)
		defer stop()
		_, err := client.EmptyCall(short, &pb.Empty{})
		return service + "EmptyCall", err
	case "unresolved": // to a name of which the resolver never says anything
		short, stop := context.WithTimeout(ctx, 20*time.Millisecond)
		defer stop()
		conn := dial("never:///somewhere", grpc.WithResolvers(never{}))
		defer conn.Close()
		_, err := pb.NewTestServiceClient(conn).EmptyCall(short, &pb.Empty{})
		return service + "EmptyCall", err
	case "pause": // no call at all
		ms, _ := strconv.Atoi(argument)
		time.Sleep(time.Duration(ms) * time.Millisecond)
		return "", nil
	case "cancel-stream":
		short, stop := context.WithCancel(ctx)
		stream, err := client.FullDuplexCall(short)
		if err == nil {
			err = stream.Send(&pb.StreamingOutputCallRequest{ResponseParameters: []*pb.ResponseParameters{{Size: 1}}})
			if _, e := stream.Recv(); err == nil {
				err = e
			}
			stop()
			if err == nil {
				_, err = stream.Recv()
			}
		}
		stop()
		return service + "FullDuplexCall", err
	case "output": // output MESSAGES CODE
		return service + "StreamingOutputCall", output(ctx, client, argument)
	case "input": // input MESSAGES CODE
		return service + "StreamingInputCall", input(ctx, client, argument)
	case "duplex": // duplex MESSAGES CODE
		return service + "FullDuplexCall", duplex(ctx, client, argument)
	case "interleave": // two streams of one method at a time on one goroutine, the first ends last
		first, err := client.FullDuplexCall(ctx)
		if err == nil {
			err = duplex(ctx, client, "1 9")
			first.CloseSend()
			if _, e := first.Recv(); e != io.EOF {
				return service + "FullDuplexCall", e
			}
		}
		return service + "FullDuplexCall", err
	}
	fail(fmt.Errorf("no such call: %s", what))
	return "", nil
}

func two(text string) (first, second int) {
	parts := strings.Split(text+" 0", " ")
	first, _ = strconv.Atoi(parts[0])
	second, _ = strconv.Atoi(parts[1])
	return first, second
}

func drain(receive func() error) error {
	for {
		if err := receive(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func output(ctx context.Context, client pb.TestServiceClient, argument string) error {
	count, code := two(argument)
	in := &pb.StreamingOutputCallRequest{ResponseStatus: &pb.EchoStatus{Code: int32(code), Message: "out of " + argument}}
	for i := 0; i < count; i++ {
		in.ResponseParameters = append(in.ResponseParameters, &pb.ResponseParameters{Size: 10})
	}
	stream, err := client.StreamingOutputCall(ctx, in)
	if err != nil {
		return err
	}
	return drain(func() error { _, err := stream.Recv(); return err })
}

func input(ctx context.Context, client pb.TestServiceClient, argument string) error {
	count, code := two(argument)
	stream, err := client.StreamingInputCall(ctx)
	if err != nil {
		return err
	}
	for i := 0; i < count; i++ {
		if stream.Send(&pb.StreamingInputCallRequest{Payload: &pb.Payload{Body: make([]byte, 10)}}) != nil {
			break
		}
	}
	if code != 0 {
		stream.Send(&pb.StreamingInputCallRequest{Payload: &pb.Payload{Body: []byte(fmt.Sprintf("status %d in %s", code, argument))}})
	}
	_, err = stream.CloseAndRecv()
	return err
}

func duplex(ctx context.Context, client pb.TestServiceClient, argument string) error {
	count, code := two(argument)
	stream, err := client.FullDuplexCall(ctx)
	if err != nil {
		return err
	}
	for i := 0; i < count; i++ {
		if stream.Send(&pb.StreamingOutputCallRequest{ResponseParameters: []*pb.ResponseParameters{{Size: 10}}}) != nil {
			break
		}
		if _, err := stream.Recv(); err != nil {
			return err
		}
	}
	if code != 0 {
		stream.Send(&pb.StreamingOutputCallRequest{ResponseStatus: &pb.EchoStatus{Code: int32(code), Message: "in " + argument}})
	}
	stream.CloseSend()
	return drain(func() error { _, err := stream.Recv(); return err })
}

func calls(address string, whats []string, options ...grpc.DialOption) {
	conn := dial(address, options...)
	client := pb.NewTestServiceClient(conn)
	for _, what := range whats {
		method, err := call(client, what)
		st, _ := status.FromError(err)
		say(line{Side: "client", Method: method, Code: int(st.Code()), Message: st.Message()})
		flush()
	}
	conn.Close()
}

func main() {
	if len(os.Args) < 2 {
		fail(errors.New("serve, call or random"))
	}
	switch arguments := os.Args[2:]; os.Args[1] {
	case "serve":
		serve(arguments)
	case "call":
		calls(arguments[0], arguments[1:])
	case "wait-call": // as call, once something comes on standard input
		bufio.NewReader(os.Stdin).ReadString('\n')
		calls(arguments[0], arguments[1:])
	case "count":
		calls(arguments[0], arguments[1:], grpc.WithStatsHandler(counter{"client-messages"}))
	case "within":
		within(arguments)
	case "random":
		random(arguments)
	case "load":
		load(arguments)
	default:
		fail(fmt.Errorf("not known: %s", os.Args[1]))
	}
}
