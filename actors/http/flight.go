package http

import "sync"

// gate lets so many requests in at a time and no more.
type gate chan struct{}

// enter reports whether there was room. Who enters leaves.
func (g gate) enter() bool {
	select {
	case g <- struct{}{}:
		return true
	default:
		return false
	}
}

func (g gate) leave() { <-g }

// flight counts the requests that a drain waits for.
type flight struct {
	mu   sync.Mutex
	n    int
	idle []chan struct{} // closed when n is 0
}

func (f *flight) enter() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n++
}

func (f *flight) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n--
	if f.n == 0 {
		for _, idle := range f.idle {
			close(idle)
		}
		f.idle = nil
	}
}

// settled returns how many requests are in flight, and what is closed once there
// is none.
func (f *flight) settled() (int, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	idle := make(chan struct{})
	if f.n == 0 {
		close(idle)
	} else {
		f.idle = append(f.idle, idle)
	}
	return f.n, idle
}
