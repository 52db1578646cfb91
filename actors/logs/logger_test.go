package logs

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/messages"
)

func TestParseLevel(t *testing.T) {
	tests := []struct {
		name string
		want zapcore.Level
		err  bool
	}{
		{name: "trace", want: messages.TraceLevel},
		{name: "DEBUG", want: zapcore.DebugLevel},
		{name: "Info", want: zapcore.InfoLevel},
		{name: "warn", want: zapcore.WarnLevel},
		{name: "WARNING", want: zapcore.WarnLevel},
		{name: "err", want: zapcore.ErrorLevel},
		{name: "Error", want: zapcore.ErrorLevel},
		{name: "", err: true},
		{name: "loud", err: true},
		{name: strings.Repeat("x", 1000), err: true},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%.10s", tt.name), func(t *testing.T) {
			got, err := ParseLevel(tt.name)
			if (err != nil) != tt.err || err == nil && got != tt.want {
				t.Fatalf("ParseLevel = %v, %v; want %v, error: %v", got, err, tt.want, tt.err)
			}
			if err != nil && (!strings.Contains(err.Error(), "trace, debug, info, warn, err") || len(err.Error()) > 100) {
				t.Errorf("the error does not help: %v", err)
			}
		})
	}
}

// TestFloor checks that what nobody wants is not even made, and that what somebody
// wants is.
func TestFloor(t *testing.T) {
	tests := []struct {
		name    string
		sinks   zapcore.Level
		readers []zapcore.Level // at most one: the lowest
		want    zapcore.Level
	}{
		{name: "recent_entries_need_debug", sinks: zapcore.ErrorLevel, want: zapcore.DebugLevel},
		{name: "sinks_at_trace", sinks: messages.TraceLevel, want: messages.TraceLevel},
		{name: "reader_at_trace", sinks: zapcore.InfoLevel, readers: []zapcore.Level{messages.TraceLevel}, want: messages.TraceLevel},
		{name: "reader_at_warn", sinks: zapcore.InfoLevel, readers: []zapcore.Level{zapcore.WarnLevel}, want: zapcore.DebugLevel},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			log, control := NewLogger(Options{Level: zapcore.InfoLevel})
			control.SetLevel(tt.sinks)
			for _, l := range tt.readers {
				control.read(l, true)
			}
			if got := log.Level(); got != tt.want || !log.Core().Enabled(tt.want) || log.Core().Enabled(tt.want-1) {
				t.Errorf("the lowest level enabled is %v, want %v", got, tt.want)
			}
			if got := control.Level(); got != tt.sinks {
				t.Errorf("Level = %v, want %v", got, tt.sinks)
			}
			control.read(0, false)
			if got, want := log.Level(), min(tt.sinks, zapcore.DebugLevel); got != want {
				t.Errorf("without readers: %v, want %v", got, want)
			}
		})
	}
}

// TestWhereEntriesGo checks which entries reach the sinks and which the queue.
func TestWhereEntriesGo(t *testing.T) {
	tests := []struct {
		name   string
		sinks  zapcore.Level
		reader bool // one at TRACE
		sink   string
		queue  string
	}{
		{name: "sinks_at_info", sinks: zapcore.InfoLevel, sink: "i e", queue: "d i e"},
		{name: "sinks_at_error", sinks: zapcore.ErrorLevel, sink: "e", queue: "d i e"},
		{name: "trace_for_the_sinks_alone", sinks: messages.TraceLevel, sink: "t d i e", queue: "d i e"},
		{name: "trace_for_a_reader_alone", sinks: zapcore.InfoLevel, reader: true, sink: "i e", queue: "t d i e"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var p page
			log, control := NewLogger(Options{Level: tt.sinks, Sinks: []io.Writer{&p}})
			control.read(messages.TraceLevel, tt.reader)
			log.Log(messages.TraceLevel, "t")
			log.Debug("d")
			log.Info("i")
			log.Error("e")

			var sink, queue []string
			for _, line := range p.lines() {
				_, text, _ := strings.Cut(line, "] ")
				sink = append(sink, text)
			}
			waiting, _ := control.queue.take(nil)
			for _, e := range waiting {
				queue = append(queue, e.Text)
			}
			if got := strings.Join(sink, " "); got != tt.sink {
				t.Errorf("the sinks got %q, want %q", got, tt.sink)
			}
			if got := strings.Join(queue, " "); got != tt.queue {
				t.Errorf("the queue got %q, want %q", got, tt.queue)
			}
		})
	}
}

func TestLines(t *testing.T) {
	var p page
	log, _ := NewLogger(Options{Level: zapcore.InfoLevel, Sinks: []io.Writer{&p}})
	child := log.Named("consul").With(zap.String("dc", "dc1"))
	child.Info("first", zap.Int("n", 1))
	child.With(zap.Namespace("peer"), zap.Int("port", 8300)).Info("second", zap.String("name", "a"))
	child.Named("autopilot").Info("third")
	log.WithOptions(zap.AddStacktrace(zapcore.ErrorLevel)).Error("fourth")

	lines := p.lines()
	want := []string{
		"[INFO] consul: first dc=dc1 n=1",
		"[INFO] consul: second dc=dc1 peer.port=8300 peer.name=a",
		"[INFO] consul.autopilot: third dc=dc1",
	}
	if len(lines) != 4 || !slices.Equal(lines[:3], want) {
		t.Fatalf("lines are\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
	if !strings.HasPrefix(lines[3], `[ERR] fourth stack="`) {
		t.Errorf("the stack is not in %s", lines[3])
	}
}

func TestJSONLines(t *testing.T) {
	var p page
	log, _ := NewLogger(Options{Level: zapcore.InfoLevel, JSON: true, Sinks: []io.Writer{&p}})
	log.Named("serf").Info("joined", zap.Int("n", 1))
	if got := p.buf.String(); !strings.HasPrefix(got, `{"@level":"info","@message":"joined","@module":"serf","@timestamp":"`) || !strings.HasSuffix(got, `","n":1}`+"\n") {
		t.Errorf("the line is %s", got)
	}
}

// TestNobodyTakes logs far more than the queue holds, with nobody there to take
// it.
func TestNobodyTakes(t *testing.T) {
	const n = 10 * queueSize
	sys := actortest.System(t)
	tests := []struct {
		name   string
		to     ask.Address
		reader bool
	}{
		{name: "no_actor"},
		{name: "no_actor_any_more", reader: true},
		{name: "dead_actor", to: ask.At(sys, sys.NewLocalPID("ghost")), reader: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var letters int
			sub := sys.EventStream.Subscribe(func(e any) {
				if _, ok := e.(*actor.DeadLetterEvent); ok {
					letters++
				}
			})
			defer sys.EventStream.Unsubscribe(sub)
			log, control := NewLogger(Options{Level: zapcore.InfoLevel})
			control.attach(tt.to)
			control.read(zapcore.InfoLevel, tt.reader)
			for range n {
				log.Info("x")
			}
			waiting, lost := control.queue.take(nil)
			if len(waiting) != queueSize || lost.atLeast(messages.TraceLevel) != n-queueSize {
				t.Errorf("%d wait and %d are lost, want %d and %d", len(waiting), lost.atLeast(messages.TraceLevel), queueSize, n-queueSize)
			}
			if first, last := waiting[0].Seq, waiting[queueSize-1].Seq; first != n-queueSize+1 || last != n {
				t.Errorf("what waits is %d to %d, want the newest", first, last)
			}
			if letters > 1 {
				t.Errorf("%d dead letters, want one at most", letters)
			}
		})
	}
}

// TestLoggingFromADeadLetter has a subscriber that logs each dead letter, which
// must not make another.
func TestLoggingFromADeadLetter(t *testing.T) {
	sys := actortest.System(t)
	log, control := NewLogger(Options{Level: zapcore.InfoLevel})
	control.attach(ask.At(sys, sys.NewLocalPID("ghost")))
	control.read(zapcore.InfoLevel, true)
	var letters int
	sub := sys.EventStream.Subscribe(func(any) { letters++; log.Warn("dead letter") })
	defer sys.EventStream.Unsubscribe(sub)
	log.Info("x")
	if waiting, _ := control.queue.take(nil); letters != 1 || len(waiting) != 2 {
		t.Errorf("%d dead letters and %d entries, want 1 and 2", letters, len(waiting))
	}
}

// TestWakeUps checks that the actor is told once of many entries, only while
// somebody reads, and also of those that came just before the reader.
func TestWakeUps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sys := actortest.System(t)
		probe := actortest.NewProbe(t, sys, Name)
		told := func() int { synctest.Wait(); return len(probe.Messages()) }
		log, control := NewLogger(Options{})
		control.attach(probe.Address(sys))

		log.Info("x")
		if got := told(); got != 0 {
			t.Errorf("told %d times while nobody reads", got)
		}
		control.read(zapcore.InfoLevel, true)
		if got := told(); got != 1 {
			t.Errorf("told %d times of what came before the reader, want 1", got)
		}
		log.Info("y")
		if got := told(); got != 0 {
			t.Errorf("told %d times more, before it has taken anything", got)
		}
		control.queue.take(nil)
		control.read(zapcore.InfoLevel, true)
		if got := told(); got != 0 {
			t.Errorf("told %d times of an empty queue", got)
		}
		log.Info("z")
		if got := told(); got != 1 {
			t.Errorf("told %d times of a new entry, want 1", got)
		}
	})
}

// TestManyWriters checks that nothing is torn or lost, and that readers see
// entries in their order.
func TestManyWriters(t *testing.T) {
	const writers, each = 8, queueSize / 8
	var p page
	log, control := NewLogger(Options{Level: zapcore.InfoLevel, Sinks: []io.Writer{&p}})
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			l := log.Named("w").With(zap.Int("writer", w))
			for i := range each {
				l.Info("x", zap.Int("i", i))
				control.SetLevel(zapcore.Level(i % 2)) // INFO, WARN
				control.SetLevel(zapcore.InfoLevel)
			}
		})
	}
	wg.Wait()
	for _, line := range p.lines() {
		var w, i int
		if n, err := fmt.Sscanf(line, "[INFO] w: x writer=%d i=%d", &w, &i); n != 2 {
			t.Fatalf("a torn line: %q: %v", line, err)
		}
	}
	waiting, lost := control.queue.take(nil)
	if len(waiting) != writers*each || lost != (tally{}) {
		t.Fatalf("%d wait and %v are lost, want %d and none", len(waiting), lost, writers*each)
	}
	next := map[int64]int64{}
	for i, e := range waiting {
		if e.Seq != uint64(i+1) {
			t.Fatalf("entry %d has Seq %d", i, e.Seq)
		}
		if w := e.Fields[0].Integer; e.Fields[1].Integer != next[w] {
			t.Fatalf("writer %d is at %d, want %d", w, e.Fields[1].Integer, next[w])
		} else {
			next[w]++
		}
	}
}

// flaky fails while it has an error.
type flaky struct{ err error }

func (f *flaky) Write(p []byte) (int, error) { return len(p), f.err }
func (f *flaky) Sync() error                 { return f.err }

func TestSinkThatFails(t *testing.T) {
	bad := &flaky{}
	var good page
	var told strings.Builder
	log, _ := NewLogger(Options{Level: zapcore.InfoLevel, Sinks: []io.Writer{bad, &good}})
	log = log.WithOptions(zap.ErrorOutput(zapcore.AddSync(&told)))

	for _, err := range []error{nil, io.ErrShortWrite, io.ErrShortWrite, nil, io.ErrNoProgress} {
		bad.err = err
		log.Info("x")
	}
	if got := strings.Count(told.String(), "write error"); got != 2 {
		t.Errorf("told %d errors, want one for each row of failures:\n%s", got, told.String())
	}
	if got := len(good.lines()); got != 5 {
		t.Errorf("the other sink got %d lines, want 5", got)
	}
	if err := log.Sync(); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("Sync = %v, want %v", err, io.ErrNoProgress)
	}
}

func TestGate(t *testing.T) {
	var out strings.Builder
	g := NewGate(&out)
	fmt.Fprint(g, "one ")
	fmt.Fprint(g, "two ")
	if out.Len() != 0 {
		t.Fatalf("a closed gate let %q through", out.String())
	}
	out.WriteString("banner ")
	if lost, err := g.Open(); lost != 0 || err != nil {
		t.Errorf("Open = %d, %v", lost, err)
	}
	fmt.Fprint(g, "three")
	if lost, err := g.Open(); lost != 0 || err != nil {
		t.Errorf("Open again = %d, %v", lost, err)
	}
	if got, want := out.String(), "banner one two three"; got != want {
		t.Errorf("wrote %q, want %q", got, want)
	}
}

func TestGateIsBounded(t *testing.T) {
	var out strings.Builder
	g := NewGate(&out)
	line := strings.Repeat("x", 1023) + "\n"
	for range maxGated/1024 + 3 {
		if n, err := g.Write([]byte(line)); n != len(line) || err != nil {
			t.Fatalf("Write = %d, %v", n, err)
		}
	}
	if lost, err := g.Open(); lost != 3 || err != nil || out.Len() != maxGated {
		t.Errorf("Open = %d, %v and wrote %d bytes; want 3 lost and %d bytes", lost, err, out.Len(), maxGated)
	}
}

func TestGateTellsErrors(t *testing.T) {
	g := NewGate(&flaky{err: io.ErrClosedPipe})
	fmt.Fprint(g, "x")
	if _, err := g.Open(); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Open = %v, want %v", err, io.ErrClosedPipe)
	}
}

func BenchmarkDisabled(b *testing.B) {
	log, _ := NewLogger(Options{Level: zapcore.InfoLevel, Sinks: []io.Writer{io.Discard}})
	b.Run("log", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			log.Log(messages.TraceLevel, "x")
		}
	})
	b.Run("check_with_fields", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if ce := log.Check(messages.TraceLevel, "x"); ce != nil {
				ce.Write(zap.String("a", "b"), zap.Int("n", 1))
			}
		}
	})
}

// TestDisabledCostsNothing holds what the benchmark shows.
func TestDisabledCostsNothing(t *testing.T) {
	log, _ := NewLogger(Options{Level: zapcore.InfoLevel})
	n := testing.AllocsPerRun(100, func() {
		log.Log(messages.TraceLevel, "x")
		if ce := log.Check(messages.TraceLevel, "x"); ce != nil {
			ce.Write(zap.String("a", "b"))
		}
	})
	if n != 0 {
		t.Errorf("%v allocations for a level that nobody wants", n)
	}
}

func BenchmarkEnabled(b *testing.B) {
	for _, json := range []bool{false, true} {
		b.Run(map[bool]string{false: "text", true: "json"}[json], func(b *testing.B) {
			log, _ := NewLogger(Options{Level: zapcore.InfoLevel, JSON: json, Sinks: []io.Writer{io.Discard}})
			log = log.Named("raft").With(zap.String("dc", "dc1"))
			b.ReportAllocs()
			for b.Loop() {
				log.Info("pipelining replication", zap.String("peer", "10.1.10.38:8300"), zap.Int("n", 3), zap.Duration("took", time.Second))
			}
		})
	}
	b.Run("queue_only", func(b *testing.B) {
		log, _ := NewLogger(Options{Level: zapcore.InfoLevel, Sinks: []io.Writer{io.Discard}})
		b.ReportAllocs()
		for b.Loop() {
			log.Debug("pipelining replication", zap.String("peer", "10.1.10.38:8300"))
		}
	})
}
