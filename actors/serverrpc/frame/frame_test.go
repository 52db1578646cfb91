package frame_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"net/rpc"
	"strings"
	"testing"
	"testing/iotest"

	msgpackrpc "github.com/hashicorp/net-rpc-msgpackrpc/v2"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/actors/serverrpc/frame"
	"github.com/actor-consul/consul/messages/wire"
)

// golden are messages as they are on the wire.
var golden = []struct {
	name         string
	header, body any
	hex          string
}{
	{
		"request_without_arguments", &frame.Request{ServiceMethod: "Status.Ping", Seq: 1}, &wire.EmptyReadRequest{},
		"82" + "a3" + "536571" + "01" + // Seq
			"ad" + "536572766963654d6574686f64" + "ab" + "5374617475732e50696e67" + // ServiceMethod
			"80",
	},
	{
		"request", &frame.Request{ServiceMethod: "Peer.Remove", Seq: 300}, &wire.RemovePeerRequest{Datacenter: "dc1", ID: "x"},
		"82a3536571cd012cad536572766963654d6574686f64ab506565722e52656d6f7665" +
			"83" + "aa" + "4461746163656e746572" + "a3" + "646331" + // Datacenter
			"a2" + "4944" + "a1" + "78" + // ID
			"a5" + "546f6b656e" + "a0", // Token
	},
	{
		"reply", &frame.Response{ServiceMethod: "Status.Leader", Seq: 7}, new("127.0.0.1:8300"),
		"83" + "a5" + "4572726f72" + "a0" + // Error
			"a3" + "536571" + "07" +
			"ad" + "536572766963654d6574686f64" + "ad" + "5374617475732e4c6561646572" +
			"ae" + "3132372e302e302e313a38333030",
	},
	{
		"error", &frame.Response{ServiceMethod: "Status.Leader", Seq: 7, Error: "no"}, struct{}{},
		"83" + "a5" + "4572726f72" + "a2" + "6e6f" +
			"a3" + "536571" + "07" +
			"ad" + "536572766963654d6574686f64" + "ad" + "5374617475732e4c6561646572" +
			"80",
	},
	{
		"raft_stats", &frame.Response{Seq: 1}, &wire.RaftStats{LastContact: "0", LastTerm: 2, LastIndex: 3},
		"83a54572726f72a0a353657101ad536572766963654d6574686f64a0" +
			"83ab4c617374436f6e74616374a130a94c617374496e64657803a84c6173745465726d02",
	},
}

func TestGolden(t *testing.T) {
	for _, tt := range golden {
		t.Run(tt.name, func(t *testing.T) {
			b, err := frame.Marshal(tt.header, tt.body)
			if got := hex.EncodeToString(b); got != tt.hex || err != nil {
				t.Errorf("encoded %s, %v\nwant    %s", got, err, tt.hex)
			}
		})
	}
}

// TestAsConsul compares with the codec that Consul speaks with.
func TestAsConsul(t *testing.T) {
	for _, tt := range golden {
		t.Run(tt.name, func(t *testing.T) {
			var buf bytes.Buffer
			c := msgpackrpc.NewCodecFromHandle(true, true, nopCloser{&buf}, wire.Handle)
			var err error
			switch h := tt.header.(type) {
			case *frame.Request:
				err = c.WriteRequest(&rpc.Request{ServiceMethod: h.ServiceMethod, Seq: h.Seq}, tt.body)
			case *frame.Response:
				err = c.WriteResponse(&rpc.Response{ServiceMethod: h.ServiceMethod, Seq: h.Seq, Error: h.Error}, tt.body)
			}
			if got := hex.EncodeToString(buf.Bytes()); got != tt.hex || err != nil {
				t.Errorf("Consul's codec has %s, %v\nwant              %s", got, err, tt.hex)
			}
		})
	}
}

type nopCloser struct{ io.ReadWriter }

func (nopCloser) Close() error { return nil }

// TestReadBack reads the golden messages, one after the other, byte by byte.
func TestReadBack(t *testing.T) {
	var all []byte
	for _, tt := range golden {
		all = append(all, unhex(t, tt.hex)...)
	}
	r := frame.NewReader(iotest.OneByteReader(bytes.NewReader(all)), frame.RequestLimits(1000))
	for _, tt := range golden {
		if err := r.Await(); err != nil {
			t.Fatal(err)
		}
		var h struct {
			ServiceMethod, Error string
			Seq                  uint64
		}
		if err := r.Header(&h); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		body, err := r.Body()
		if err != nil || !bytes.HasSuffix(unhex(t, tt.hex), body) {
			t.Errorf("%s: body %x, %v", tt.name, body, err)
		}
	}
	if err := r.Header(new(frame.Request)); err != io.EOF { //nolint:errorlint // readers say that very value
		t.Errorf("at the end: %v, want %v", err, io.EOF)
	}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBadBodies(t *testing.T) {
	bomb := func(tag string, n int, element string) string { return "81a141dd" + tag + strings.Repeat(element, n) }
	for _, tt := range []struct {
		name, hex string
		want      error
	}{
		{"nothing", "", io.ErrUnexpectedEOF},
		{"half_a_map", "81a141", io.ErrUnexpectedEOF},
		{"half_a_text", "a54142", io.ErrUnexpectedEOF},
		{"half_a_number", "cd01", io.ErrUnexpectedEOF},
		{"no_value", "c1", frame.ErrMalformed},
		{"no_value_inside", "91c1", frame.ErrMalformed},
		{"long_text", "db7fffffff", frame.ErrTooLarge},
		{"long_bytes", "c6ffffffff", frame.ErrTooLarge},
		{"long_extension", "c9ffffffff01", frame.ErrTooLarge},
		{"long_array", "ddffffffff", frame.ErrTooLarge},
		{"long_map", "df00ffffff", frame.ErrTooLarge},
		{"map_of_more_than_fits", "df00007fff", frame.ErrTooLarge},
		{"arrays_in_arrays", strings.Repeat("dd00000100", 1000), frame.ErrTooLarge},
		{"text_over_the_limit", "82a141da" + "fff0" + strings.Repeat("41", 0xfff0) + "a142da0020" + strings.Repeat("41", 32), frame.ErrTooLarge},
		{"many_empty_maps", bomb("00005000", 0x5000, "80"), frame.ErrTooLarge},
		{"many_empty_arrays", bomb("00005000", 0x5000, "90"), frame.ErrTooLarge},
		{"many_nothings", bomb("0000f000", 0xf000, "c0"), frame.ErrTooLarge},
		{"fewer_nothings", bomb("00004000", 0x4000, "c0"), nil},
		{"extension", "d4ff01", nil},
		{"empty", "80", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := frame.NewReader(bytes.NewReader(unhex(t, tt.hex)), frame.RequestLimits(64<<10))
			if b, err := r.Body(); !errors.Is(err, tt.want) {
				t.Errorf("%d bytes, err = %v, want %v", len(b), err, tt.want)
			}
		})
	}
}

// TestDeep checks that nesting within the size limit is no way to the end of the
// stack.
func TestDeep(t *testing.T) {
	r := frame.NewReader(strings.NewReader(strings.Repeat("\x91", 10000)+"\xc0"), frame.RequestLimits(64<<10))
	body, err := r.Body()
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := r.Decode(body, &out); !errors.Is(err, frame.ErrMalformed) {
		t.Errorf("err = %v, want %v", err, frame.ErrMalformed)
	}
}

func TestBadHeaders(t *testing.T) {
	for _, tt := range []struct {
		name, hex string
		want      error
	}{
		{"text_instead", "a141", frame.ErrMalformed},
		{"number_as_method", "81ad536572766963654d6574686f6401", frame.ErrMalformed},
		{"text_as_number", "81a3536571a141", frame.ErrMalformed},
		{"long_method", "81ad536572766963654d6574686f64db00010000" + strings.Repeat("41", 1<<16), frame.ErrTooLarge},
		{"unknown_field", "81a14101", nil},
		{"half", "82a3536571", io.ErrUnexpectedEOF},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := frame.NewReader(bytes.NewReader(unhex(t, tt.hex)), frame.RequestLimits(1<<20))
			if err := r.Header(new(frame.Request)); !errors.Is(err, tt.want) {
				t.Errorf("err = %v, want %v", err, tt.want)
			}
		})
	}
}

// TestHonestRepliesFit checks the limits against replies that are as dense as
// honest ones get.
func TestHonestRepliesFit(t *testing.T) {
	tags := wire.Services{}
	for i := range 20000 {
		tags["s"+hex.EncodeToString([]byte{byte(i >> 8), byte(i)})] = []string{"a", "b"}
	}
	instance := wire.CheckServiceNode{
		Node: &wire.Node{Node: "n", Address: "::1"}, Service: &wire.NodeService{ID: "s", Service: "s"},
		Checks: wire.HealthChecks{{Node: "n", CheckID: "c"}, {Node: "n", CheckID: "d"}},
	}
	var instances wire.IndexedCheckServiceNodes
	for range 1000 {
		instances.Nodes = append(instances.Nodes, instance)
	}
	for _, tt := range []struct {
		name  string
		reply any
	}{
		{"services", &wire.IndexedServices{Services: tags}},
		{"instances", &instances},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, err := frame.Marshal(&frame.Response{}, tt.reply)
			if err != nil {
				t.Fatal(err)
			}
			r := frame.NewReader(bytes.NewReader(b), frame.ReplyLimits(64<<20))
			if err := r.Header(new(frame.Response)); err != nil {
				t.Fatal(err)
			}
			if _, err := r.Body(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestKinds(t *testing.T) {
	for k, want := range map[frame.Kind]string{frame.RPC: "RPC", frame.MultiplexV2: "multiplex v2", frame.NativeTLS: "TLS", 'G': "0x47"} {
		if got := k.String(); got != want {
			t.Errorf("kind %d is %q, want %q", byte(k), got, want)
		}
	}
	for b := range 256 {
		want := b >= 0x80 && b <= 0x8f || b == 0xde || b == 0xdf
		if frame.BeginsRequest(byte(b)) != want {
			t.Errorf("0x%02x begins a request: %v", b, !want)
		}
	}
}

// FuzzReader holds the reader to its limits, and what is decoded to what
// RequestLimits says of it.
func FuzzReader(f *testing.F) {
	for _, tt := range golden {
		f.Add(unhex(f, tt.hex))
	}
	for _, seed := range []string{"", "c1", "ddffffffff", "df7fffffff80", "dbffffffff41", "8181818181", "c9ffffffff", "d8", "82a3536571cf"} {
		f.Add(unhex(f, seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		const limit = 1 << 12
		r := frame.NewReader(bytes.NewReader(b), frame.RequestLimits(limit))
		read := 0
		for r.Header(new(frame.Request)) == nil {
			body, err := r.Body()
			if err != nil {
				break
			}
			if read += len(body); len(body) > limit || read > len(b) {
				t.Fatalf("%d bytes of body, %d in all, of %d", len(body), read, len(b))
			}
			n := actortest.Allocated(func() { _ = r.Decode(body, new(wire.RegisterRequest)) })
			n = max(n, actortest.Allocated(func() { _ = r.Decode(body, new(any)) }))
			if n > 16<<20+60*uint64(len(body)) { // some 16,000 elements are free
				t.Fatalf("a body of %d bytes allocates %d", len(body), n)
			}
		}
	})
}
