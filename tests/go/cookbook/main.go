// Command app does a little of everything ten times a second: the program of the recipes in docs/TRACE.md.
package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

type User struct{ Name string }

type Order struct {
	ID   int
	User *User
	Tags map[string]string
}

var errSoldOut = errors.New("sold out")

//go:noinline
func (o *Order) Place(item string) error {
	if o.ID%2 == 0 {
		time.Sleep(6 * time.Millisecond)
		return fmt.Errorf("order %d: %w", o.ID, errSoldOut)
	}
	return nil
}

//go:noinline
func total(prices []int) int {
	sum := 0
	for _, price := range prices {
		sum += price
		note(sum)
	}
	return sum
}

//go:noinline
func note(int) {}

//go:noinline
func newCounter(step int) func() int {
	count := 0
	return func() int {
		count += step
		return count
	}
}

func ping(w http.ResponseWriter, req *http.Request) {
	fmt.Fprintln(w, "pong", req.Method, len(req.URL.Path))
}

func get(url string) {
	response, err := http.Get(url)
	if err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, response.Body)
	response.Body.Close()
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	http.HandleFunc("/ping", ping)
	http.HandleFunc("/pay", ping)
	go func() { panic(http.Serve(listener, nil)) }()
	sql.Register("none", nothing{})
	db, _ := sql.Open("none", "")
	counter := newCounter(5)
	fmt.Println("listening", listener.Addr())
	for n := 1; ; n++ {
		get("http://" + listener.Addr().String() + "/ping?n=1")
		get("http://" + listener.Addr().String() + "/pay")
		order := &Order{n, &User{"ann"}, map[string]string{"color": "red"}}
		_ = order.Place("tea")
		total([]int{10, 20, 30})
		counter()
		_, _ = db.QueryContext(context.Background(), "SELECT name FROM users WHERE id = ?", n)
		_, _ = os.Open("/etc/app.conf")
		_, _ = net.DefaultResolver.LookupHost(context.Background(), "localhost")
		var value map[string]interface{}
		_ = json.Unmarshal([]byte(`{"name": "app", "n": [1, 2, 3]}`), &value)
		time.Sleep(100 * time.Millisecond)
	}
}

// nothing is a database driver that refuses everything.
type nothing struct{}

var errNothing = errors.New("no database")

func (nothing) Open(string) (driver.Conn, error)    { return nothing{}, nil }
func (nothing) Prepare(string) (driver.Stmt, error) { return nil, errNothing }
func (nothing) Close() error                        { return nil }
func (nothing) Begin() (driver.Tx, error)           { return nil, errNothing }
