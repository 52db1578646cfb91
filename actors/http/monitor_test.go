package http

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/actor-consul/consul/messages"
)

// pipe is a response that a test reads line by line as it is written.
type pipe struct {
	header http.Header
	status int
	in     *io.PipeWriter
	lines  *bufio.Scanner
	flushs atomic.Int64
}

func newPipe() *pipe {
	r, w := io.Pipe()
	return &pipe{header: http.Header{}, in: w, lines: bufio.NewScanner(r)}
}

func (p *pipe) Header() http.Header         { return p.header }
func (p *pipe) WriteHeader(status int)      { p.status = status }
func (p *pipe) Write(b []byte) (int, error) { return p.in.Write(b) }
func (p *pipe) Flush()                      { p.flushs.Add(1) }

// next returns the next line, or "end".
func (p *pipe) next() string {
	if !p.lines.Scan() {
		return "end"
	}
	return p.lines.Text()
}

// logbook plays the logs actor: each subscription it is asked for gets the next of
// its books.
type logbook struct {
	books chan *messages.LogSubscription
	ended []uint64
}

func newLogbook(books ...*messages.LogSubscription) *logbook {
	l := &logbook{books: make(chan *messages.LogSubscription, 4)}
	for _, b := range books {
		l.books <- b
	}
	return l
}

func (l *logbook) answer(ctx actor.Context) bool {
	switch msg := ctx.Message().(type) {
	case *messages.SubscribeLogs:
		select {
		case book := <-l.books:
			msg.Answer(book)
		default:
			msg.Refuse(messages.ErrUnavailable)
		}
	case *messages.UnsubscribeLogs:
		l.ended = append(l.ended, msg.ID)
	}
	return true
}

func entry(seq uint64) messages.LogEntry {
	return messages.LogEntry{Seq: seq, Text: fmt.Sprint("line ", seq)}
}

// watch starts a stream and returns what it writes.
func watch(ctx context.Context, a *api, target string) *pipe {
	p := newPipe()
	r, err := http.NewRequestWithContext(ctx, "GET", target, nil)
	if err != nil {
		panic(err)
	}
	go func() {
		a.ServeHTTP(p, r)
		p.in.Close()
	}()
	return p
}

func TestMonitor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		first, second := make(chan messages.LogUpdate, 8), make(chan messages.LogUpdate, 8)
		logs := newLogbook(&messages.LogSubscription{ID: 1, Recent: []messages.LogEntry{entry(1), entry(2)}, Entries: first})
		s.answers["logs"] = logs.answer
		a := s.api(t)
		p := watch(t.Context(), a, "/v1/agent/monitor?loglevel=debug")

		first <- messages.LogUpdate{Entry: entry(3)}
		first <- messages.LogUpdate{Entry: entry(9), Lost: 5}
		want := []string{"[INFO] line 1", "[INFO] line 2", "[INFO] line 3", "[INFO] 5 lines are missing here: this reader is too slow", "[INFO] line 9"}
		for _, line := range want {
			if got := p.next(); got != line {
				t.Fatalf("%q, want %q", got, line)
			}
		}
		if p.status != http.StatusOK || p.flushs.Load() == 0 || p.header.Get("Content-Type") != typeText {
			t.Errorf("status %d, %d flushes, %v", p.status, p.flushs.Load(), p.header)
		}
		if n, _ := a.flight.settled(); n != 0 {
			t.Error("a drain would wait for the stream")
		}

		// The logs actor fails; for a while nobody is there, then what is known already
		// comes again, and more.
		close(first)
		synctest.Wait()
		logs.books <- &messages.LogSubscription{ID: 2, Recent: []messages.LogEntry{entry(3), entry(9), entry(10)}, Entries: second}
		if got := p.next(); got != "[INFO] line 10" {
			t.Errorf("after the restart: %q, want line 10", got)
		}

		a.wake()
		if got := p.next(); got != "end" {
			t.Errorf("after the drain began: %q", got)
		}
		synctest.Wait()
		if !slices.Equal(logs.ended, []uint64{1, 2}) {
			t.Errorf("unsubscribed %v, want 1 and 2", logs.ended)
		}
	})
}

func TestMonitorJSON(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		logs := newLogbook(&messages.LogSubscription{ID: 1, Recent: []messages.LogEntry{entry(1)}, Entries: make(chan messages.LogUpdate)})
		s.answers["logs"] = logs.answer
		ctx, cancel := context.WithCancel(t.Context())
		p := watch(ctx, s.api(t), "/v1/agent/monitor?logjson")
		if got := p.next(); got != `{"@message":"line 1"}` {
			t.Errorf("%q", got)
		}
		cancel() // the client goes
		if got := p.next(); got != "end" {
			t.Errorf("%q after the client went", got)
		}
		synctest.Wait()
		if !slices.Equal(logs.ended, []uint64{1}) {
			t.Errorf("unsubscribed %v, want 1", logs.ended)
		}
	})
}

func TestMonitorLevel(t *testing.T) {
	if got := call(newStage(t).api(t), "GET", "/v1/agent/monitor?loglevel=odd", ""); got.Code != http.StatusBadRequest || got.Body.String() != "Unknown log level: odd" {
		t.Errorf("%d %s", got.Code, got.Body)
	}
}
