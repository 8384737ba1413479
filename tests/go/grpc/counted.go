package main

import (
	"context"
	"net"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	pb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/test/bufconn"
)

// counter is a stats.Handler: what grpc itself says of the messages of each call.
type counter struct{ side string }

type counts struct {
	method                                   string
	sent, received, sentBytes, receivedBytes int64
}

type countsKey struct{}

const header = 5 // of a message: compressed or not, and its length

func (c counter) TagRPC(ctx context.Context, info *stats.RPCTagInfo) context.Context {
	return context.WithValue(ctx, countsKey{}, &counts{method: info.FullMethodName})
}

func (c counter) HandleRPC(ctx context.Context, event stats.RPCStats) {
	n := ctx.Value(countsKey{}).(*counts)
	switch e := event.(type) {
	case *stats.OutPayload:
		atomic.AddInt64(&n.sent, 1)
		atomic.AddInt64(&n.sentBytes, int64(e.WireLength-header))
	case *stats.InPayload:
		atomic.AddInt64(&n.received, 1)
		atomic.AddInt64(&n.receivedBytes, int64(e.WireLength-header))
	case *stats.End:
		say(line{
			Side: c.side, Method: n.method, Sent: atomic.LoadInt64(&n.sent), Received: atomic.LoadInt64(&n.received),
			SentBytes: atomic.LoadInt64(&n.sentBytes), ReceivedBytes: atomic.LoadInt64(&n.receivedBytes),
		})
		flush()
	}
}

func (c counter) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (c counter) HandleConn(context.Context, stats.ConnStats)                       {}

// within serves and calls in one process, without a network.
func within(whats []string) {
	listener := bufconn.Listen(1 << 16)
	server := grpc.NewServer()
	pb.RegisterTestServiceServer(server, &service{})
	healthpb.RegisterHealthServer(server, health.NewServer())
	go server.Serve(listener)
	conn := dial("passthrough:///inside", grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
		return listener.Dial()
	}))
	for _, what := range whats {
		if what == "health" {
			if _, err := healthpb.NewHealthClient(conn).Check(context.Background(), &healthpb.HealthCheckRequest{}); err != nil {
				fail(err)
			}
			continue
		}
		call(pb.NewTestServiceClient(conn), what)
	}
	server.GracefulStop()
}
