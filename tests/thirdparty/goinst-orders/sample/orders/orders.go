// Package orders takes orders.
package orders

import "errors"

type User struct{ Name string }

type Order struct {
	ID   int
	Item string
	By   *User
}

//go:noinline
func (o *Order) Place() error {
	if o.By == nil {
		return errors.New("by nobody")
	}
	return nil
}
