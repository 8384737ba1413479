// Program variables has functions with parameters and variables of every sort, and prints what they hold.
package main

import (
	"errors"
	"fmt"
	"os"
)

type point struct{ X, Y int }

type box struct {
	Name string
	P    *point
}

type named interface{ Title(n int) string }

type shelf struct{ *box }

var title named

//go:noinline
func (b *box) Title(n int) string {
	fmt.Printf("Title b.Name=%s n=%d\n", b.Name, n)
	return fmt.Sprint(b.Name, n)
}

//go:noinline
func unnamed(int, string, bool, int) (int, error) { return 1, errors.New("x") }

//go:noinline
func blanks(_ int, s string, _ bool, z int) (int, error) {
	fmt.Printf("blanks s=%s z=%d\n", s, z)
	return z, errors.New(s)
}

//go:noinline
func (b *box) mixed(s string, p point, f float64, a [2]int, last uint8) (n int, err error) {
	fmt.Printf("mixed b.Name=%s s=%s p.X=%d p.Y=%d f=%v a0=%d last=%d\n", b.Name, s, p.X, p.Y, f, a[0], last)
	if len(s) > 3 {
		return 1, nil
	}
	n = int(f) + p.X + a[0] + len(b.Name)
	return n, errors.New(s)
}

//go:noinline
func many(a, b, c, d, e, f, g int, s string, t []byte) (string, int) {
	fmt.Printf("many a=%d g=%d s=%s t=%s\n", a, g, s, t)
	return s + "!", a + b + c + d + e + f + g
}

//go:noinline
func escapes(a int, s string) *int {
	local := a + len(s)
	fmt.Printf("escapes a=%d s=%s local=%d\n", a, s, local)
	use(&local)
	return &a
}

//go:noinline
func use(p *int) { *p++ }

//go:noinline
func counter(start int, label string) func(int) int {
	count := start
	return func(d int) int {
		count += d
		fmt.Printf("counter d=%d count=%d label=%s\n", d, count, label)
		return count
	}
}

var last string

func inlined(x int, tag string) int {
	last = tag
	return x*3 + len(tag)
}

//go:noinline
func caller(v int) int {
	w := inlined(v+1, "first")
	w += inlined(v*2, "second")
	fmt.Printf("caller v=%d w=%d\n", v, w)
	return w
}

//go:noinline
func variadic(format string, args ...interface{}) int {
	fmt.Printf("variadic format=%s len=%d\n", format, len(args))
	return len(args)
}

func main() {
	b := &box{Name: "crate", P: &point{1, 2}}
	for i := 0; i < 3; i++ {
		fmt.Println(unnamed(1, "a", true, 4))
		fmt.Println(blanks(1, "blank", true, 40+i))
		fmt.Println(b.mixed("key", point{3 + i, 4}, 1.5, [2]int{5, 6}, 200))
		fmt.Println(many(1, 2, 3, 4, 5, 6, 7+i, "tail", []byte("bytes")))
		fmt.Println(*escapes(10+i, "abc"))
		c := counter(i, "lbl")
		fmt.Println(c(100), c(200))
		fmt.Println(caller(len(os.Args) + i))
		fmt.Println(variadic("fmt", 1, "two", i))
		title = shelf{b}
		fmt.Println(title.Title(i))
		f := b.mixed
		fmt.Println(f("via", point{5, 6}, 2.5, [2]int{7, 8}, 9))
	}
}
