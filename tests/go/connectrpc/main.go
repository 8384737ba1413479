// Connectrpc serves a small connect-go service, and calls it in each of its protocols.
//
//	connectrpc serve                             listens on a port of its own, HTTP/1 and HTTP/2 without TLS
//	connectrpc call ADDRESS PROTOCOL CALL...     prints a line for each call: its code as the client saw it, 0 for OK
//
// A CALL is METHOD CODE MESSAGE: what the handler shall fail with, in one of several ways; 0 for not at all.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const service = "/test.v1.PingService/"

type text = wrapperspb.StringValue

// fail is what the text of a request asks for.
func fail(words string) error {
	number, message, _ := strings.Cut(words, " ")
	code, err := strconv.Atoi(number)
	if err != nil || code == 0 {
		return nil
	}
	failure := connect.NewError(connect.Code(code), errors.New(message))
	switch message {
	case "wrapped":
		return fmt.Errorf("once more: %w", failure)
	case "plain":
		return errors.New(message)
	case "plain wrapped":
		return fmt.Errorf("once more: %w", errors.New("plain"))
	case "context":
		return context.DeadlineExceeded
	}
	return failure
}

func serve() error {
	mux := http.NewServeMux()
	mux.Handle(service+"Unary", connect.NewUnaryHandler(service+"Unary",
		func(_ context.Context, r *connect.Request[text]) (*connect.Response[text], error) {
			if err := fail(r.Msg.Value); err != nil {
				return nil, err
			}
			return connect.NewResponse(r.Msg), nil
		}, connect.WithIdempotency(connect.IdempotencyNoSideEffects)))
	mux.Handle(service+"ServerStream", connect.NewServerStreamHandler(service+"ServerStream",
		func(_ context.Context, r *connect.Request[text], s *connect.ServerStream[text]) error {
			for range 3 {
				if err := s.Send(r.Msg); err != nil {
					return err
				}
			}
			return fail(r.Msg.Value)
		}))
	mux.Handle(service+"ClientStream", connect.NewClientStreamHandler(service+"ClientStream",
		func(_ context.Context, s *connect.ClientStream[text]) (*connect.Response[text], error) {
			last := ""
			for s.Receive() {
				last = s.Msg().Value
			}
			if err := fail(last); err != nil {
				return nil, err
			}
			return connect.NewResponse(&text{Value: last}), s.Err()
		}))
	mux.Handle(service+"Bidi", connect.NewBidiStreamHandler(service+"Bidi",
		func(_ context.Context, s *connect.BidiStream[text, text]) error {
			for {
				m, err := s.Receive()
				if errors.Is(err, io.EOF) {
					return nil
				}
				if err == nil {
					err = s.Send(m)
				}
				if err == nil {
					err = fail(m.Value)
				}
				if err != nil {
					return err
				}
			}
		}))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("listening", listener.Addr())
	server := &http.Server{Handler: mux, Protocols: protocols(true)}
	return server.Serve(listener)
}

func protocols(first bool) *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(first)
	p.SetUnencryptedHTTP2(true)
	return p
}

func call(address, protocol string, calls []string) {
	options := map[string][]connect.ClientOption{
		"connect":  nil,
		"get":      {connect.WithHTTPGet(), connect.WithIdempotency(connect.IdempotencyNoSideEffects)},
		"json":     {connect.WithProtoJSON()},
		"grpc":     {connect.WithGRPC()},
		"grpc_web": {connect.WithGRPCWeb()},
	}[protocol]
	// HTTP/2 only: connect-go's streams in both directions need it
	web := &http.Client{Transport: &http.Transport{Protocols: protocols(false)}}
	if protocol == "connect" {
		web = http.DefaultClient
	}
	for _, words := range calls {
		method, rest, _ := strings.Cut(words, " ")
		name := service + method
		if method == "Bidi" {
			web = &http.Client{Transport: &http.Transport{Protocols: protocols(false)}}
		}
		client := connect.NewClient[text, text](web, "http://"+address+name, options...)
		err := one(client, method, &text{Value: rest})
		code := connect.Code(0)
		if err != nil {
			code = connect.CodeOf(err)
		}
		fmt.Println(int(code))
	}
}

func one(client *connect.Client[text, text], method string, m *text) error {
	ctx := context.Background()
	switch method {
	case "Unary":
		_, err := client.CallUnary(ctx, connect.NewRequest(m))
		return err
	case "ServerStream":
		s, err := client.CallServerStream(ctx, connect.NewRequest(m))
		if err != nil {
			return err
		}
		for s.Receive() {
		}
		return s.Err()
	case "ClientStream":
		s := client.CallClientStream(ctx)
		for range 3 {
			_ = s.Send(m)
		}
		_, err := s.CloseAndReceive()
		return err
	}
	s := client.CallBidiStream(ctx)
	_ = s.Send(m)
	_ = s.CloseRequest()
	for {
		if _, err := s.Receive(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func main() {
	if os.Args[1] == "call" {
		call(os.Args[2], os.Args[3], os.Args[4:])
		return
	}
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
