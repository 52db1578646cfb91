package logs

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.uber.org/zap/zapcore"

	"github.com/actor-consul/consul/messages"
)

// AppendText appends an entry as a line for people, without its end:
//
//	2026/11/22 07:31:00 [INFO] serf: EventMemberJoin: node-1 10.1.10.38 key=value
//
// What is not printable is escaped, and a value that would not read as one is
// quoted, so that whatever the text was made of, it is one line.
func AppendText(dst []byte, e messages.LogEntry) []byte {
	dst = e.Time.AppendFormat(dst, "2006/01/02 15:04:05")
	dst = append(dst, " ["...)
	dst = append(dst, textLevel(e.Level)...)
	dst = append(dst, "] "...)
	if e.Logger != "" {
		dst = appendPrintable(dst, e.Logger)
		dst = append(dst, ": "...)
	}
	dst = appendPrintable(dst, e.Text)
	for _, f := range e.Fields {
		if !isPlain(&f) {
			f = plain(f)
		}
		dst = append(dst, ' ')
		dst = appendKey(dst, f.Key)
		dst = append(dst, '=')
		dst = appendTextValue(dst, &f)
	}
	return dst
}

// AppendJSON appends an entry as a JSON object, without the end of its line, with
// the keys that Consul's -log-json has: @level, @message, @module, @timestamp and
// those of the fields.
func AppendJSON(dst []byte, e messages.LogEntry) []byte {
	dst = append(dst, `{"@level":"`...)
	dst = append(dst, jsonLevel(e.Level)...)
	dst = append(dst, `","@message":`...)
	dst = appendJSONString(dst, e.Text)
	if e.Logger != "" {
		dst = append(dst, `,"@module":`...)
		dst = appendJSONString(dst, e.Logger)
	}
	dst = append(dst, `,"@timestamp":"`...)
	dst = e.Time.AppendFormat(dst, time.RFC3339Nano)
	dst = append(dst, '"')
	for _, f := range e.Fields {
		if !isPlain(&f) {
			f = plain(f)
		}
		dst = append(dst, ',')
		dst = appendJSONString(dst, strings.TrimLeft(f.Key, "@")) // not in place of ours
		dst = append(dst, ':')
		dst = appendJSONValue(dst, &f)
	}
	return append(dst, '}')
}

func appendTextValue(dst []byte, f *zapcore.Field) []byte {
	switch f.Type {
	case zapcore.StringType:
		if f.Key == "error" || needsQuotes(f.String) {
			return strconv.AppendQuote(dst, f.String)
		}
		return append(dst, f.String...)
	case zapcore.ReflectType:
		return appendRawJSON(dst, f.Interface.(json.RawMessage))
	}
	return appendScalar(dst, f)
}

func appendJSONValue(dst []byte, f *zapcore.Field) []byte {
	switch f.Type {
	case zapcore.StringType:
		return appendJSONString(dst, f.String)
	case zapcore.ReflectType:
		return appendRawJSON(dst, f.Interface.(json.RawMessage))
	case zapcore.DurationType, zapcore.TimeType, zapcore.TimeFullType:
		dst = append(dst, '"')
		dst = appendScalar(dst, f)
		return append(dst, '"')
	case zapcore.Float64Type, zapcore.Float32Type:
		if v := float(f); math.IsNaN(v) || math.IsInf(v, 0) { // JSON has no number for them
			dst = append(dst, '"')
			dst = appendScalar(dst, f)
			return append(dst, '"')
		}
	}
	return appendScalar(dst, f)
}

// appendScalar appends a field that is neither a string nor JSON; both forms of a
// line write it the same, but for the quotes.
func appendScalar(dst []byte, f *zapcore.Field) []byte {
	switch f.Type {
	case zapcore.BoolType:
		return strconv.AppendBool(dst, f.Integer == 1)
	case zapcore.DurationType:
		return append(dst, time.Duration(f.Integer).String()...)
	case zapcore.TimeType:
		t := time.Unix(0, f.Integer)
		if loc, ok := f.Interface.(*time.Location); ok {
			t = t.In(loc)
		}
		return t.AppendFormat(dst, time.RFC3339Nano)
	case zapcore.TimeFullType:
		return f.Interface.(time.Time).AppendFormat(dst, time.RFC3339Nano)
	case zapcore.Float64Type:
		return strconv.AppendFloat(dst, float(f), 'g', -1, 64)
	case zapcore.Float32Type:
		return strconv.AppendFloat(dst, float(f), 'g', -1, 32)
	case zapcore.Uint64Type, zapcore.Uint32Type, zapcore.Uint16Type, zapcore.Uint8Type, zapcore.UintptrType:
		return strconv.AppendUint(dst, uint64(f.Integer), 10)
	}
	return strconv.AppendInt(dst, f.Integer, 10)
}

func float(f *zapcore.Field) float64 {
	if f.Type == zapcore.Float32Type {
		return float64(math.Float32frombits(uint32(f.Integer)))
	}
	return math.Float64frombits(uint64(f.Integer))
}

// appendPrintable appends a text as it is, but for what is not printable.
func appendPrintable(dst []byte, s string) []byte {
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			dst = append(dst, `\x`...)
			dst = append(dst, hex[s[0]>>4], hex[s[0]&15])
		case strconv.IsPrint(r):
			dst = append(dst, s[:n]...)
		default:
			quoted := strconv.AppendQuoteRune(dst, r) // ...'\n'
			dst = append(dst, quoted[len(dst)+1:len(quoted)-1]...)
		}
		s = s[n:]
	}
	return dst
}

const hex = "0123456789abcdef"

// appendKey appends the name of a field, in which nothing may look like the end
// of a name.
func appendKey(dst []byte, key string) []byte {
	if !needsQuotes(key) {
		return append(dst, key...)
	}
	for _, r := range key {
		if r <= ' ' || r == '=' || r == '"' || !strconv.IsPrint(r) {
			r = '_'
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst
}

// needsQuotes reports whether a value would not be read as one value.
func needsQuotes(s string) bool {
	for _, r := range s {
		if r == ' ' || r == '"' || r == '=' || r == utf8.RuneError || !strconv.IsPrint(r) {
			return true
		}
	}
	return s == ""
}

// appendJSONString appends s as a JSON string without anything unprintable in it;
// what is not UTF-8 becomes the replacement character.
func appendJSONString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for _, r := range s {
		switch r {
		case '"', '\\':
			dst = append(dst, '\\', byte(r))
		case '\n':
			dst = append(dst, `\n`...)
		case '\t':
			dst = append(dst, `\t`...)
		default:
			dst = appendJSONRune(dst, r)
		}
	}
	return append(dst, '"')
}

// appendRawJSON appends a JSON value, in which nothing but the inside of a string
// can be unprintable.
func appendRawJSON(dst []byte, raw []byte) []byte {
	for _, r := range string(raw) {
		dst = appendJSONRune(dst, r)
	}
	return dst
}

// appendJSONRune appends r, escaped when it is not printable.
func appendJSONRune(dst []byte, r rune) []byte {
	if strconv.IsPrint(r) {
		return utf8.AppendRune(dst, r)
	}
	if r > 0xffff { // a surrogate pair
		r -= 0x10000
		dst = appendUnicode(dst, 0xd800+r>>10)
		r = 0xdc00 + r&0x3ff
	}
	return appendUnicode(dst, r)
}

func appendUnicode(dst []byte, r rune) []byte {
	return append(dst, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
}
