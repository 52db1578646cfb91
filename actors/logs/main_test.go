package logs

import (
	"bytes"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// page is a sink that a test can read while others write.
type page struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (p *page) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.buf.Write(b)
}

// lines returns what was written, without the times, and forgets it.
func (p *page) lines() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var lines []string
	for line := range strings.Lines(p.buf.String()) {
		_, line, _ = strings.Cut(strings.TrimSuffix(line, "\n"), "[")
		lines = append(lines, "["+line)
	}
	p.buf.Reset()
	return lines
}
