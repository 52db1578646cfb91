package rpc

import (
	"context"
	"errors"
	"strings"
	"time"

	"go.uber.org/zap/zapcore"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/agentrpc"
)

// lossLevel is the level of the line that tells of lost ones.
const lossLevel = zapcore.WarnLevel

// resubscribePause is how long a monitor waits before it asks again for a log
// that could not be had.
const resubscribePause = time.Second

// monitor is a log that a client watches.
type monitor struct {
	c      *conn
	seq    uint64
	level  messages.LogLevel
	format func([]byte, messages.LogEntry) []byte

	ctx  context.Context // ends with the monitor
	stop context.CancelFunc

	last uint64 // Seq of the newest entry seen; the goroutine's own
	lost int    // lines lost since the one before; likewise
}

// line is a line of the log on its way to the writer, which puts it into words,
// so that a line that is lost has cost nothing.
type line struct {
	of    *monitor
	lost  int // lines lost before this one
	entry messages.LogEntry
	only  bool // there is no entry, only the loss
}

// startMonitor serves the monitor command.
func (c *conn) startMonitor(h agentrpc.RequestHeader) error {
	var q agentrpc.MonitorRequest
	if err := c.body(&q); err != nil {
		return err
	}
	level, err := c.srv.cfg.ParseLevel(q.LogLevel)
	if err != nil {
		return c.reply(h.Seq, errors.New(agentrpc.UnknownLogLevel+strings.ToUpper(q.LogLevel)))
	}
	if c.monitor != nil {
		return c.reply(h.Seq, errors.New(agentrpc.MonitorExists))
	}
	m := &monitor{c: c, seq: h.Seq, level: level, format: c.srv.cfg.Format}
	if q.JSON {
		m.format = c.srv.cfg.FormatJSON
	}
	m.ctx, m.stop = context.WithCancel(c.ctx)
	sub, err := m.subscribe()
	if err != nil {
		m.stop()
		return c.reply(h.Seq, err)
	}
	c.monitor = m
	err = c.reply(h.Seq, nil)
	go m.run(sub)
	return err
}

// stopMonitor serves the stop command, which always succeeds. No line of the
// monitor follows its answer.
func (c *conn) stopMonitor(h agentrpc.RequestHeader) error {
	var q agentrpc.StopRequest
	if err := c.body(&q); err != nil {
		return err
	}
	if c.monitor != nil && c.monitor.seq == q.Stop {
		c.monitor.stop()
		c.monitor = nil
	}
	return c.reply(h.Seq, nil)
}

func (m *monitor) subscribe() (*messages.LogSubscription, error) {
	ctx, cancel := context.WithTimeout(m.ctx, quick)
	defer cancel()
	return ask.Do(ctx, m.c.srv.cfg.Logs, &messages.SubscribeLogs{Level: m.level})
}

// run is the goroutine of a monitor. When the log's actor is restarted it
// subscribes again and goes on where it was.
func (m *monitor) run(sub *messages.LogSubscription) {
	defer m.c.caught()
	for m.follow(sub) {
		if sub = m.resubscribe(); sub == nil {
			return
		}
	}
	m.c.srv.cfg.Logs.Tell(&messages.UnsubscribeLogs{ID: sub.ID})
}

// resubscribe asks until there is a log again, or returns nil when the monitor
// ends first.
func (m *monitor) resubscribe() *messages.LogSubscription {
	for {
		if sub, err := m.subscribe(); err == nil {
			return sub
		}
		select {
		case <-time.After(resubscribePause):
		case <-m.ctx.Done():
			return nil
		}
	}
}

// follow passes on the recent entries and those that come, until the subscription
// is closed or the monitor ends, and reports whether it was the former.
func (m *monitor) follow(sub *messages.LogSubscription) (closed bool) {
	for _, e := range unseen(sub.Recent, m.last) {
		select {
		case m.c.lines <- m.line(e):
			m.last, m.lost = e.Seq, 0
		case <-m.ctx.Done():
			return false
		}
	}
	for {
		select {
		case u, open := <-sub.Entries:
			if !open {
				return true
			}
			m.take(u)
		case m.tellLoss() <- line{of: m, lost: m.lost, only: true}:
			m.lost = 0
		case <-m.ctx.Done():
			return false
		}
	}
}

// take passes an entry on, unless the client is too slow for it.
func (m *monitor) take(u messages.LogUpdate) {
	m.lost += u.Lost
	if u.Entry.Seq <= m.last {
		return
	}
	m.last = u.Entry.Seq
	select {
	case m.c.lines <- m.line(u.Entry):
		m.lost = 0
	default:
		m.lost++
	}
}

func (m *monitor) line(e messages.LogEntry) line {
	return line{of: m, lost: m.lost, entry: e}
}

// tellLoss returns where to tell of lost lines, and nil when there is nothing to
// tell: a select never takes the nil channel.
func (m *monitor) tellLoss() chan<- line {
	if m.lost == 0 {
		return nil
	}
	return m.c.lines
}

// encode writes the records of a line, or nothing when its monitor has been
// stopped. It runs on the writer's goroutine.
func (l line) encode(enc *agentrpc.Encoder, text []byte) ([]byte, error) {
	if l.of.ctx.Err() != nil {
		return text, nil
	}
	h := &agentrpc.ResponseHeader{Seq: l.of.seq}
	if l.lost > 0 {
		text = l.of.format(text[:0], lossEntry(time.Now(), l.lost))
		if err := enc.Encode(h, &agentrpc.LogRecord{Log: string(text)}); err != nil || l.only {
			return text, err
		}
	}
	text = l.of.format(text[:0], l.entry)
	return text, enc.Encode(h, &agentrpc.LogRecord{Log: string(text)})
}
