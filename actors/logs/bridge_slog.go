package logs

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"reflect"
	"strings"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"
	"go.uber.org/zap/zapcore"

	"github.com/actor-consul/consul/messages"
)

// Slog returns the logger of the actor framework, which writes to l.
//
// Messages carry tokens and values of other people, so none is ever printed: of the
// attribute "message", and of every other value with parts, the line has the type.
// A failure ("Recovering") is at WARN; dead letters, which a stopping agent makes
// in numbers, are at TRACE; the rest of what the framework finds worth INFO is at
// DEBUG.
func Slog(l *zap.Logger) *slog.Logger {
	handler := func(core zapcore.Core) slog.Handler {
		return zapslog.NewHandler(core, zapslog.WithName(l.Name()), zapslog.AddStacktraceAt(math.MaxInt))
	}
	return slog.New(&frameworkHandler{next: handler(l.Core()), trace: handler(traceCore{l.Core()})})
}

// frameworkHandler makes of what the framework logs what an operator may see.
type frameworkHandler struct {
	next  slog.Handler
	trace slog.Handler // as next, but all at TRACE, which slog does not have
}

var _ slog.Handler = (*frameworkHandler)(nil)

// Enabled implements slog.Handler. Whether a line goes elsewhere than to its level
// is known once it is there.
func (h *frameworkHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelInfo || h.next.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (h *frameworkHandler) Handle(ctx context.Context, r slog.Record) error {
	to, level, text := h.next, r.Level, r.Message
	switch {
	case strings.HasPrefix(text, "[DeadLetter]"):
		to, text = h.trace, "dead letter"
	case strings.Contains(text, "Recovering"):
		level, text = slog.LevelWarn, strings.TrimPrefix(text, "[ACTOR] ")
	case level == slog.LevelInfo:
		level = slog.LevelDebug
	}
	if !to.Enabled(ctx, level) {
		return nil
	}
	out := slog.NewRecord(r.Time, level, text, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		out.AddAttrs(harmless(a))
		return true
	})
	return to.Handle(ctx, out)
}

// WithAttrs implements slog.Handler.
func (h *frameworkHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	clean := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		clean[i] = harmless(a)
	}
	return &frameworkHandler{next: h.next.WithAttrs(clean), trace: h.trace.WithAttrs(clean)}
}

// WithGroup implements slog.Handler.
func (h *frameworkHandler) WithGroup(name string) slog.Handler {
	return &frameworkHandler{next: h.next.WithGroup(name), trace: h.trace.WithGroup(name)}
}

// harmless returns an attribute that shows no message: a PID by its name, numbers
// and texts as they are, what describes itself in its words, and of the rest the
// type.
func harmless(a slog.Attr) slog.Attr {
	v := a.Value.Resolve()
	switch {
	case a.Key == "message":
		return slog.String(a.Key, fmt.Sprintf("%T", v.Any()))
	case v.Kind() == slog.KindGroup:
		var clean []slog.Attr
		for _, member := range v.Group() {
			clean = append(clean, harmless(member))
		}
		return slog.Attr{Key: a.Key, Value: slog.GroupValue(clean...)}
	case v.Kind() != slog.KindAny:
		return slog.Attr{Key: a.Key, Value: v}
	}
	switch x := v.Any().(type) {
	case *actor.PID:
		if x == nil {
			return slog.Attr{}
		}
		return slog.String(a.Key, x.Id)
	case error, fmt.Stringer:
		return slog.String(a.Key, fmt.Sprint(x))
	}
	switch reflect.ValueOf(v.Any()).Kind() {
	case reflect.Struct, reflect.Pointer, reflect.Map, reflect.Slice, reflect.Array, reflect.Func, reflect.Chan, reflect.Invalid:
		return slog.String(a.Key, fmt.Sprintf("%T", v.Any()))
	}
	return slog.String(a.Key, fmt.Sprint(v.Any()))
}

// traceCore writes everything at TRACE.
type traceCore struct{ zapcore.Core }

// Enabled implements zapcore.LevelEnabler.
func (c traceCore) Enabled(zapcore.Level) bool { return c.Core.Enabled(messages.TraceLevel) }

// With implements zapcore.Core.
func (c traceCore) With(fields []zapcore.Field) zapcore.Core { return traceCore{c.Core.With(fields)} }

// Check implements zapcore.Core.
func (c traceCore) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	e.Level = messages.TraceLevel
	return c.Core.Check(e, ce)
}
