package agentrpc

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"
)

// golden has what the programs of Consul 0.7.5 put on the wire, value by value.
var golden = []struct {
	name  string
	value any
	hex   string
}{
	{"request_header", &RequestHeader{Command: Handshake, Seq: 1}, "83a7436f6d6d616e64a968616e647368616b65a353657101a5546f6b656ea0"},
	{"response_header", &ResponseHeader{Seq: 1}, "82a54572726f72a0a353657101"},
	{"long_text_and_seq_of_two_bytes", &ResponseHeader{Seq: 300, Error: "Handshake required but this is a long error text to have str8"},
		"82a54572726f72d93d48616e647368616b65207265717569726564206275742074686973206973" +
			"2061206c6f6e67206572726f72207465787420746f206861766520" + "73747238a3536571cd012c"},
	{"handshake", &HandshakeRequest{Version: 1}, "81a756657273696f6e01"},
	{"join", &JoinRequest{Existing: []string{"a"}, WAN: true}, "82a84578697374696e6791a161a357414ec3"},
	{"joined", &JoinResponse{Num: 1}, "81a34e756d01"},
	{"members", &MembersResponse{Members: []Member{{
		Name: "n", Addr: net.IP{127, 0, 0, 1}, Port: 8301, Tags: map[string]string{"role": "consul"}, Status: "alive",
		ProtocolMin: 1, ProtocolMax: 5, ProtocolCur: 2, DelegateMin: 2, DelegateMax: 5, DelegateCur: 4,
	}}}, "81a74d656d62657273918ba441646472c4047f000001ab44656c656761746543757204ab44656c65676174654d617805" +
		"ab44656c65676174654d696e02a44e616d65a16ea4506f7274cd206dab50726f746f636f6c43757202ab50726f746f636f6c4d617805" +
		"ab50726f746f636f6c4d696e01a6537461747573a5616c697665a45461677381a4726f6c65a6636f6e73756c"},
	{"no_members", &MembersResponse{Members: []Member{}}, "81a74d656d6265727390"},
	{"ipv6", &Member{Addr: net.ParseIP("::1")}, "8ba441646472c41000000000000000000000000000000001" +
		"ab44656c656761746543757200ab44656c65676174654d617800ab44656c65676174654d696e00a44e616d65a0a4506f727400" +
		"ab50726f746f636f6c43757200ab50726f746f636f6c4d617800ab50726f746f636f6c4d696e00a6537461747573a0a454616773c0"},
	{"stop", &StopRequest{Stop: 50}, "81a453746f7032"},
	{"log", &LogRecord{Log: "x"}, "81a34c6f67a178"},
	{"key", &KeyringRequest{Key: "k", RelayFactor: 1}, "82a34b6579a16bab52656c6179466163746f7201"},
	{"no_keys", &KeyringResponse{}, "83a4496e666fc0a44b657973c0a84d65737361676573c0"},
	{"keys", &KeyringResponse{
		Keys:     []KeyringEntry{{"dc1", "LAN", "k", 3}},
		Messages: []KeyringMessage{{"dc1", "LAN", "n", "bad"}},
		Info:     []KeyringInfo{{"dc1", "LAN", 3, ""}},
	}, "83a4496e666f9184aa4461746163656e746572a3646331a54572726f72a0a84e756d4e6f64657303a4506f6f6ca34c414e" +
		"a44b6579739184a5436f756e7403aa4461746163656e746572a3646331a34b6579a16ba4506f6f6ca34c414e" +
		"a84d657373616765739184aa4461746163656e746572a3646331a74d657373616765a3626164a44e6f6465a16ea4506f6f6ca34c414e"},
	{"stats", &map[string]map[string]string{"agent": {"checks": "0"}}, "81a56167656e7481a6636865636b73a130"},
}

func TestGolden(t *testing.T) {
	for _, tt := range golden {
		t.Run(tt.name, func(t *testing.T) {
			if got := hex.EncodeToString(encoded(t, tt.value)); got != tt.hex {
				t.Errorf("encoded as\n%s, want\n%s", got, tt.hex)
			}
			b, err := hex.DecodeString(tt.hex)
			if err != nil {
				t.Fatal(err)
			}
			back := reflect.New(reflect.TypeOf(tt.value).Elem())
			if err := NewDecoder(bytes.NewReader(b), MaxRequest).Decode(back.Interface()); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(back.Interface(), tt.value) {
				t.Errorf("decoded as %+v, want %+v", back.Elem(), reflect.ValueOf(tt.value).Elem())
			}
		})
	}
}

// TestOldReaders shows what of ours an old program is sent: fields that it does
// not know, in a map that counts them.
func TestOldReaders(t *testing.T) {
	var old struct{ Node string }
	if err := Decode(encoded(t, &ForceLeaveRequest{Node: "n", Prune: true}), &old); err != nil || old.Node != "n" {
		t.Errorf("an old server reads %+v, %v", old, err)
	}
}

func TestUp(t *testing.T) {
	now := time.Unix(100, 0)
	if got := (&Actor{Since: time.Unix(40, 0).UnixNano()}).Up(now); got != time.Minute {
		t.Errorf("up %v, want a minute", got)
	}
	if got := (&Actor{}).Up(now); got != 0 {
		t.Errorf("up %v before the start", got)
	}
}

func TestHostile(t *testing.T) {
	nested := strings.Repeat("91", 5000) + "00"
	tests := []struct {
		name string
		hex  string
		err  error
	}{
		{"nothing", "", io.EOF},
		{"half_a_header", "82a54572726f", io.ErrUnexpectedEOF},
		{"half_a_length", "de00", io.ErrUnexpectedEOF},
		{"no_such_type", "c1", ErrMalformed},
		{"no_such_type_inside", "82a353657101c1", ErrMalformed},
		{"a_number", "48", ErrMalformed},
		{"text_of_4_gigabytes", "dbffffffff61", ErrTooLarge},
		{"bytes_of_4_gigabytes", "c6ffffffff61", ErrTooLarge},
		{"extension_of_4_gigabytes", "c9ffffffff0161", ErrTooLarge},
		{"array_of_4_billion", "ddffffffff", ErrTooLarge},
		{"map_of_4_billion", "dfffffffff", ErrTooLarge},
		{"map_of_just_too_many", "de8000", ErrTooLarge},
		{"arrays_of_arrays_of_60_thousand", strings.Repeat("dcea60", 3), ErrTooLarge},
		{"text_over_the_limit", "da" + "ffff" + strings.Repeat("61", 65535), ErrTooLarge},
		{"nested_5000_deep", "81a46a756e6b" + nested, ErrMalformed},
		{"text_where_a_number_belongs", "81a3536571a131", ErrMalformed},
		{"huge_number", "81a6526573756c74cfffffffffffffffff", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, err := hex.DecodeString(tt.hex)
			if err != nil {
				t.Fatal(err)
			}
			var h RequestHeader
			err = NewDecoder(bytes.NewReader(b), MaxRequest).Decode(&h)
			if !errors.Is(err, tt.err) {
				t.Errorf("err = %v, want %v", err, tt.err)
			}
			if h.Command != "" || h.Token != "" {
				t.Errorf("it was taken for %+v", h)
			}
		})
	}
}

// allocated returns how many bytes are allocated while do runs.
func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// FuzzDecoder feeds a stream to all that reads from one. Nothing may panic, and a
// value is no longer than the limit, nor takes more than a factor of its length.
func FuzzDecoder(f *testing.F) {
	for _, tt := range golden {
		b, err := hex.DecodeString(tt.hex)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte{0xdf, 0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{0xc7, 0x01, 0xff, 0x00})
	f.Add(bytes.Repeat([]byte{0x91}, 300))
	f.Fuzz(func(t *testing.T, stream []byte) {
		const limit = 4096
		d := NewDecoder(bytes.NewReader(stream), limit)
		total := 0
		for {
			b, err := d.Next()
			if err != nil {
				break
			}
			if len(b) == 0 || len(b) > limit {
				t.Fatalf("a value of %d bytes", len(b))
			}
			total += len(b)
			for _, v := range []any{
				new(RequestHeader), new(ResponseHeader), new(JoinRequest), new(KeyringRequest), new(MonitorRequest),
				new(MembersResponse), new(KeyringResponse), new(LeaveRecord), new(map[string]map[string]string),
			} {
				if n := allocated(func() { _ = Decode(b, v) }); n > 64<<10+400*uint64(len(b)) {
					t.Fatalf("%d bytes allocate %d as a %T", len(b), n, v)
				}
			}
		}
		if total > len(stream) {
			t.Fatalf("%d bytes out of %d", total, len(stream))
		}
	})
}

func encoded(t *testing.T, values ...any) []byte {
	t.Helper()
	var b bytes.Buffer
	e := NewEncoder(&b)
	if err := e.Encode(values...); err != nil {
		t.Fatal(err)
	}
	if err := e.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
