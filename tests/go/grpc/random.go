package main

import (
	"bufio"
	"context"
	"fmt"
	"math/rand"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	pb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
)

// random serves and calls itself: every call has an id, and both sides say what they know of it.
func random(arguments []string) {
	count, _ := strconv.Atoi(arguments[0])
	concurrency, _ := strconv.Atoi(arguments[1])
	seed, _ := strconv.ParseInt(arguments[2], 10, 64)

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fail(err)
	}
	fmt.Printf("listening %s\n", listener.Addr())
	bufio.NewReader(os.Stdin).ReadString('\n')
	s := &service{}
	server := grpc.NewServer(grpc.UnaryInterceptor(logUnary), grpc.StreamInterceptor(logStream))
	pb.RegisterTestServiceServer(server, s)
	go server.Serve(listener)
	var clients []pb.TestServiceClient
	for i := 0; i < 4; i++ {
		clients = append(clients, pb.NewTestServiceClient(dial(listener.Addr().String())))
	}
	s.inner = func() pb.TestServiceClient { return clients[0] }

	var next int64
	var group sync.WaitGroup
	for worker := 0; worker < concurrency; worker++ {
		group.Add(1)
		go func(worker int) {
			defer group.Done()
			dice := rand.New(rand.NewSource(seed + int64(worker)))
			for {
				n := atomic.AddInt64(&next, 1)
				if n > int64(count) {
					return
				}
				one(dice, clients[dice.Intn(len(clients))], n)
			}
		}(worker)
	}
	group.Wait()
	time.Sleep(300 * time.Millisecond) // handlers whose callers did not wait
	server.GracefulStop()
	flush()
	fmt.Fprintln(os.Stderr, "done")
	bufio.NewReader(os.Stdin).ReadString('\n')
}

func one(dice *rand.Rand, client pb.TestServiceClient, n int64) {
	id, nested := fmt.Sprintf("%032x", n), fmt.Sprintf("%032x", n+1<<32)
	ctx, cancel := context.WithTimeout(withID(context.Background(), id), 20*time.Second)
	defer cancel()
	code := 0
	if dice.Intn(3) == 0 {
		code = 1 + dice.Intn(16)
	}
	method, inside := "", ""
	var err error
	switch dice.Intn(8) {
	case 0:
		method = "EmptyCall"
		_, err = client.EmptyCall(ctx, &pb.Empty{})
	case 1, 2:
		method = "UnaryCall"
		_, err = client.UnaryCall(ctx, &pb.SimpleRequest{
			Payload:        &pb.Payload{Body: append([]byte("x "), make([]byte, dice.Intn(20000))...)},
			ResponseSize:   int32(dice.Intn(20000)),
			ResponseStatus: &pb.EchoStatus{Code: int32(code), Message: fmt.Sprintf("message %d", n)},
		})
	case 3:
		method, inside = "UnaryCall", nested
		_, err = client.UnaryCall(ctx, &pb.SimpleRequest{Payload: &pb.Payload{Body: []byte("nested " + nested)}})
	case 4:
		method = "StreamingOutputCall"
		err = output(ctx, client, fmt.Sprintf("%d %d", dice.Intn(20), code))
	case 5:
		method = "StreamingInputCall"
		err = input(ctx, client, fmt.Sprintf("%d %d", dice.Intn(20), code))
	case 6:
		method = "FullDuplexCall"
		err = duplex(ctx, client, fmt.Sprintf("%d %d", dice.Intn(20), code))
	case 7: // given up by its caller, one way or the other
		method = "UnaryCall"
		short, stop := context.WithCancel(ctx)
		after := time.Duration(dice.Intn(3000)) * time.Microsecond
		if dice.Intn(2) == 0 {
			time.AfterFunc(after, stop)
		} else {
			short, stop = context.WithTimeout(ctx, after)
		}
		_, err = client.UnaryCall(short, &pb.SimpleRequest{Payload: &pb.Payload{Body: []byte("sleep 5")}})
		stop()
	}
	st, _ := status.FromError(err)
	say(line{
		Side: "client", Method: "/grpc.testing.TestService/" + method, Code: int(st.Code()), Message: st.Message(),
		ID: id, Inside: inside,
	})
}

// load makes unary calls over CONNECTIONS connections for SECONDS, once something comes on standard input, and prints
// how many there were.
//
//	rpcs load ADDRESS SECONDS CONCURRENCY CONNECTIONS
func load(arguments []string) {
	seconds, _ := strconv.ParseFloat(arguments[1], 64)
	concurrency, _ := strconv.Atoi(arguments[2])
	connections, _ := strconv.Atoi(arguments[3])
	bufio.NewReader(os.Stdin).ReadString('\n')
	var clients []pb.TestServiceClient
	for i := 0; i < connections; i++ {
		clients = append(clients, pb.NewTestServiceClient(dial(arguments[0])))
		if _, err := clients[i].EmptyCall(context.Background(), &pb.Empty{}); err != nil {
			fail(err)
		}
	}
	var total int64
	var group sync.WaitGroup
	began := time.Now()
	end := began.Add(time.Duration(seconds * float64(time.Second)))
	for worker := 0; worker < concurrency; worker++ {
		group.Add(1)
		go func(client pb.TestServiceClient) {
			defer group.Done()
			for time.Now().Before(end) {
				if _, err := client.EmptyCall(context.Background(), &pb.Empty{}); err != nil {
					fail(err)
				}
				atomic.AddInt64(&total, 1)
			}
		}(clients[worker%connections])
	}
	group.Wait()
	fmt.Printf("%d calls in %.3f s\n", total, time.Since(began).Seconds())
}
