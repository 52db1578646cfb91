package logs

import (
	"fmt"
	"io"
	"log"
	"reflect"
	"strconv"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/actor-consul/consul/messages"
)

// Hclog returns a logger for hashicorp/raft, raft-wal and raft-autopilot that
// writes to l. What raft says of its elections is worded as Consul's users know
// it; see electionLine.
//
// Levels are the root logger's: SetLevel does nothing.
func Hclog(l *zap.Logger) hclog.Logger { return &hclogger{log: l} }

type hclogger struct {
	log     *zap.Logger // has the implied fields
	implied []any
}

var _ hclog.Logger = (*hclogger)(nil)

// Log implements hclog.Logger.
func (h *hclogger) Log(level hclog.Level, msg string, args ...any) {
	if level != hclog.Off {
		h.write(fromHclog(level), msg, args)
	}
}

// Trace implements hclog.Logger.
func (h *hclogger) Trace(msg string, args ...any) { h.write(messages.TraceLevel, msg, args) }

// Debug implements hclog.Logger.
func (h *hclogger) Debug(msg string, args ...any) { h.write(zapcore.DebugLevel, msg, args) }

// Info implements hclog.Logger.
func (h *hclogger) Info(msg string, args ...any) { h.write(zapcore.InfoLevel, msg, args) }

// Warn implements hclog.Logger.
func (h *hclogger) Warn(msg string, args ...any) { h.write(zapcore.WarnLevel, msg, args) }

// Error implements hclog.Logger.
func (h *hclogger) Error(msg string, args ...any) { h.write(zapcore.ErrorLevel, msg, args) }

// IsTrace implements hclog.Logger.
func (h *hclogger) IsTrace() bool { return h.log.Core().Enabled(messages.TraceLevel) }

// IsDebug implements hclog.Logger.
func (h *hclogger) IsDebug() bool { return h.log.Core().Enabled(zapcore.DebugLevel) }

// IsInfo implements hclog.Logger.
func (h *hclogger) IsInfo() bool { return h.log.Core().Enabled(zapcore.InfoLevel) }

// IsWarn implements hclog.Logger.
func (h *hclogger) IsWarn() bool { return h.log.Core().Enabled(zapcore.WarnLevel) }

// IsError implements hclog.Logger.
func (h *hclogger) IsError() bool { return h.log.Core().Enabled(zapcore.ErrorLevel) }

// ImpliedArgs implements hclog.Logger.
func (h *hclogger) ImpliedArgs() []any { return h.implied }

// With implements hclog.Logger.
func (h *hclogger) With(args ...any) hclog.Logger {
	implied := append(h.implied[:len(h.implied):len(h.implied)], args...)
	return &hclogger{log: h.log.With(hclogFields(args)...), implied: implied}
}

// Name implements hclog.Logger.
func (h *hclogger) Name() string { return h.log.Name() }

// Named implements hclog.Logger.
func (h *hclogger) Named(name string) hclog.Logger {
	return &hclogger{log: h.log.Named(name), implied: h.implied}
}

// ResetNamed implements hclog.Logger.
func (h *hclogger) ResetNamed(name string) hclog.Logger {
	return &hclogger{log: zap.New(h.log.Core()).Named(name), implied: h.implied}
}

// SetLevel implements hclog.Logger. The level is the agent's.
func (h *hclogger) SetLevel(hclog.Level) {}

// GetLevel implements hclog.Logger.
func (h *hclogger) GetLevel() hclog.Level {
	switch l := h.log.Level(); {
	case l <= messages.TraceLevel:
		return hclog.Trace
	case l == zapcore.DebugLevel:
		return hclog.Debug
	case l == zapcore.InfoLevel:
		return hclog.Info
	case l == zapcore.WarnLevel:
		return hclog.Warn
	}
	return hclog.Error
}

// StandardLogger implements hclog.Logger.
func (h *hclogger) StandardLogger(opts *hclog.StandardLoggerOptions) *log.Logger {
	return log.New(h.StandardWriter(opts), "", 0)
}

// StandardWriter implements hclog.Logger. Levels in brackets are always taken
// off.
func (h *hclogger) StandardWriter(opts *hclog.StandardLoggerOptions) io.Writer {
	w := &stdWriter{log: h.log}
	if opts != nil && opts.ForceLevel != hclog.NoLevel {
		level := fromHclog(opts.ForceLevel)
		w.forced = &level
	}
	return w
}

func (h *hclogger) write(level zapcore.Level, msg string, args []any) {
	if ce := h.log.Check(level, msg); ce != nil {
		text, rest := electionLine(msg, args)
		ce.Message = text
		ce.Write(hclogFields(rest)...)
	}
}

// electionLine words what raft 1.8 says of an election as raft did when its lines
// were the ones that Consul's guides print. Of the fields it leaves those that say
// more than the line does. Everything else stays as it is.
func electionLine(msg string, args []any) (string, []any) {
	switch msg {
	case "entering follower state":
		return stateLine("Follower", "follower", msg, args)
	case "entering candidate state":
		return stateLine("Candidate", "node", msg, args)
	case "entering leader state":
		return stateLine("Leader", "leader", msg, args)
	case "heartbeat timeout reached, starting election":
		return "Heartbeat timeout reached, starting election", except(args)
	case "election won":
		if tally, ok := argument(args, "tally"); ok {
			return fmt.Sprintf("Election won. Tally: %v", tally), except(args, "tally", "term")
		}
	}
	return msg, args
}

// stateLine is a change of role; the argument key is the node, which describes
// itself.
func stateLine(state, key, msg string, args []any) (string, []any) {
	node, ok := argument(args, key)
	if !ok {
		return msg, args
	}
	return fmt.Sprintf("%v entering %s state", node, state), except(args, key, "term")
}

// argument returns the value of a key.
func argument(args []any, key string) (any, bool) {
	for i := 0; i+1 < len(args); i += 2 {
		if args[i] == any(key) {
			return args[i+1], true
		}
	}
	return nil, false
}

// except returns the pairs without those keys, and without those that are empty
// texts.
func except(args []any, keys ...string) (rest []any) {
	for i := 0; i+1 < len(args); i += 2 {
		drop := fmt.Sprint(args[i+1]) == ""
		for _, key := range keys {
			drop = drop || args[i] == any(key)
		}
		if !drop {
			rest = append(rest, args[i], args[i+1])
		}
	}
	return rest
}

// hclogFields makes fields of alternating keys and values.
func hclogFields(args []any) []zapcore.Field {
	fields := make([]zapcore.Field, 0, (len(args)+1)/2)
	for ; len(args) >= 2; args = args[2:] {
		key, ok := args[0].(string)
		if !ok {
			key = fmt.Sprint(args[0])
		}
		fields = append(fields, hclogField(key, args[1]))
	}
	if len(args) == 1 {
		key := hclog.MissingKey
		if _, ok := args[0].(hclog.CapturedStacktrace); ok {
			key = "stack"
		}
		fields = append(fields, hclogField(key, args[0]))
	}
	return fields
}

// hclogField makes a field of a value: of hclog's own kinds, of what describes
// itself, of structs as fmt prints them, and of the rest as zap does.
func hclogField(key string, value any) zapcore.Field {
	switch v := value.(type) {
	case hclog.Format:
		if len(v) == 0 {
			return zap.Skip()
		}
		return zap.String(key, fmt.Sprintf(fmt.Sprint(v[0]), v[1:]...))
	case hclog.Hex:
		return zap.String(key, "0x"+strconv.FormatUint(uint64(v), 16))
	case hclog.Octal:
		return zap.String(key, "0"+strconv.FormatUint(uint64(v), 8))
	case hclog.Binary:
		return zap.String(key, "0b"+strconv.FormatUint(uint64(v), 2))
	case time.Time, time.Duration:
		return zap.Any(key, v)
	case error:
		return zap.NamedError(key, v)
	case fmt.Stringer:
		return zap.Stringer(key, v)
	}
	switch v := reflect.Indirect(reflect.ValueOf(value)); v.Kind() {
	case reflect.Struct, reflect.Interface:
		return zap.String(key, fmt.Sprintf("%+v", v))
	}
	return zap.Any(key, value)
}

// fromHclog returns zap's level; no level is INFO.
func fromHclog(l hclog.Level) zapcore.Level {
	switch l {
	case hclog.Trace:
		return messages.TraceLevel
	case hclog.Debug:
		return zapcore.DebugLevel
	case hclog.Warn:
		return zapcore.WarnLevel
	case hclog.Error:
		return zapcore.ErrorLevel
	}
	return zapcore.InfoLevel
}
