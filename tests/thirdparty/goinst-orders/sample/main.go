// Command shop is an HTTP server: GET /order?item=I&user=U places an order and answers with its number.
package main

import (
	"fmt"
	"net"
	"net/http"
	"sync/atomic"

	"example.com/shop/orders"
)

var last int64

func order(w http.ResponseWriter, r *http.Request) {
	o := &orders.Order{ID: int(atomic.AddInt64(&last, 1)), Item: r.FormValue("item")}
	if name := r.FormValue("user"); name != "" {
		o.By = &orders.User{Name: name}
	}
	if err := o.Place(); err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	fmt.Fprint(w, o.ID)
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	http.HandleFunc("/order", order)
	fmt.Println("listening", listener.Addr())
	panic(http.Serve(listener, nil))
}
