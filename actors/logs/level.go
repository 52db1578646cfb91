package logs

import (
	"fmt"
	"strings"

	"go.uber.org/zap/zapcore"

	"github.com/actor-consul/consul/messages"
)

// ParseLevel returns the level of a name, in upper or lower case: trace, debug,
// info, warn (or warning), err (or error). The error names them.
func ParseLevel(name string) (zapcore.Level, error) {
	switch strings.ToLower(name) {
	case "trace":
		return messages.TraceLevel, nil
	case "debug":
		return zapcore.DebugLevel, nil
	case "info":
		return zapcore.InfoLevel, nil
	case "warn", "warning":
		return zapcore.WarnLevel, nil
	case "err", "error":
		return zapcore.ErrorLevel, nil
	}
	return zapcore.InvalidLevel, fmt.Errorf("log level %.32q is none of trace, debug, info, warn, err", name)
}

// textLevel is the name of a level in a line for people.
func textLevel(l zapcore.Level) string {
	switch {
	case l < zapcore.DebugLevel:
		return "TRACE"
	case l == zapcore.DebugLevel:
		return "DEBUG"
	case l == zapcore.InfoLevel:
		return "INFO"
	case l == zapcore.WarnLevel:
		return "WARN"
	}
	return "ERR"
}

// jsonLevel is the name of a level in a line for programs, as Consul's -log-json
// has it.
func jsonLevel(l zapcore.Level) string {
	switch {
	case l < zapcore.DebugLevel:
		return "trace"
	case l == zapcore.DebugLevel:
		return "debug"
	case l == zapcore.InfoLevel:
		return "info"
	case l == zapcore.WarnLevel:
		return "warn"
	}
	return "error"
}
