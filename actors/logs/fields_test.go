package logs

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// faulty is everything that a field can be, and panics as each.
type faulty struct{}

func (faulty) Error() string                                { panic("no error") }
func (faulty) String() string                               { panic("no string") }
func (faulty) MarshalJSON() ([]byte, error)                 { return nil, errors.New("no JSON") }
func (faulty) MarshalLogObject(zapcore.ObjectEncoder) error { panic("no object") }

// Numbers that zap has no field for.
type (
	level int
	size  uint16
	flag  bool
	ratio float32
)

func TestOwn(t *testing.T) {
	var none *peer
	tests := []struct {
		name   string
		fields []zapcore.Field
		want   string
	}{
		{name: "nothing"},
		{name: "skip", fields: []zapcore.Field{zap.Skip(), zap.Error(nil)}},
		{name: "namespace", fields: []zapcore.Field{zap.Int("a", 1), zap.Namespace("n"), zap.Int("b", 2), zap.Namespace("m"), zap.Int("c", 3)}, want: " a=1 n.b=2 n.m.c=3"},
		{name: "inline", fields: []zapcore.Field{zap.Inline(&peer{"x"}), zap.Int("a", 1)}, want: " name=x port=8300 a=1"},
		{name: "inline_in_namespace", fields: []zapcore.Field{zap.Namespace("n"), zap.Inline(&peer{"x"})}, want: " n.name=x n.port=8300"},
		{name: "wrapped_error", fields: []zapcore.Field{zap.Error(fmt.Errorf("a: %w", errors.New("b")))}, want: ` error="a: b"`},
		{name: "nil_stringer", fields: []zapcore.Field{zap.Stringer("s", none)}, want: " s=<nil>"},
		{name: "no_stringer", fields: []zapcore.Field{zap.Stringer("s", nil)}, want: " s=<nil>"},
		{name: "error_panics", fields: []zapcore.Field{zap.NamedError("e", faulty{})}, want: ` e="logs.faulty panicked: no error"`},
		{name: "stringer_panics", fields: []zapcore.Field{zap.Stringer("s", faulty{})}, want: ` s="logs.faulty panicked: no string"`},
		{name: "object_panics", fields: []zapcore.Field{zap.Object("o", faulty{})}, want: ` o="logs.faulty panicked: no object"`},
		{name: "inline_panics", fields: []zapcore.Field{zap.Inline(faulty{})}, want: ` object="logs.faulty panicked: no object"`},
		{name: "no_json", fields: []zapcore.Field{zap.Reflect("j", []any{faulty{}})}, want: ` j="[]interface {}"`},
		{name: "channel", fields: []zapcore.Field{zap.Any("c", (chan int)(nil))}, want: " c=\"chan int\""},
		{name: "numbers_under_another_name", fields: []zapcore.Field{zap.Any("i", level(-1)), zap.Any("u", size(1)), zap.Any("b", flag(true)), zap.Any("f", ratio(0.5))}, want: " i=-1 u=1 b=true f=0.5"},
		{name: "complex", fields: []zapcore.Field{zap.Complex128("c", 1+2i), zap.Complex64("d", 2)}, want: " c=(1+2i) d=(2+0i)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			own, _ := appendOwn(nil, "", tt.fields)
			e := entry(zapcore.InfoLevel, "", "")
			e.Fields = own
			if _, got, _ := strings.Cut(string(AppendText(nil, e)), "[INFO] "); got != tt.want {
				t.Errorf("fields read %q, want %q", got, tt.want)
			}
			for _, f := range own {
				if !isPlain(&f) {
					t.Errorf("%s is not plain: %+v", f.Key, f)
				}
			}
			if j := AppendJSON(nil, e); !json.Valid(j) {
				t.Errorf("not JSON: %s", j)
			}
		})
	}
}

// TestOwnedFieldsStay changes everything that fields refer to after they were
// taken.
func TestOwnedFieldsStay(t *testing.T) {
	p := &peer{"before"}
	list, raw, bin := []string{"before"}, []byte("before"), []byte{0}
	m := map[string]string{"k": "before"}
	fields := []zapcore.Field{
		zap.Stringer("stringer", p), zap.Object("object", p), zap.Strings("list", list),
		zap.ByteString("bytes", raw), zap.Binary("binary", bin), zap.Any("map", m),
	}
	own, _ := appendOwn(nil, "", fields)
	before := string(AppendText(nil, entry(zapcore.InfoLevel, "", "", own...)))

	p.name, list[0], bin[0], m["k"] = "after", "after", 1, "after"
	copy(raw, "after!")
	clear(fields)
	if after := string(AppendText(nil, entry(zapcore.InfoLevel, "", "", own...))); after != before {
		t.Errorf("the line became %s\n         it was %s", after, before)
	}
}

func TestClip(t *testing.T) {
	full := strings.Repeat("x", maxText)
	tests := []struct{ name, in, want string }{
		{"short", "abc", "abc"},
		{"just_fits", full, full},
		{"too_long", full + "yz", full + "... (2 bytes more)"},
		{"not_within_a_rune", full[1:] + "ä", full[1:] + "... (2 bytes more)"},
		{"not_utf8", strings.Repeat("\x80", maxText+1), strings.Repeat("\x80", maxText-4) + "... (5 bytes more)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := clip(tt.in); got != tt.want {
				t.Errorf("clip gave %d bytes ending in %q, want %d", len(got), got[max(0, len(got)-30):], len(tt.want))
			}
		})
	}
}

func TestLongFieldsAreClipped(t *testing.T) {
	long := strings.Repeat("x", 2*maxText)
	own, _ := appendOwn(nil, "", []zapcore.Field{
		zap.String("s", long), zap.Error(errors.New(long)), zap.Strings("l", []string{long}), zap.ByteString("b", []byte(long)),
	})
	for _, f := range own {
		if f.Type != zapcore.StringType || len(f.String) > maxText+64 {
			t.Errorf("%s has %d bytes", f.Key, len(f.String))
		}
	}
	if j := AppendJSON(nil, entry(zapcore.InfoLevel, "", "", own...)); !json.Valid(j) {
		t.Error("not JSON")
	}
}
