// Program generic has generic functions, methods and closures, and prints what they are given.
package main

import "fmt"

type pair[K comparable, V any] struct {
	key K
	val V
}

//go:noinline
func (p *pair[K, V]) set(k K, v V) (old V) {
	fmt.Printf("set k=%v v=%v\n", k, v)
	old = p.val
	p.key, p.val = k, v
	return old
}

type list[T any] struct{ items []T }

//go:noinline
func (l list[T]) each(f func(T)) {
	for _, x := range l.items {
		f(x)
	}
}

//go:noinline
func apply[T any, U any](in []T, f func(T) U, extra string) []U {
	fmt.Printf("apply len=%d extra=%s\n", len(in), extra)
	var out []U
	for _, each := range in {
		out = append(out, f(each))
	}
	return out
}

//go:noinline
func outer[T any](x T, n int) func(int) string {
	return func(m int) string { return fmt.Sprint(x, n, m) }
}

func main() {
	fmt.Println((&pair[string, int]{}).set("a", 1), (&pair[int, []byte]{}).set(1, nil))
	list[string]{[]string{"a"}}.each(func(s string) { fmt.Println(s) })
	fmt.Println(apply([]int{1, 2}, func(i int) string { return fmt.Sprint(i) }, "more"))
	fmt.Println(outer("q", 1)(2))
}
