// A server whose every request goes through HTTP/2 without TLS (x/net), a router, and an RPC to itself.
package main

import (
	"fmt"
	"log"
	"net"
	"net/http"

	"github.com/gorilla/mux"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/h2c"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
)

func listen() net.Listener {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	return listener
}

func main() {
	rpcs := listen()
	server := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	go func() { log.Fatal(server.Serve(rpcs)) }()
	conn, err := grpc.NewClient(rpcs.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	client := grpc_health_v1.NewHealthClient(conn)

	router := mux.NewRouter()
	router.HandleFunc("/check/{service}", func(w http.ResponseWriter, r *http.Request) {
		// an unknown service is an error with a message
		_, err := client.Check(r.Context(), &grpc_health_v1.HealthCheckRequest{Service: mux.Vars(r)["service"]})
		fmt.Fprint(w, err)
	})
	router.HandleFunc("/over/{service}", func(w http.ResponseWriter, r *http.Request) {
		url := "http://" + r.Context().Value(http.LocalAddrContextKey).(net.Addr).String() + "/check/" + mux.Vars(r)["service"]
		request, err := http.NewRequestWithContext(r.Context(), "GET", url, nil)
		if err != nil {
			log.Fatal(err)
		}
		plain := &http2.Transport{AllowHTTP: true, DialTLSContext: dial}
		response, err := plain.RoundTrip(request)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Fprint(w, response.Status)
		response.Body.Close()
	})
	pages := listen()
	fmt.Println("listening", pages.Addr())
	log.Fatal(http.Serve(pages, h2c.NewHandler(router, &http2.Server{})))
}
