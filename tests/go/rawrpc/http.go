//go:build withhttp
// +build withhttp

package main

import (
	"log"
	"net"
	"net/http"
)

// An HTTP server in the same program: that sockets are read and written says nothing then.
func init() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go func() { log.Fatal(http.Serve(listener, nil)) }()
}
