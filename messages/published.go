package messages

import "sync/atomic"

// Published is a cell in which an owner keeps the newest version of an immutable
// value for everybody to read. Reading costs a few nanoseconds and waits for
// nobody; a value that was loaded stays as it is.
type Published[T any] struct {
	p atomic.Pointer[T]
}

// Publish replaces the value. Only the owner calls it, and nobody changes v
// afterwards.
func (c *Published[T]) Publish(v *T) { c.p.Store(v) }

// Load returns the newest value, or nil before the first.
func (c *Published[T]) Load() *T { return c.p.Load() }
