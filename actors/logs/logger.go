package logs

import (
	"io"
	"math"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/messages"
)

// Options is how the agent's log begins.
type Options struct {
	Level zapcore.Level // what the sinks get; see ParseLevel
	JSON  bool          // one JSON object a line, instead of text
	Sinks []io.Writer   // each gets every line in one Write; may be empty
}

// NewLogger returns the root of the agent's loggers and what controls it. It
// starts nothing and needs no actor.
//
// When a sink cannot be written, standard error is told once, until it works
// again.
func NewLogger(o Options) (*zap.Logger, *Control) {
	c := &Control{sink: sink{json: o.JSON}}
	for _, w := range o.Sinks {
		c.sink.outs = append(c.sink.outs, &output{w: w})
	}
	c.queue.entries.size = queueSize
	c.level.Store(int32(o.Level))
	c.readers.Store(nobody)
	c.settle()
	return zap.New(&core{Control: c}), c
}

// nobody is a level that no entry reaches.
const nobody = math.MaxInt8

// Control is the hold on a root logger: the level of its sinks for everybody, its
// queue for the actor. Its methods may be called from any goroutine.
type Control struct {
	floor   atomic.Int32 // the lowest level that anybody wants
	level   atomic.Int32 // what the sinks want
	readers atomic.Int32 // the lowest level of a subscription, or nobody
	change  sync.Mutex   // held while floor is made from the other two

	sink  sink
	queue queue
	ids   atomic.Uint64 // of subscriptions; not the actor's, as they outlive it
}

// Level returns the level of the sinks.
func (c *Control) Level() zapcore.Level { return zapcore.Level(c.level.Load()) }

// SetLevel changes the level of the sinks.
func (c *Control) SetLevel(l zapcore.Level) {
	c.level.Store(int32(l))
	c.settle()
}

// attach tells where the actor is.
func (c *Control) attach(to ask.Address) { c.queue.attach(to) }

// read says which level the subscriptions want, if there are any.
func (c *Control) read(level zapcore.Level, readers bool) {
	if readers {
		c.readers.Store(int32(level))
	} else {
		c.readers.Store(nobody)
	}
	c.settle()
	c.queue.wakeFor(readers)
}

// settle computes the floor. The actor keeps everything from DEBUG on.
func (c *Control) settle() {
	c.change.Lock()
	defer c.change.Unlock()
	c.floor.Store(min(c.level.Load(), c.readers.Load(), int32(zapcore.DebugLevel)))
}

// core writes entries to the sinks and to the queue.
type core struct {
	*Control
	with   []zapcore.Field // own copies
	prefix string          // of the keys that follow, after zap.Namespace
}

var _ zapcore.Core = (*core)(nil)

// Enabled implements zapcore.LevelEnabler. It is the whole cost of an entry that
// nobody wants.
func (c *core) Enabled(l zapcore.Level) bool { return int32(l) >= c.floor.Load() }

// Level returns the lowest level that is enabled; zapcore.LevelOf asks it.
func (c *core) Level() zapcore.Level { return zapcore.Level(c.floor.Load()) }

// With implements zapcore.Core.
func (c *core) With(fields []zapcore.Field) zapcore.Core {
	own, prefix := c.join(fields)
	return &core{Control: c.Control, with: own, prefix: prefix}
}

// Check implements zapcore.Core.
func (c *core) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return ce.AddCore(e, c)
	}
	return ce
}

// Write implements zapcore.Core. The queue comes first, so that a sink that is
// stuck does not hide the line from those who watch.
func (c *core) Write(e zapcore.Entry, fields []zapcore.Field) error {
	if e.Stack != "" {
		fields = append(fields[:len(fields):len(fields)], zap.String("stack", e.Stack))
	}
	entry := messages.LogEntry{
		Time:   e.Time,
		Level:  e.Level,
		Logger: e.LoggerName,
		Text:   clip(e.Message),
		Fields: c.with,
	}
	if len(fields) > 0 {
		entry.Fields, _ = c.join(fields)
	}
	if l := int32(e.Level); l >= int32(zapcore.DebugLevel) || l >= c.readers.Load() {
		c.queue.put(entry)
	}
	if int32(e.Level) < c.level.Load() {
		return nil
	}
	return c.sink.write(&entry)
}

// Sync implements zapcore.Core.
func (c *core) Sync() error { return c.sink.sync() }

// join returns the core's fields and own copies of more.
func (c *core) join(more []zapcore.Field) ([]zapcore.Field, string) {
	all := make([]zapcore.Field, len(c.with), len(c.with)+len(more))
	copy(all, c.with)
	return appendOwn(all, c.prefix, more)
}
