package logs

import (
	"bytes"
	"io"
	"log"
	"strings"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/actor-consul/consul/messages"
)

// StdLog returns a logger of the standard library that writes to l, for serf,
// memberlist and net/http. A line such as
//
//	[INFO] serf: EventMemberJoin: node-1 10.1.10.38
//
// is taken apart: INFO is its level, serf its logger's name, in place of l's. A line
// without a level is at INFO.
func StdLog(l *zap.Logger) *log.Logger { return log.New(StdWriter(l), "", 0) }

// StdWriter is what StdLog writes to, for libraries that make their own logger
// from a writer. Each Write is one line. Date and time in front are taken off.
func StdWriter(l *zap.Logger) io.Writer { return &stdWriter{log: l} }

type stdWriter struct {
	log    *zap.Logger
	forced *zapcore.Level // takes the place of what the line says
}

// Write implements io.Writer. It never fails.
func (w *stdWriter) Write(p []byte) (int, error) {
	level, name, text := parseLine(string(bytes.TrimRight(p, "\r\n")), w.log.Name())
	if w.forced != nil {
		level = *w.forced
	}
	ce := w.log.Check(level, text)
	if ce != nil {
		ce.LoggerName = name
		ce.Write()
	}
	return len(p), nil
}

// tags are what lines of serf and memberlist begin with. Some of memberlist's
// have the last one.
var tags = []struct {
	tag   string
	level zapcore.Level
}{
	{"[TRACE] ", messages.TraceLevel},
	{"[DEBUG] ", zapcore.DebugLevel},
	{"[INFO] ", zapcore.InfoLevel},
	{"[WARN] ", zapcore.WarnLevel},
	{"[ERR] ", zapcore.ErrorLevel},
	{"[ERROR] ", zapcore.ErrorLevel},
	{"Err: ", zapcore.ErrorLevel},
}

// parseLine takes a line apart. The name is what stands before the first colon,
// when it reads as a name and the line has a level; a line without one may carry
// the name of its logger all the same, as net/http's do, but no other.
func parseLine(line, logger string) (level zapcore.Level, name, text string) {
	level, text = zapcore.InfoLevel, withoutTime(line)
	tagged := false
	for _, t := range tags {
		if rest, ok := strings.CutPrefix(text, t.tag); ok {
			level, text, tagged = t.level, strings.TrimLeft(rest, " "), true
			break
		}
	}
	prefix, rest, ok := strings.Cut(text, ": ")
	if ok && (prefix == logger || tagged && isName(prefix)) {
		return level, prefix, rest
	}
	return level, logger, text
}

// withoutTime takes off what package log puts in front of a line with its standard
// flags, and its microseconds.
func withoutTime(line string) string {
	const layout = "2006/01/02 15:04:05"
	if len(line) <= len(layout) {
		return line
	}
	for i, c := range []byte(layout) {
		digit := line[i] >= '0' && line[i] <= '9'
		if isDigit := c >= '0' && c <= '9'; isDigit != digit || !isDigit && line[i] != c {
			return line
		}
	}
	rest := line[len(layout):]
	if rest[0] == '.' {
		rest = strings.TrimLeft(rest[1:], "0123456789")
	}
	return strings.TrimLeft(rest, " ")
}

// isName reports whether s can be the name of a logger.
func isName(s string) bool {
	for i, c := range []byte(s) {
		letter := c >= 'a' && c <= 'z'
		if !letter && (i == 0 || !strings.ContainsRune("0123456789._-", rune(c))) {
			return false
		}
	}
	return s != "" && len(s) <= 32
}
