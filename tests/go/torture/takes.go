package main

import "time"

type point struct{ X, Y int }

type small struct {
	A int8
	B uint16
	C bool
}

type inner struct {
	Name  string
	Score float64
	Code  *int
}

type middle struct {
	Inner   inner
	Pointer *inner
	Tags    []string
}

type outer struct {
	Middle  middle
	Pointer *middle
	Count   int
}

type base struct {
	ID    int
	Label string
}

type Named struct{ Title string }

type embedded struct {
	base
	*Named
	Own int
}

type node struct {
	Name string
	Next *node
}

type large struct {
	Head string
	Pad  [160]byte
	Tail int
}

type everything struct {
	Bool  bool
	I8    int8
	U16   uint16
	F32   float32
	F64   float64
	C64   complex64
	C128  complex128
	Text  string
	Bytes []byte
	Array [3]int
	Raw   [4]byte
	Any   interface{}
	Err   error
	Map   map[string]int
	Chan  chan int
	When  time.Time
	For   time.Duration
	Point point
	Empty struct{}
}

type state int

type number float64

//go:noinline
func (p point) Sum(k int) int { return keep(p.X + p.Y + k) }

//go:noinline
func (n *node) Rename(name string) string { return name + n.Name }

//go:noinline
func keep(n int) int { return n + int(sink&1) }

//go:noinline
func takeBools(a bool, b bool) { keep(1) }

//go:noinline
func takeInts(a int8, b int16, c int32, d int64, e int) { keep(1) }

//go:noinline
func takeUints(a uint8, b uint16, c uint32, d uint64, e uint, f uintptr) { keep(1) }

//go:noinline
func takeMixed(a bool, b int8, c string, d uint16, e point, f small) { keep(1) }

//go:noinline
func takeFloats(p *[2]float64, f *float32) { keep(1) }

//go:noinline
func takeRegisters(before int, f float64, after string) { keep(1) }

//go:noinline
func takeEverything(e *everything) { keep(1) }

//go:noinline
func takeString(s string) { keep(1) }

//go:noinline
func takeBytes(b []byte) { keep(1) }

//go:noinline
func takeSlices(points []point, pointers []*point, names []string, texts *[]string) { keep(1) }

//go:noinline
func takeArrays(a [1]int, b *[4]string, c *[20]int, d [1]string) { keep(1) }

//go:noinline
func takeNames(m map[string]int) { keep(1) }

//go:noinline
func takeGrown(m map[string]int) { keep(1) }

//go:noinline
func takeNumbers(m map[int]string) { keep(1) }

//go:noinline
func takePoints(m map[point]*point) { keep(1) }

//go:noinline
func takeLarge(m map[string]large) { keep(1) }

//go:noinline
func takeSmall(m map[uint8]struct{}) { keep(1) }

//go:noinline
func takeSlicesIn(m map[string][]string) { keep(1) }

//go:noinline
func takeOuter(o outer) { keep(1) }

//go:noinline
func takeOuterPointer(o *outer) { keep(1) }

//go:noinline
func takeEmbedded(e embedded) { keep(1) }

//go:noinline
func takeNode(n *node) { keep(1) }

//go:noinline
func takeAny(v interface{}) { keep(1) }

//go:noinline
func takeError(err error) { keep(1) }

//go:noinline
func takeTime(t time.Time, d time.Duration, p *time.Time) { keep(1) }

//go:noinline
func takeChan(c chan int, only <-chan string) { keep(1) }

//go:noinline
func takeFunc(f func(int) int) { keep(f(1)) }

//go:noinline
func takeVariadic(format string, a ...interface{}) { keep(1) }

//go:noinline
func takeMany(a, b, c, d, e, f, g, h, i, j, k int, s string, p *point) { keep(1) }

//go:noinline
func returnNamed(n int, fail error) (double int, err error) { return 2 * n, fail }

//go:noinline
func returnUnnamed(n int) (int, string, *point) { return n + 1, "text", &point{n, n} }

//go:noinline
func returnOne(s string) error {
	if s == "" {
		return errEmpty
	}
	return nil
}

//go:noinline
func returnFew(n int) error {
	if n == 3 {
		return errEmpty
	}
	return nil
}
