// Package other has a file of the same name as another one.
package other

// Call calls f.
//
//go:noinline
func Call(f func()) {
	f()
}
