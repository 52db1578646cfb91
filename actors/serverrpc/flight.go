package serverrpc

import "sync"

// gate lets so many in at a time and no more.
type gate chan struct{}

// enter reports whether there was room. Who has entered leaves.
func (g gate) enter() bool {
	select {
	case g <- struct{}{}:
		return true
	default:
		return false
	}
}

func (g gate) leave() { <-g }

// flight counts the requests that are being carried out, on their goroutines, and
// knows when a drain is done. The zero value has none.
type flight struct {
	mu     sync.Mutex
	n      int
	closed bool
	idle   []func()
}

// enter counts a request, unless the drain has begun. Who has entered leaves.
func (f *flight) enter() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return false
	}
	f.n++
	return true
}

func (f *flight) leave() {
	f.mu.Lock()
	f.n--
	var idle []func()
	if f.n == 0 {
		idle, f.idle = f.idle, nil
	}
	f.mu.Unlock()
	for _, done := range idle {
		done()
	}
}

// drain lets nobody in any more and has done called once, when nobody is left: with
// how many there were.
func (f *flight) drain(done func(int)) {
	f.mu.Lock()
	f.closed = true
	n := f.n
	if n > 0 {
		f.idle = append(f.idle, func() { done(n) })
	}
	f.mu.Unlock()
	if n == 0 {
		done(0)
	}
}
