package logs

import (
	"bytes"
	"io"
	"sync"
)

// maxGated is how much a gate keeps, in bytes.
const maxGated = 1 << 20

// A Gate is a writer that keeps what it is given until it is opened, so that the
// agent's banner comes before its log.
type Gate struct {
	mu   sync.Mutex
	w    io.Writer
	open bool
	kept bytes.Buffer
	lost int
}

// NewGate returns a closed gate before w.
func NewGate(w io.Writer) *Gate { return &Gate{w: w} }

// Write passes p on, or keeps a copy. A closed gate keeps one mebibyte; the writes
// beyond are lost and counted, since what came first tells more of why an agent
// does not start.
func (g *Gate) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open {
		return g.w.Write(p)
	}
	if g.kept.Len()+len(p) > maxGated {
		g.lost++
		return len(p), nil
	}
	return g.kept.Write(p)
}

// Open writes what the gate has kept and lets all that follows through. It
// returns how many writes were lost. An open gate stays open.
func (g *Gate) Open() (lost int, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open {
		return 0, nil
	}
	g.open = true
	_, err = g.kept.WriteTo(g.w)
	g.kept = bytes.Buffer{}
	return g.lost, err
}
