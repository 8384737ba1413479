// Program torture calls functions with values of every kind and says what they are, for tests of captures.
//
//	torture once                     prints the functions, a line of JSON each, with SPECs for it and the values to come,
//	                                 and "listening :0"; waits for a line on standard input, and calls each
//	torture hot GOROUTINES SECONDS   prints "listening :0", waits for a line, calls hot, and prints how often
//
// What is wanted is made by want, from the values themselves, as JSON.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// A call of a function: what a capture must see, what of it is cut, and how it is done.
type call struct {
	Want map[string]interface{} `json:"want"`
	Cut  []string               `json:"cut"`
	run  func()
}

// A function: a SPEC, the same with types for binaries without DWARF ("" when that cannot be had), and its calls.
type function struct {
	Spec     string `json:"spec"`
	Declared string `json:"declared"`
	Calls    []call `json:"calls"`
}

type values map[string]interface{}

func main() {
	if len(os.Args) < 2 {
		os.Exit(2)
	}
	switch os.Args[1] {
	case "once":
		all := functions()
		encoder := json.NewEncoder(os.Stdout)
		encoder.SetEscapeHTML(false)
		for _, each := range all {
			if err := encoder.Encode(each); err != nil {
				panic(err)
			}
		}
		fmt.Println("listening :0")
		bufio.NewReader(os.Stdin).ReadString('\n')
		for _, each := range all {
			for _, one := range each.Calls {
				one.run()
			}
		}
		fmt.Println("done")
		bufio.NewReader(os.Stdin).ReadString('\n')
	case "hot":
		heat()
	}
}

type order struct {
	ID    int
	Name  string
	Price float64
	Tags  []string
	Owner *owner
}

type owner struct{ Name string }

var sink int64

//go:noinline
func hot(o *order, n int) int {
	return n + o.ID
}

// heat calls hot from several goroutines, and prints once a second, and in the end, how often.
func heat() {
	workers, _ := strconv.Atoi(os.Args[2])
	seconds, _ := strconv.ParseFloat(os.Args[3], 64)
	fmt.Println("listening :0")
	input := bufio.NewReader(os.Stdin)
	for {
		if _, err := input.ReadString('\n'); err != nil {
			return
		}
		var total int64
		var group sync.WaitGroup
		began := time.Now()
		end := began.Add(time.Duration(seconds * float64(time.Second)))
		for worker := 0; worker < workers; worker++ {
			group.Add(1)
			go func(worker int) {
				defer group.Done()
				o := &order{ID: worker, Name: "hot", Tags: []string{"a", "b"}, Owner: &owner{"me"}}
				n, sum := 0, 0
				for n&1023 != 0 || time.Now().Before(end) {
					sum += hot(o, n)
					n++
				}
				atomic.AddInt64(&total, int64(n))
				atomic.AddInt64(&sink, int64(sum))
			}(worker)
		}
		group.Wait()
		fmt.Printf("calls %d in %d ns\n", total, time.Since(began).Nanoseconds())
	}
}
