package logs

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/messages"
)

// bench is a log with its actor, in virtual time.
type bench struct {
	log     *zap.Logger
	control *Control
	page    page
	parent  *actortest.Probe
	at      ask.Address
	tell    func(any) // and wait
	stop    func()
}

// inBubble runs a test with a log whose sink is at INFO.
func inBubble(t *testing.T, test func(t *testing.T, b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{}
		b.log, b.control = NewLogger(Options{Level: zapcore.InfoLevel, Sinks: []io.Writer{&b.page}})
		b.log.Info("before the actor")
		sys := actortest.System(t)
		b.at, b.parent = actortest.Parent(t, sys, New(Config{Logger: b.log, Control: b.control}), Name)
		b.tell = func(m any) { b.at.Tell(m); synctest.Wait() }
		b.stop = func() { sys.Root.Stop(b.at.PID()); synctest.Wait() }
		synctest.Wait()
		if got := b.parent.Got(); !slices.Equal(got, []string{"Ready{}"}) {
			t.Fatalf("the parent heard %v, want Ready", got)
		}
		test(t, b)
	})
}

func (b *bench) subscribe(t *testing.T, l zapcore.Level) *messages.LogSubscription {
	t.Helper()
	sub, err := ask.Do(t.Context(), b.at, &messages.SubscribeLogs{Level: l})
	if err != nil {
		t.Fatal(err)
	}
	return sub
}

// crash makes the actor panic, and waits until it is back.
func (b *bench) crash(t *testing.T) {
	t.Helper()
	b.tell((*messages.SubscribeLogs)(nil))
	if got := b.parent.Got(); !slices.Equal(got, []string{"Ready{}"}) {
		t.Fatalf("after a crash the parent heard %v, want Ready", got)
	}
}

// texts returns what has come so far, with what was lost before it, and "closed"
// at the end of a closed channel.
func texts(entries <-chan messages.LogUpdate) string {
	synctest.Wait()
	var got []string
	for {
		select {
		case u, ok := <-entries:
			if !ok {
				return strings.Join(append(got, "closed"), " ")
			}
			word := u.Entry.Text
			if u.Lost > 0 {
				word += fmt.Sprintf("+%d", u.Lost)
			}
			got = append(got, word)
		default:
			return strings.Join(got, " ")
		}
	}
}

func recent(sub *messages.LogSubscription) string {
	var got []string
	for _, e := range sub.Recent {
		got = append(got, e.Text)
	}
	return strings.Join(got, "|")
}

func TestSubscribe(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.log.Debug("unseen")
		warn := b.subscribe(t, zapcore.WarnLevel)
		debug := b.subscribe(t, zapcore.DebugLevel)
		if got, want := recent(debug), "before the actor|unseen"; got != want {
			t.Errorf("recent at DEBUG: %q, want %q", got, want)
		}
		if got := recent(warn); got != "" {
			t.Errorf("recent at WARN: %q", got)
		}

		b.log.Debug("d")
		b.log.Info("i")
		b.log.Warn("w")
		if got := texts(debug.Entries); got != "d i w" {
			t.Errorf("at DEBUG came %q", got)
		}
		if got := texts(warn.Entries); got != "w" {
			t.Errorf("at WARN came %q", got)
		}
	})
}

// TestTraceIsMadeWhileSomebodyReadsIt checks that the level that a reader asks for
// comes and goes with it, and leaves the sink as it is.
func TestTraceIsMadeWhileSomebodyReadsIt(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		sub := b.subscribe(t, messages.TraceLevel)
		b.log.Log(messages.TraceLevel, "t")
		b.tell(&messages.UnsubscribeLogs{ID: sub.ID})
		if b.log.Core().Enabled(messages.TraceLevel) {
			t.Error("TRACE is enabled with nobody to read it")
		}
		b.log.Log(messages.TraceLevel, "unread")
		b.tell(&messages.UnsubscribeLogs{ID: sub.ID}) // once more does nothing
		if got := texts(sub.Entries); got != "t closed" {
			t.Errorf("came %q, want the entry and the end", got)
		}
		if got := b.page.lines(); !slices.Equal(got, []string{"[INFO] before the actor"}) {
			t.Errorf("the sink got %q", got)
		}
		if got := recent(b.subscribe(t, messages.TraceLevel)); got != "before the actor" {
			t.Errorf("recent is %q, which has TRACE in it", got)
		}
	})
}

func TestSlowReaderLosesAndIsTold(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		slow := b.subscribe(t, zapcore.InfoLevel)
		quick := b.subscribe(t, zapcore.InfoLevel)
		for range readerRoom + 5 {
			b.log.Info("x")
			if got := texts(quick.Entries); got != "x" {
				t.Fatalf("the quick reader got %q", got)
			}
		}
		if got, want := texts(slow.Entries), strings.Repeat("x ", readerRoom-1)+"x"; got != want {
			t.Errorf("the slow reader got %d bytes, want %d", len(got), len(want))
		}
		b.log.Info("y")
		b.log.Info("z")
		if got := texts(slow.Entries); got != "y+5 z" {
			t.Errorf("then it got %q, want y+5 z", got)
		}
	})
}

func TestReaderThatWentIsGivenUp(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		sub := b.subscribe(t, messages.TraceLevel)
		for range readerRoom + patience + 1 {
			b.log.Info("x")
			synctest.Wait()
		}
		if b.log.Core().Enabled(messages.TraceLevel) {
			t.Error("its level is still enabled")
		}
		if got := texts(sub.Entries); !strings.HasSuffix(got, "x closed") {
			t.Error("its channel is still open")
		}
	})
}

// TestRestart crashes the actor: readers are sent away, find by Seq where they
// were, and nothing that was logged meanwhile is lost.
func TestRestart(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		sub := b.subscribe(t, zapcore.InfoLevel)
		b.log.Info("one")
		b.crash(t)
		if got := texts(sub.Entries); got != "one closed" {
			t.Errorf("came %q, want the entry and the end", got)
		}
		b.log.Info("two")
		again := b.subscribe(t, zapcore.InfoLevel)
		if again.ID == sub.ID {
			t.Error("the new subscription has the ID of the old")
		}
		if got := recent(again); got != "two" || again.Recent[0].Seq <= 2 {
			t.Errorf("recent is %q, %d; want what came after the restart", got, again.Recent[0].Seq)
		}
		b.tell(&messages.UnsubscribeLogs{ID: sub.ID}) // late
		b.log.Info("three")
		if got := texts(again.Entries); got != "three" {
			t.Errorf("then came %q", got)
		}
	})
}

func TestStop(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		sub := b.subscribe(t, messages.TraceLevel)
		b.log.Info("last")
		b.stop()
		b.log.Info("after")
		if got := texts(sub.Entries); got != "last closed" {
			t.Errorf("came %q, want the last entry and the end", got)
		}
		if b.log.Core().Enabled(messages.TraceLevel) {
			t.Error("TRACE is enabled with nobody to read it")
		}
		if got := b.page.lines(); !slices.Equal(got, []string{"[INFO] before the actor", "[INFO] last", "[INFO] after"}) {
			t.Errorf("the sink got %q", got)
		}
		if _, err := ask.Do(t.Context(), b.at, &messages.SubscribeLogs{}); !errors.Is(err, messages.ErrUnavailable) {
			t.Errorf("a subscription after the end: %v, want %v", err, messages.ErrUnavailable)
		}
	})
}

func TestReconfigure(t *testing.T) {
	tests := []struct {
		name, level string
		want        zapcore.Level
		line        string
	}{
		{name: "lower", level: "debug", want: zapcore.DebugLevel, line: "[INFO] agent: log level changed from=INFO to=DEBUG"},
		{name: "higher_says_so_only_where_it_is_read", level: "ERR", want: zapcore.ErrorLevel},
		{name: "same", level: "INFO", want: zapcore.InfoLevel},
		{name: "none", level: "", want: zapcore.InfoLevel},
		{name: "wrong", level: "loud", want: zapcore.InfoLevel, line: `[WARN] agent: the log level stays as it is error="log level \"loud\" is none of trace, debug, info, warn, err"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bench) {
				b.page.lines()
				b.tell(&messages.Reconfigure{LogLevel: tt.level})
				if got := b.control.Level(); got != tt.want {
					t.Errorf("level is %v, want %v", got, tt.want)
				}
				if got := strings.Join(b.page.lines(), "\n"); got != tt.line {
					t.Errorf("logged\n%s\nwant\n%s", got, tt.line)
				}
			})
		})
	}
}

func TestUnexpectedMessage(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.page.lines()
		b.tell(&messages.BeginLeave{Why: "not for logs"})
		if got := b.page.lines(); !slices.Equal(got, []string{"[WARN] agent: unexpected message type=*messages.BeginLeave"}) {
			t.Errorf("logged %q", got)
		}
	})
}

// TestQueueLossIsTold fills the queue faster than the actor takes it: the actor is
// not there yet when its reader's entries are lost.
func TestQueueLossIsTold(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		sub := b.subscribe(t, zapcore.WarnLevel)
		b.control.attach(ask.Address{}) // as while it restarts
		for range 7 {
			b.log.Warn("w")
			b.log.Info("i") // not this reader's
		}
		for range queueSize {
			b.log.Debug("d")
		}
		b.control.attach(b.at)
		b.log.Warn("end")
		if got := texts(sub.Entries); got != "end+7" {
			t.Errorf("came %q, want end+7", got)
		}
	})
}
