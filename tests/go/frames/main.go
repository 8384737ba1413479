// Program frames prints the frames of its own stack, some of them inlined: address, function, file, line.
package main

import (
	"fmt"
	"os"
	"runtime"
	"sort"

	"example.com/frames/other"
)

//go:noinline
func show() {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs)])
	for {
		frame, more := frames.Next()
		fmt.Printf("%#x\t%s\t%s\t%d\n", frame.PC, frame.Function, frame.File, frame.Line)
		if !more {
			break
		}
	}
	fmt.Println()
}

func innermost() { show() }

func inner() { innermost() }

type thing struct{ name string }

//go:noinline
func (t *thing) method() {
	inner()
	func() {
		defer show()
		inner()
	}()
}

func main() {
	(&thing{"x"}).method()
	other.Call(inner)
	sort.Slice(os.Args, func(i, j int) bool { return false })
	values := []int{2, 1}
	sort.Slice(values, func(i, j int) bool {
		show()
		return values[i] < values[j]
	})
}
