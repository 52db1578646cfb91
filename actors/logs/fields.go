package logs

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// maxText is how many bytes of a text, or of one field, are kept. It has room for
// a stack trace; what is longer was not written to be read.
const maxText = 16 << 10

// appendOwn appends fields to dst in a form that stays as it is: numbers, times,
// texts, and JSON for what has parts. zap's own fields may hold pointers to what
// their writer goes on changing, while the entry lives on in the actor.
//
// zap.Namespace becomes a dotted prefix of the keys that follow; the prefix that is
// then in force is returned.
func appendOwn(dst []zapcore.Field, prefix string, fields []zapcore.Field) ([]zapcore.Field, string) {
	for _, f := range fields {
		switch f.Type {
		case zapcore.SkipType:
			continue
		case zapcore.NamespaceType:
			prefix += f.Key + "."
			continue
		case zapcore.InlineMarshalerType:
			dst, _ = appendOwn(dst, prefix, inlined(f))
			continue
		}
		f = plain(f)
		f.Key = prefix + f.Key
		dst = append(dst, f)
	}
	return dst, prefix
}

// isPlain reports whether a field is in the form that plain gives it.
func isPlain(f *zapcore.Field) bool {
	switch f.Type {
	case zapcore.BoolType, zapcore.DurationType, zapcore.TimeType, zapcore.TimeFullType,
		zapcore.Float64Type, zapcore.Float32Type,
		zapcore.Int64Type, zapcore.Int32Type, zapcore.Int16Type, zapcore.Int8Type,
		zapcore.Uint64Type, zapcore.Uint32Type, zapcore.Uint16Type, zapcore.Uint8Type, zapcore.UintptrType:
		return true
	case zapcore.StringType:
		return len(f.String) <= maxText
	case zapcore.ReflectType:
		_, ok := f.Interface.(json.RawMessage)
		return ok
	}
	return false
}

// plain turns a field into one that refers to nothing that can change. A method
// that panics on the way spoils its field and not the agent.
func plain(f zapcore.Field) (out zapcore.Field) {
	if isPlain(&f) && f.Type != zapcore.ReflectType {
		return f
	}
	defer func() {
		if r := recover(); r != nil {
			out = zap.String(f.Key, panicked(f.Interface, r))
		}
	}()
	switch f.Type {
	case zapcore.StringType:
		return zap.String(f.Key, clip(f.String))
	case zapcore.ErrorType:
		return zap.String(f.Key, clip(f.Interface.(error).Error()))
	case zapcore.StringerType:
		return zap.String(f.Key, clip(f.Interface.(fmt.Stringer).String()))
	case zapcore.ByteStringType:
		return zap.String(f.Key, clip(string(f.Interface.([]byte))))
	case zapcore.BinaryType:
		return zap.String(f.Key, clip(base64.StdEncoding.EncodeToString(f.Interface.([]byte))))
	case zapcore.Complex128Type:
		return zap.String(f.Key, strconv.FormatComplex(f.Interface.(complex128), 'g', -1, 128))
	case zapcore.Complex64Type:
		return zap.String(f.Key, strconv.FormatComplex(complex128(f.Interface.(complex64)), 'g', -1, 64))
	case zapcore.ReflectType:
		return reflected(f)
	}
	return encoded(f)
}

// panicked is what is told instead of a value whose method has panicked.
func panicked(v, reason any) string {
	if r := reflect.ValueOf(v); !r.IsValid() || r.Kind() == reflect.Pointer && r.IsNil() {
		return "<nil>"
	}
	return clip(fmt.Sprintf("%T panicked: %v", v, reason))
}

// reflected turns a value that zap has no type for into a number or a text when it
// is one under another name (raft.ServerID), and into JSON otherwise.
func reflected(f zapcore.Field) zapcore.Field {
	switch v := reflect.ValueOf(f.Interface); v.Kind() {
	case reflect.Invalid:
		return zap.String(f.Key, "<nil>")
	case reflect.String:
		return zap.String(f.Key, clip(v.String()))
	case reflect.Bool:
		return zap.Bool(f.Key, v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return zap.Int64(f.Key, v.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return zap.Uint64(f.Key, v.Uint())
	case reflect.Float32, reflect.Float64:
		return zap.Float64(f.Key, v.Float())
	}
	return encoded(f)
}

// encoded turns a field into one that holds its JSON.
func encoded(f zapcore.Field) zapcore.Field {
	key := f.Key
	f.Key = ""
	enc := zapcore.NewJSONEncoder(zapcore.EncoderConfig{
		SkipLineEnding: true,
		EncodeDuration: zapcore.StringDurationEncoder,
		EncodeTime:     zapcore.RFC3339NanoTimeEncoder,
	})
	buf, err := enc.EncodeEntry(zapcore.Entry{}, []zapcore.Field{f})
	if err != nil {
		return zap.String(key, clip(fmt.Sprintf("%T: %v", f.Interface, err)))
	}
	defer buf.Free()
	val, found := bytes.CutPrefix(buf.Bytes(), []byte(`{"":`))
	if !found { // zap puts an error where a value should be
		return zap.String(key, fmt.Sprintf("%T", f.Interface))
	}
	val = val[:len(val)-1]
	if len(val) > maxText || !json.Valid(val) {
		return zap.String(key, clip(string(val)))
	}
	return zap.Reflect(key, json.RawMessage(bytes.Clone(val)))
}

// inlined returns the fields that an object adds, by key.
func inlined(f zapcore.Field) (fields []zapcore.Field) {
	defer func() {
		if r := recover(); r != nil {
			fields = []zapcore.Field{zap.String("object", panicked(f.Interface, r))}
		}
	}()
	enc := zapcore.NewMapObjectEncoder()
	f.AddTo(enc)
	for k, v := range enc.Fields {
		fields = append(fields, zap.Any(k, v))
	}
	slices.SortFunc(fields, func(a, b zapcore.Field) int { return strings.Compare(a.Key, b.Key) })
	return fields
}

// clip cuts a text to maxText and says by how much.
func clip(s string) string {
	if len(s) <= maxText {
		return s
	}
	n := maxText
	for n > maxText-utf8.UTFMax && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "... (" + strconv.Itoa(len(s)-n) + " bytes more)"
}
