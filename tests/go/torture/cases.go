package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

var errEmpty = errors.New("empty")

type textError string

func (t textError) Error() string { return "text error: " + string(t) }

type codeError struct {
	Code int
	Text string
}

func (c codeError) Error() string { return c.Text }

type pointerError struct{ Text string }

func (p *pointerError) Error() string { return p.Text }

// errorWant is what is known of an error without calling its Error method.
func errorWant(err error) interface{} {
	var network *net.OpError
	if errors.As(err, &network) {
		return strings.Replace(err.Error(), " "+network.Addr.String(), "", 1) // an address is an interface's own
	}
	switch custom := err.(type) {
	case textError:
		return string(custom)
	case codeError:
		return "<main.codeError>"
	case *pointerError:
		return fmt.Sprintf("<*main.pointerError %p>", custom)
	case nil:
		return nil
	}
	return err.Error()
}

func functions() []function {
	one, code := 1, 7
	p, q := &point{3, -4}, &point{}
	list := []function{scalars(), mixed()}
	list = append(list, texts()...)
	list = append(list, collections(p, q)...)
	list = append(list, maps(p)...)
	list = append(list, nested(&code)...)
	list = append(list, dynamics(p, &one)...)
	list = append(list, clocks()...)
	return append(list, calls(p)...)
}

func of(spec, declared string, calls ...call) function { return function{spec, declared, calls} }

func scalars() function {
	one := func(a int8, b int16, c int32, d int64, e int) call {
		return call{values{"a": a, "b": b, "c": c, "d": d, "e": e}, nil, func() { takeInts(a, b, c, d, e) }}
	}
	return of("main.takeInts", "main.takeInts(a int8, b int16, c int32, d int64, e int)",
		one(1, 2, 3, 4, 5), one(-1, -2, -3, -4, -5), one(-128, -32768, -1<<31, -1<<63, 0), one(127, 32767, 1<<31-1, 1<<63-1, -1))
}

func mixed() function {
	one := func(a bool, b int8, c string, d uint16, e point, f small) call {
		return call{
			values{"a": a, "b": b, "c": c, "d": d, "e": want(e, 1), "f": want(f, 1)}, nil,
			func() { takeMixed(a, b, c, d, e, f) },
		}
	}
	return of("main.takeMixed", "main.takeMixed(a bool, b int8, c string, d uint16, e main.point, f main.small)",
		one(true, -7, "seven", 65535, point{1, -1}, small{-3, 300, true}), one(false, 0, "", 0, point{}, small{}))
}

func texts() []function {
	var strs, bytes []call
	long := strings.Repeat("0123456789", 13)
	for _, s := range []string{
		"", "plain", "two words", "quo\"te\\", "tab\tnew\nline", "zero\x00byte", "Grüße, 世界 🌍", "bad \xff\xfe bytes", "\xe4\xb8",
		long[:127], long[:128], long[:126] + "世界", strings.Repeat("x", 1<<20),
	} {
		s := s
		var cut []string
		if len(s) > longText {
			cut = []string{"s"}
		}
		strs = append(strs, call{values{"s": want(s, 1)}, cut, func() { takeString(s) }})
	}
	for _, b := range [][]byte{nil, {}, []byte("plain text"), {0, 1, 254, 255}, []byte(long), []byte("Grüße")} {
		b := b
		var cut []string
		if len(b) > longText {
			cut = []string{"b"}
		}
		bytes = append(bytes, call{values{"b": want(b, 1)}, cut, func() { takeBytes(b) }})
	}
	bools := of("main.takeBools", "main.takeBools(a bool, b bool)",
		call{values{"a": true, "b": false}, nil, func() { takeBools(true, false) }},
		call{values{"a": false, "b": true}, nil, func() { takeBools(false, true) }})
	uints := of("main.takeUints", "main.takeUints(a uint8, b uint16, c uint32, d uint64, e uint, f uintptr)",
		call{values{"a": 255, "b": 65535, "c": uint32(1<<32 - 1), "d": uint64(1<<64 - 1), "e": 1, "f": 2}, nil,
			func() { takeUints(255, 65535, 1<<32-1, 1<<64-1, 1, 2) }})
	return []function{bools, uints, of("main.takeString", "main.takeString(s string)", strs...),
		of("main.takeBytes", "main.takeBytes(b []byte)", bytes...)}
}

func collections(p, q *point) []function {
	slices := func(points []point, pointers []*point, names []string, cut ...string) call {
		return call{
			values{
				"points": want(points, 1), "pointers": want(pointers, 1), "names": want(names, 1), "texts": want(&names, 1),
				"len(points)": len(points), "cap(names)": cap(names),
			}, cut, func() { takeSlices(points, pointers, names, &names) },
		}
	}
	huge := make([]point, 1000000)
	huge[7] = point{7, 7}
	spec := "main.takeSlices(%spoints, pointers, names, texts, len(points), cap(names))"
	arrays := [4]string{"a", "", "ccc", "d"}
	numbers := [20]int{1, 2, 3, 19: 20}
	floats, f := [2]float64{3.5, -1e300}, float32(0.1)
	before := &everything{}
	argument := interface{}("<in a floating-point register>")
	if strings.HasPrefix(runtime.Version(), "go1.16") {
		argument = 2.5
	}
	return []function{
		of(fmt.Sprintf(spec, ""), fmt.Sprintf(spec, "points []main.point, pointers []*main.point, names []string, texts *[]string, "),
			slices(nil, nil, nil), slices([]point{}, []*point{}, []string{}),
			slices([]point{{1, 2}, {3, 4}}, []*point{p, nil, q}, []string{"a", "", "Ω"}),
			slices(huge, make([]*point, 9), strings.Fields("1 2 3 4 5 6 7 8 9"), "points", "pointers", "names", "texts")),
		of("main.takeSlices(points[1].Y, pointers[0].X, names[-1], names[:2])", "",
			call{values{"points[1].Y": nil, "pointers[0].X": nil, "names[-1]": nil, "names[:2]": nil}, nil, nothing},
			call{values{"points[1].Y": "<no such element>", "pointers[0].X": "<no such element>", "names[-1]": "<no such element>", "names[:2]": []string{}}, nil, nothing},
			call{values{"points[1].Y": 4, "pointers[0].X": 3, "names[-1]": "Ω", "names[:2]": []string{"a", ""}}, []string{"names[:2]"}, nothing},
			call{values{"points[1].Y": 0, "pointers[0].X": nil, "names[-1]": "9", "names[:2]": []string{"1", "2"}}, []string{"names[:2]"}, nothing}),
		of("main.takeArrays", "main.takeArrays(a [1]int, b *[4]string, c *[20]int, d [1]string)", call{
			values{"a": []int{5}, "b": want(&arrays, 1), "c": want(&numbers, 1), "d": []string{"one"}}, []string{"c"},
			func() { takeArrays([1]int{5}, &arrays, &numbers, [1]string{"one"}) },
		}, call{values{"a": []int{5}, "b": nil, "c": nil, "d": []string{""}}, nil, func() { takeArrays([1]int{5}, nil, nil, [1]string{}) }}),
		of("main.takeArrays(b[2], c[19], c[-18])", "", call{values{"b[2]": "ccc", "c[19]": 20, "c[-18]": 3}, nil, nothing},
			call{values{"b[2]": nil, "c[19]": nil, "c[-18]": nil}, nil, nothing}),
		of("main.takeFloats", "main.takeFloats(p *[2]float64, f *float32)",
			call{values{"p": want(&floats, 1), "f": want(&f, 1)}, nil, func() { takeFloats(&floats, &f) }}),
		of("main.takeRegisters", "main.takeRegisters(before int, f float64, after string)",
			call{values{"before": 1, "f": argument, "after": "text"}, nil, func() { takeRegisters(1, 2.5, "text") }}),
		of("main.takeEverything", "main.takeEverything(e *main.everything)", anything(before), anything(full(p)), anything(nil)),
	}
}

func nothing() {}

func anything(e *everything) call {
	return call{values{"e": want(e, 1)}, nil, func() { takeEverything(e) }}
}

func full(p *point) *everything {
	return &everything{
		true, -8, 16, 0.25, 1e-9, complex(1, -2), complex(0, 2.5), "text", []byte("bytes"), [3]int{1, 2, 3}, [4]byte{1, 2, 3, 4},
		7, errEmpty, map[string]int{"one": 1}, make(chan int, 3), time.Unix(1700000000, 5), 1500 * time.Millisecond, *p, struct{}{},
	}
}

func maps(p *point) []function {
	huge := map[int]string{}
	for i := 0; i < 1000000; i++ {
		huge[i] = ""
	}
	grown := map[string]int{} // and shrunk again: its entries lie anywhere
	for i := 0; i < 50; i++ {
		grown["k"+strconv.Itoa(i)] = i
	}
	for i := 3; i < 50; i++ {
		delete(grown, "k"+strconv.Itoa(i))
	}
	names := func(m map[string]int) call {
		two := interface{}("<no such element>")
		if value, ok := m["two"]; ok {
			two = value
		} else if m == nil {
			two = nil
		}
		return call{values{"m": want(m, 1), `m["two"]`: two, "len(m)": len(m)}, nil, func() { takeNames(m) }}
	}
	numbers := func(m map[int]string) call {
		value := interface{}("<no such element>")
		if text, ok := m[-7]; ok {
			value = text
		} else if m == nil {
			value = nil
		} else if len(m) > 128 {
			value = "<not in the part of the map that was searched>"
		}
		return call{values{"m[-7]": value, "len(m)": len(m)}, nil, func() { takeNumbers(m) }}
	}
	many := map[string]large{"x": {Head: "head", Tail: 9}}
	return []function{
		of(`main.takeNames(m, m["two"], len(m))`, `main.takeNames(m map[string]int, m, m["two"], len(m))`,
			names(nil), names(map[string]int{}), names(map[string]int{"one": 1, "two": 2, "": -1}),
			names(map[string]int{"1": 1, "2": 2, "3": 3, "4": 4, "5": 5, "6": 6, "7": 7, "8": 8})),
		of(`main.takeGrown(m["k2"], m["k49"], len(m))`, `main.takeGrown(m map[string]int, m["k2"], m["k49"], len(m))`,
			call{values{`m["k2"]`: 2, `m["k49"]`: "<no such element>", "len(m)": 3}, nil, func() { takeGrown(grown) }}),
		of("main.takeNumbers(m[-7], len(m))", "main.takeNumbers(m map[int]string, m[-7], len(m))",
			numbers(nil), numbers(map[int]string{-7: "minus seven", 7: "seven"}), numbers(huge)),
		of("main.takePoints(m)", "main.takePoints(m map[main.point]*main.point)",
			call{values{"m": want(map[point]*point{{1, 2}: p, {3, 4}: nil}, 1)}, nil,
				func() { takePoints(map[point]*point{{1, 2}: p, {3, 4}: nil}) }}),
		of(`main.takeLarge(m["x"].Tail, m["x"].Head, m["y"].Tail)`, `main.takeLarge(m map[string]main.large, m["x"].Tail, m["x"].Head, m["y"].Tail)`,
			call{values{`m["x"].Tail`: 9, `m["x"].Head`: "head", `m["y"].Tail`: "<no such element>"}, nil, func() { takeLarge(many) }}),
		of("main.takeSmall(len(m), m)", "main.takeSmall(m map[uint8]struct {}, len(m), m)",
			call{values{"len(m)": 2, "m": values{"1": values{}, "255": values{}}}, nil, func() { takeSmall(map[uint8]struct{}{1: {}, 255: {}}) }}),
		of(`main.takeSlicesIn(m["a"][1], m)`, `main.takeSlicesIn(m map[string][]string, m["a"][1], m)`,
			call{values{`m["a"][1]`: "y", "m": values{"a": []string{"x", "y"}, "b": nil}}, nil,
				func() { takeSlicesIn(map[string][]string{"a": {"x", "y"}, "b": nil}) }}),
	}
}

func nested(code *int) []function {
	in := inner{"in", 0.5, code}
	mid := middle{in, &inner{"pointer", -1, nil}, []string{"t1", "t2"}}
	paths := []string{
		"o.Count", "o.Middle.Inner.Name", "o.Middle.Pointer.Name", "o.Pointer.Inner.Name", "o.Pointer.Pointer.Name",
		"o.Pointer.Pointer.Code", "*o.Middle.Inner.Code", "o.Pointer.Tags[1]", "o.Pointer.Inner.Score",
	}
	spec := "(%s" + strings.Join(paths, ", ") + ")"
	one := func(o *outer, run func(), results ...interface{}) call {
		asked := values{}
		for i, path := range paths {
			asked[path] = results[i]
		}
		return call{asked, nil, run}
	}
	whole := &outer{mid, &mid, 3}
	bare := &outer{Count: 4}
	half := &outer{Middle: middle{Pointer: &inner{Name: "half"}}, Pointer: &middle{}, Count: 5}
	wholeWant := []interface{}{3, "in", "pointer", "in", "pointer", nil, 7, "t2", 0.5}
	bareWant := []interface{}{4, "", nil, nil, nil, nil, nil, nil, nil}
	halfWant := []interface{}{5, "", "half", "", nil, nil, nil, nil, 0}
	nils := []interface{}{nil, nil, nil, nil, nil, nil, nil, nil, nil}
	cycle := &node{"a", &node{"b", &node{"c", nil}}}
	cycle.Next.Next.Next = cycle
	self := &node{Name: "self"}
	self.Next = self
	named := &Named{"title"}
	return []function{
		of("main.takeOuter"+fmt.Sprintf(spec, ""), "main.takeOuter"+fmt.Sprintf(spec, "o main.outer, "),
			one(whole, func() { takeOuter(*whole) }, wholeWant...), one(bare, func() { takeOuter(*bare) }, bareWant...),
			one(half, func() { takeOuter(*half) }, halfWant...)),
		of("main.takeOuterPointer"+fmt.Sprintf(spec, ""), "main.takeOuterPointer"+fmt.Sprintf(spec, "o *main.outer, "),
			one(whole, func() { takeOuterPointer(whole) }, wholeWant...), one(bare, func() { takeOuterPointer(bare) }, bareWant...),
			one(half, func() { takeOuterPointer(half) }, halfWant...), one(nil, func() { takeOuterPointer(nil) }, nils...)),
		of("main.takeOuterPointer(o)", "", call{values{"o": want(whole, 1)}, nil, nothing}, call{values{"o": want(bare, 1)}, nil, nothing},
			call{values{"o": want(half, 1)}, nil, nothing}, call{values{"o": nil}, nil, nothing}),
		of("main.takeEmbedded(e.ID, e.Label, e.base.ID, e.Title, e.Own)", "main.takeEmbedded(e main.embedded, e.ID, e.Label, e.base.ID, e.Title, e.Own)",
			call{values{"e.ID": 1, "e.Label": "l", "e.base.ID": 1, "e.Title": "title", "e.Own": want(embedded{Own: 2}, 0).(values)["Own"]}, nil, func() { takeEmbedded(embedded{base{1, "l"}, named, 2}) }},
			call{values{"e.ID": 1, "e.Label": "", "e.base.ID": 1, "e.Title": nil, "e.Own": 2}, nil, func() { takeEmbedded(embedded{base{1, ""}, nil, 2}) }}),
		of("main.takeNode(n, n.Next.Next.Next.Name, self=n.Next.Next.Next.Next.Next)", "main.takeNode(n *main.node, n, n.Next.Next.Next.Name, self=n.Next.Next.Next.Next.Next)",
			call{values{"n": want(cycle, 1), "n.Next.Next.Next.Name": "a", "self": want(cycle.Next.Next, 1)}, nil, func() { takeNode(cycle) }},
			call{values{"n": want(self, 1), "n.Next.Next.Next.Name": "self", "self": want(self, 1)}, nil, func() { takeNode(self) }},
			call{values{"n": nil, "n.Next.Next.Next.Name": nil, "self": nil}, nil, func() { takeNode(nil) }}),
	}
}

func dynamics(p *point, one *int) []function {
	var anys, errs, variadic []call
	table := map[string]int{"a": 1}
	channel := make(chan int)
	for _, v := range []interface{}{
		nil, true, false, int8(-8), int16(-16), int32(-32), int64(-64), -1, uint8(8), uint16(16), uint32(32), uint64(1<<64 - 1), uint(1), uintptr(9),
		float32(0.5), 2.25, "text", "", strings.Repeat("t", 100), []int{1, 2}, []string(nil), *p, p, (*point)(nil), [2]int{1, 2}, [1]*point{p},
		struct{}{}, table, channel, one, state(3), number(1.5), textError("te"), 90 * time.Second, complex(1, 2), int64(300),
	} {
		v := v
		var cut []string
		if s, ok := v.(string); ok && len(s) > text {
			cut = []string{"v"}
		}
		asserted := values{"v": want(&v, 1), "v.(int)": "<another type>", "v.(*main.point).Y": "<another type>", "v.(main.point).X": "<another type>", "v.(string)": "<another type>"}
		switch x := v.(type) {
		case nil:
			for _, each := range []string{"v.(int)", "v.(*main.point).Y", "v.(main.point).X", "v.(string)"} {
				asserted[each] = nil
			}
		case int:
			asserted["v.(int)"] = x
		case string:
			asserted["v.(string)"] = want(x, 1)
		case point:
			asserted["v.(main.point).X"] = x.X
		case *point:
			asserted["v.(*main.point).Y"] = nil
			if x != nil {
				asserted["v.(*main.point).Y"] = x.Y
			}
		}
		anys = append(anys, call{asserted, cut, func() { takeAny(v) }})
	}
	_, notThere := os.Open("/nowhere/at/all")
	_, parse := strconv.Atoi("12x")
	refused := &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9}, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	for _, err := range []error{
		nil, errEmpty, io.EOF, fmt.Errorf("plain %d", 1), fmt.Errorf("outer: %w", fmt.Errorf("middle: %w", fmt.Errorf("inner: %w", io.EOF))),
		notThere, fmt.Errorf("config: %w", notThere), parse, refused, &url.Error{Op: "Get", URL: "http://127.0.0.1:9/", Err: refused},
		syscall.ENOENT, syscall.Errno(11), textError("custom"), codeError{4, "code"}, &pointerError{"pointer"}, os.ErrNotExist,
		&net.DNSError{Err: "no such host", Name: "example.invalid"},
	} {
		err := err
		errs = append(errs, call{values{"err": errorWant(err)}, nil, func() { takeError(err) }})
	}
	for _, arguments := range [][]interface{}{nil, {}, {"a", 1, nil, 2.5, p, io.EOF}, make([]interface{}, 9)} {
		arguments := arguments
		var list interface{}
		var cut []string
		if arguments != nil {
			all := []interface{}{}
			for i := range arguments {
				if i < items {
					all = append(all, want(&arguments[i], 1))
				}
			}
			list = all
		}
		if len(arguments) > items {
			cut = []string{"a"}
		}
		if len(arguments) > 5 && arguments[5] == io.EOF {
			list.([]interface{})[5] = "EOF"
		}
		variadic = append(variadic, call{values{"format": "%v", "a": list}, cut, func() { takeVariadic("%v", arguments...) }})
	}
	return []function{
		of("main.takeAny(v, v.(int), v.(*main.point).Y, v.(main.point).X, v.(string))",
			"main.takeAny(v interface{}, v, v.(int), v.(*main.point).Y, v.(main.point).X, v.(string))", anys...),
		of("main.takeError", "main.takeError(err error)", errs...),
		of("main.takeVariadic", "main.takeVariadic(format string, a []interface{})", variadic...),
	}
}

func clocks() []function {
	var list []call
	now := time.Now()
	zone := time.FixedZone("X", 3600)
	for i, t := range []time.Time{
		now, now.Round(0), {}, time.Time{}.Add(1), time.Unix(0, 0), time.Date(2024, 2, 29, 23, 59, 59, 999999999, zone),
		time.Date(5, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), time.Date(1884, 1, 1, 0, 0, 0, 10, time.UTC),
	} {
		t := t
		d := []time.Duration{0, 1, 1500, -2500 * time.Microsecond, time.Second, 90 * time.Minute, 1<<63 - 1, -1 << 63, 61 * time.Second}[i]
		p := &t
		if i == 2 {
			p = nil
		}
		list = append(list, call{values{"t": want(t, 1), "d": d.String(), "p": want(p, 1)}, nil, func() { takeTime(t, d, p) }})
	}
	return []function{of("main.takeTime", "main.takeTime(t time.Time, d time.Duration, p *time.Time)", list...)}
}

func calls(p *point) []function {
	c := make(chan int, 5)
	c <- 1
	c <- 2
	factor := 3
	closure := func(n int) int { return keep(n * factor) }
	list := &node{Name: "old"}
	return []function{
		of("main.takeChan(c, only, len(c), cap(c))", "main.takeChan(c chan int, only <-chan string, c, only, len(c), cap(c))",
			call{values{"c": want(c, 1), "only": nil, "len(c)": 2, "cap(c)": 5}, nil, func() { takeChan(c, nil) }}),
		of("main.takeFunc", "", call{values{"f": "main.keep"}, nil, func() { takeFunc(keep) }},
			call{values{"f": "main.calls.func1"}, nil, func() { takeFunc(closure) }},
			call{values{"f": "main.point.Sum-fm"}, nil, func() { takeFunc(p.Sum) }}),
		of("main.takeMany", "main.takeMany(a int, b int, c int, d int, e int, f int, g int, h int, i int, j int, k int, s string, p *main.point)",
			call{values{"a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "f": 6, "g": 7, "h": 8, "i": 9, "j": 10, "k": -11, "s": "spilled", "p": want(p, 1)}, nil,
				func() { takeMany(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, -11, "spilled", p) }}),
		of("main.point.Sum(p, p.Y, k)", "main.point.Sum(p main.point, k int, p, p.Y, k)",
			call{values{"p": want(*p, 1), "p.Y": -4, "k": 1}, nil, nothing}, // by takeFunc
			call{values{"p": want(*p, 1), "p.Y": -4, "k": 1}, nil, func() { keep(p.Sum(1)) }},
			call{values{"p": want(*p, 1), "p.Y": -4, "k": 2}, nil, func() { sum(*p, 2) }}),
		of("main.(*node).Rename(n.Name, name)", "main.(*node).Rename(n *main.node, name string, n.Name, name)",
			call{values{"n.Name": "old", "name": "new"}, nil, func() { keep(len(list.Rename("new"))) }}),
		of("main.returnNamed -> double, err", "main.returnNamed(n int, fail error, n, fail) -> double int, err error",
			call{values{"n": 4, "fail": nil, "double": 8, "err": nil}, nil, func() { returnNamed(4, nil) }},
			call{values{"n": -1, "fail": "empty", "double": -2, "err": "empty"}, nil, func() { returnNamed(-1, errEmpty) }}),
		of("main.returnUnnamed(n) -> ret0, ret1, ret2", "main.returnUnnamed(n int, n) -> ret0 int, ret1 string, ret2 *main.point",
			call{values{"n": 1, "ret0": 2, "ret1": "text", "ret2": values{"X": 1, "Y": 1}}, nil, func() { returnUnnamed(1) }}),
		of("main.returnOne(s) -> err", "main.returnOne(s string, s) -> err error",
			call{values{"s": "x", "err": nil}, nil, func() { returnOne("x") }},
			call{values{"s": "", "err": "empty"}, nil, func() { returnOne("") }}),
		of("main.returnFew(n) -> err if err != nil", "main.returnFew(n int, n) -> err error if err != nil",
			call{values{"n": 3, "err": "empty"}, nil, func() { returnFew(1); returnFew(3); returnFew(4) }}),
	}
}

//go:noinline
func sum(s interface{ Sum(int) int }, k int) { keep(s.Sum(k)) }
