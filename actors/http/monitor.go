package http

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"go.uber.org/zap/zapcore"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/messages"
)

// resubscribeAfter is how long a stream waits before it looks whether the logs
// actor, which was restarted, is back.
const resubscribeAfter = 100 * time.Millisecond

// agentMonitor streams the log, the recent lines first, until the client goes or
// the agent leaves.
func agentMonitor(r *request) (*answer, error) {
	level := zapcore.InfoLevel
	if name := r.param("loglevel"); name != "" {
		var err error
		if level, err = r.api.cfg.ParseLevel(name); err != nil {
			return nil, refusal(http.StatusBadRequest, "Unknown log level: "+name)
		}
	}
	m := &monitor{api: r.api, level: level, format: r.api.cfg.LogText}
	if r.has("logjson") {
		m.format = r.api.cfg.LogJSON
	}
	return &answer{
		header: http.Header{"Content-Type": {typeText}},
		stream: func(w http.ResponseWriter) { m.run(r.Context(), w) },
	}, nil
}

// monitor is one stream of the log.
type monitor struct {
	api    *api
	level  messages.LogLevel
	format func([]byte, messages.LogEntry) []byte

	out     http.ResponseWriter
	control *http.ResponseController
	seen    uint64 // Seq of the last entry written
	line    []byte
}

// run writes until ctx ends, the agent leaves or the client is gone. When the logs
// actor is restarted it subscribes again and goes on where it was.
func (m *monitor) run(ctx context.Context, w http.ResponseWriter) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(m.api.leaving, cancel)()

	m.out, m.control = w, http.NewResponseController(w)
	defer func() { _ = m.control.SetWriteDeadline(time.Time{}) }() // it fails when the client is gone
	w.WriteHeader(http.StatusOK)
	if m.flush() != nil { // the client sees that it is heard before there is a line
		return
	}
	for ctx.Err() == nil {
		sub, err := ask.Do(ctx, m.api.cfg.Logs, &messages.SubscribeLogs{Level: m.level})
		if err != nil {
			pause(ctx, resubscribeAfter)
			continue
		}
		err = m.follow(ctx, sub)
		m.api.cfg.Logs.Tell(&messages.UnsubscribeLogs{ID: sub.ID})
		if err != nil {
			return
		}
	}
}

// follow writes the entries of one subscription. It returns nil when that has
// ended, and an error when nobody reads what it writes.
func (m *monitor) follow(ctx context.Context, sub *messages.LogSubscription) error {
	for _, e := range sub.Recent {
		if err := m.write(e); err != nil {
			return err
		}
	}
	for {
		if err := m.flush(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case news, open := <-sub.Entries:
			if !open {
				return nil
			}
			if err := m.batch(news, sub.Entries); err != nil {
				return err
			}
		}
	}
}

// batch writes an entry and what has come meanwhile.
func (m *monitor) batch(news messages.LogUpdate, more <-chan messages.LogUpdate) error {
	for {
		if err := m.update(news); err != nil {
			return err
		}
		select {
		case next, open := <-more:
			if !open {
				return m.flush() // follow sees the end for itself
			}
			news = next
		default:
			return nil
		}
	}
}

// update writes an entry, and before it how many the reader has missed by being
// slow.
func (m *monitor) update(news messages.LogUpdate) error {
	if news.Lost > 0 {
		lost := messages.LogEntry{
			Time: time.Now(), Level: zapcore.WarnLevel, Logger: Name,
			Text: fmt.Sprintf("%d lines are missing here: this reader is too slow", news.Lost),
		}
		if err := m.put(lost); err != nil {
			return err
		}
	}
	return m.write(news.Entry)
}

// write writes an entry unless it has been written before.
func (m *monitor) write(e messages.LogEntry) error {
	if e.Seq <= m.seen {
		return nil
	}
	m.seen = e.Seq
	return m.put(e)
}

func (m *monitor) put(e messages.LogEntry) error {
	m.hurry()
	m.line = append(m.format(m.line[:0], e), '\n')
	_, err := m.out.Write(m.line)
	return err
}

func (m *monitor) flush() error {
	m.hurry()
	return m.control.Flush()
}

// hurry gives the client so long to take what is written next.
func (m *monitor) hurry() {
	_ = m.control.SetWriteDeadline(time.Now().Add(m.api.cfg.Limits.BodyTimeout)) // the write fails when this does
}

// pause waits for a time or for the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
