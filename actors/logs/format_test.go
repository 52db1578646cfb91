package logs

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/actor-consul/consul/messages"
)

var epoch = time.Date(2026, 11, 22, 7, 31, 0, 123456789, time.UTC)

// serverID is a text under another name.
type serverID string

// peer describes itself.
type peer struct{ name string }

func (p *peer) String() string { return p.name }

func (p *peer) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	enc.AddString("name", p.name)
	enc.AddInt("port", 8300)
	return nil
}

func TestFormats(t *testing.T) {
	const (
		stamp  = "2026/11/22 07:31:00 "
		jstamp = `,"@timestamp":"2026-11-22T07:31:00.123456789Z"`
	)
	tests := []struct {
		name  string
		entry messages.LogEntry
		text  string // after the time
		json  string // after @level; T stands for @timestamp
	}{
		{
			name:  "plain",
			entry: entry(zapcore.InfoLevel, "serf", "EventMemberJoin: node-1 10.1.10.38"),
			text:  `[INFO] serf: EventMemberJoin: node-1 10.1.10.38`,
			json:  `"info","@message":"EventMemberJoin: node-1 10.1.10.38","@module":"serf"T`,
		},
		{
			name:  "no_logger",
			entry: entry(zapcore.WarnLevel, "", "text"),
			text:  `[WARN] text`,
			json:  `"warn","@message":"text"T`,
		},
		{
			name:  "trace",
			entry: entry(messages.TraceLevel, "dns", "q"),
			text:  `[TRACE] dns: q`,
			json:  `"trace","@message":"q","@module":"dns"T`,
		},
		{
			name:  "debug",
			entry: entry(zapcore.DebugLevel, "memberlist", "q"),
			text:  `[DEBUG] memberlist: q`,
			json:  `"debug","@message":"q","@module":"memberlist"T`,
		},
		{
			name:  "error_is_quoted",
			entry: entry(zapcore.ErrorLevel, "agent", "sync", zap.Error(errors.New("refused"))),
			text:  `[ERR] agent: sync error="refused"`,
			json:  `"error","@message":"sync","@module":"agent"T,"error":"refused"`,
		},
		{
			name:  "above_error_is_error",
			entry: entry(zapcore.FatalLevel, "agent", "end"),
			text:  `[ERR] agent: end`,
			json:  `"error","@message":"end","@module":"agent"T`,
		},
		{
			name:  "dotted_name",
			entry: entry(zapcore.InfoLevel, "consul.autopilot", "x"),
			text:  `[INFO] consul.autopilot: x`,
			json:  `"info","@message":"x","@module":"consul.autopilot"T`,
		},
		{
			name: "numbers",
			entry: entry(zapcore.InfoLevel, "a", "x", zap.Int("i", -3), zap.Uint64("u", math.MaxUint64), zap.Bool("b", true),
				zap.Float64("f", 0.5), zap.Float32("g", 0.1), zap.Float64("n", math.NaN())),
			text: `[INFO] a: x i=-3 u=18446744073709551615 b=true f=0.5 g=0.1 n=NaN`,
			json: `"info","@message":"x","@module":"a"T,"i":-3,"u":18446744073709551615,"b":true,"f":0.5,"g":0.1,"n":"NaN"`,
		},
		{
			name:  "times",
			entry: entry(zapcore.InfoLevel, "a", "x", zap.Duration("took", 1500*time.Millisecond), zap.Time("at", epoch), zap.Time("never", time.Time{})),
			text:  `[INFO] a: x took=1.5s at=2026-11-22T07:31:00.123456789Z never=0001-01-01T00:00:00Z`,
			json:  `"info","@message":"x","@module":"a"T,"took":"1.5s","at":"2026-11-22T07:31:00.123456789Z","never":"0001-01-01T00:00:00Z"`,
		},
		{
			name: "quotes_only_when_needed",
			entry: entry(zapcore.InfoLevel, "a", "x", zap.String("bare", "10.1.10.38:8300"), zap.String("space", "a b"),
				zap.String("none", ""), zap.String("quote", `a"b`), zap.String("pair", "a=b"), zap.String("umlaut", "ä")),
			text: `[INFO] a: x bare=10.1.10.38:8300 space="a b" none="" quote="a\"b" pair="a=b" umlaut=ä`,
			json: `"info","@message":"x","@module":"a"T,"bare":"10.1.10.38:8300","space":"a b","none":"","quote":"a\"b","pair":"a=b","umlaut":"ä"`,
		},
		{
			name: "parts",
			entry: entry(zapcore.InfoLevel, "a", "x", zap.Strings("list", []string{"a", "b c"}), zap.Object("peer", &peer{"n"}),
				zap.Any("map", map[string]int{"k": 1}), zap.Any("id", serverID("s1")), zap.Any("nil", nil)),
			text: `[INFO] a: x list=["a","b c"] peer={"name":"n","port":8300} map={"k":1} id=s1 nil=<nil>`,
			json: `"info","@message":"x","@module":"a"T,"list":["a","b c"],"peer":{"name":"n","port":8300},"map":{"k":1},"id":"s1","nil":"<nil>"`,
		},
		{
			name:  "bytes",
			entry: entry(zapcore.InfoLevel, "a", "x", zap.ByteString("s", []byte("abc")), zap.Binary("b", []byte{1, 2})),
			text:  `[INFO] a: x s=abc b="AQI="`,
			json:  `"info","@message":"x","@module":"a"T,"s":"abc","b":"AQI="`,
		},
		{
			name:  "hostile_text",
			entry: entry(zapcore.InfoLevel, "serf", "EventMemberJoin: a\n2026/11/22 07:31:00 [ERR] agent: forged\r\x1b[2J\x00\xff\u2028\u009b\U000e0001 b\\n"),
			text:  `[INFO] serf: EventMemberJoin: a\n2026/11/22 07:31:00 [ERR] agent: forged\r\x1b[2J\x00\xff\u2028\u009b\U000e0001 b\n`,
			json:  `"info","@message":"EventMemberJoin: a\n2026/11/22 07:31:00 [ERR] agent: forged\u000d\u001b[2J\u0000�\u2028\u009b\udb40\udc01 b\\n","@module":"serf"T`,
		},
		{
			name: "hostile_fields",
			entry: entry(zapcore.InfoLevel, "a", "x", zap.String("v", "a\n[ERR]"), zap.String("k =\n\"", "v"), zap.String("@level", "error"),
				zap.Strings("l", []string{"a\n", "\u009b"})),
			text: `[INFO] a: x v="a\n[ERR]" k____=v @level=error l=["a\n","\u009b"]`,
			json: `"info","@message":"x","@module":"a"T,"v":"a\n[ERR]","k =\n\"":"v","level":"error","l":["a\n","\u009b"]`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, want := string(AppendText(nil, tt.entry)), stamp+tt.text; got != want {
				t.Errorf("text\n got %s\nwant %s", got, want)
			}
			got := string(AppendJSON(nil, tt.entry))
			if want := `{"@level":` + strings.Replace(tt.json, "T", jstamp, 1) + "}"; got != want {
				t.Errorf("json\n got %s\nwant %s", got, want)
			}
			if !json.Valid([]byte(got)) {
				t.Errorf("not JSON: %s", got)
			}
		})
	}
}

func TestAppendKeepsWhatIsThere(t *testing.T) {
	e := entry(zapcore.InfoLevel, "a", "x")
	if got := string(AppendText([]byte("> "), e)); !strings.HasPrefix(got, "> 2026/") {
		t.Errorf("AppendText wrote %q", got)
	}
	if got := string(AppendJSON([]byte("> "), e)); !strings.HasPrefix(got, `> {"@level"`) {
		t.Errorf("AppendJSON wrote %q", got)
	}
}

// FuzzFormats makes lines of anything; each must be one line, and JSON must be
// JSON that says the same.
func FuzzFormats(f *testing.F) {
	f.Add("serf", "text\n", "key", "value\x1b")
	f.Add("", "\xff\xfe", "@level", "\u2028\U0010ffff")
	f.Fuzz(func(t *testing.T, logger, text, key, value string) {
		e := entry(zapcore.InfoLevel, logger, text, zap.String(key, value), zap.Strings(key, []string{value}))
		line := string(AppendText(nil, e))
		object := string(AppendJSON(nil, e))
		for _, s := range []string{line, object} {
			for _, r := range s {
				if !strconv.IsPrint(r) {
					t.Fatalf("%q has %q in it", s, r)
				}
			}
		}
		var back map[string]any
		if err := json.Unmarshal([]byte(object), &back); err != nil {
			t.Fatalf("%s: %v", object, err)
		}
		if utf8.ValidString(text) && back["@message"] != text {
			t.Errorf("@message is %q, want %q", back["@message"], text)
		}
	})
}

func entry(l zapcore.Level, logger, text string, fields ...zapcore.Field) messages.LogEntry {
	return messages.LogEntry{Time: epoch, Level: l, Logger: logger, Text: text, Fields: fields}
}
