package gossip

import (
	"bytes"
	"compress/lzw"
	"errors"
	"io"
	"log"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/hashicorp/go-msgpack/v2/codec"

	msgpack "github.com/actor-consul/consul/messages/wire"

	"github.com/actor-consul/consul/actors/actortest"
)

// wire is a connection that has brought all it will bring.
type wire struct {
	net.Conn
	io.Reader
	from   string
	closed int
}

func (w *wire) Read(p []byte) (int, error) { return w.Reader.Read(p) }
func (w *wire) Close() error               { w.closed++; return nil }
func (w *wire) RemoteAddr() net.Addr       { return address0(w.from) }

type address0 string

func (address0) Network() string  { return "tcp" }
func (a address0) String() string { return string(a) }

func from(addr string, content []byte) *wire {
	return &wire{Reader: iotest.HalfReader(bytes.NewReader(content)), from: addr}
}

func doormanAt(out io.Writer) *doorman { return newDoorman(log.New(out, "", 0), true) }

// packed encodes a message of memberlist's.
func packed(t testing.TB, kind byte, msg any) []byte {
	t.Helper()
	out := bytes.NewBuffer([]byte{kind})
	if err := codec.NewEncoder(out, &codec.MsgpackHandle{}).Encode(msg); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func compressed(t testing.TB, content []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := lzw.NewWriter(&out, lzw.LSB, 8)
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	w.Close()
	return packed(t, compressMsg, map[string]any{"Algo": 0, "Buf": out.Bytes()})
}

func announces(t testing.TB, nodes, state int) []byte {
	return packed(t, pushPullMsg, map[string]any{"Nodes": nodes, "UserStateLen": state, "Join": true})
}

func TestStreamsAreCounted(t *testing.T) {
	var log bytes.Buffer
	d := doormanAt(&log)
	var open []net.Conn
	admitted := func(addr string) bool {
		s, ok := d.admit(from(addr, nil))
		if ok {
			open = append(open, s)
		}
		return ok
	}
	for range maxStreamsOfOne {
		if !admitted("10.0.0.1:4711") {
			t.Fatal("refused although there is room")
		}
	}
	if admitted("10.0.0.1:4712") || !strings.Contains(log.String(), "[WARN] memberlist: closed a stream, there are too many from=10.0.0.1:4712") {
		t.Errorf("one address has more than its share, or is not told of: %s", log.String())
	}
	for i := range maxStreams - maxStreamsOfOne {
		if !admitted([]string{"10.0.0.2:1", "10.0.0.3:1", "10.0.0.4:1"}[i%3]) {
			t.Fatal("one address keeps out the others")
		}
	}
	late := from("10.0.0.5:1", nil)
	if _, ok := d.admit(late); ok || late.closed != 1 {
		t.Errorf("admitted one more than there is room for, or left it open")
	}
	for _, s := range open {
		s.Close()
		s.Close() // twice is once
	}
	if d.all != 0 || len(d.open) != 0 || d.bytes != 0 {
		t.Errorf("%d streams and %d bytes are left of %v, want none", d.all, d.bytes, d.open)
	}
}

func TestVet(t *testing.T) {
	node := packed(t, 0, map[string]any{"Name": "n", "Addr": []byte{10, 0, 0, 1}})[1:]
	sync := slices.Concat(announces(t, 2, 3), node, node, []byte("what follows"))
	long := bytes.Repeat([]byte{0}, 1<<20)
	tests := []struct {
		name    string
		content []byte
		taken   int // beside the bytes themselves
		refused error
	}{
		{name: "nothing"},
		{name: "ping", content: packed(t, 0, map[string]any{"SeqNo": 1})},
		{name: "sync", content: sync, taken: 2*nodeBytes + 3},
		{name: "compressed_sync", content: compressed(t, sync), taken: 2*nodeBytes + 3 + len(sync)},
		{name: "compressed_well", content: compressed(t, long), taken: len(long)},
		{name: "user_message", content: packed(t, userMsg, map[string]any{"UserMsgLen": 100}), taken: 100},
		{name: "garbage", content: []byte("\x06\xc1\xff\xfe garbage")},
		{name: "torn", content: sync[:10], refused: io.ErrUnexpectedEOF},
		{name: "torn_nodes", content: announces(t, 2, 3), refused: io.ErrUnexpectedEOF},
		{name: "garbage_compressed", content: packed(t, compressMsg, map[string]any{"Algo": 0, "Buf": []byte("\xff\xff\xff\xff")})},
		{name: "promises_four_billion", content: []byte("\x09\x81\xa3Buf\xc6\xff\xff\xff\xff"), refused: msgpack.ErrTooLarge},
		{name: "header_promises_four_billion", content: []byte("\x06\xc9\xff\xff\xff\xff\xff"), refused: msgpack.ErrTooLarge},
		{name: "node_promises_four_billion", content: append(announces(t, 1, 0), "\x81\xa4Name\xc9\xff\xff\xff\xff\xff"...), refused: msgpack.ErrTooLarge},
		{name: "less_than_nothing", content: announces(t, -1, 3)},
		{name: "beyond_its_limits", content: announces(t, 1<<40, 3)}, // memberlist refuses it
		{name: "too_many_nodes", content: announces(t, maxStreamBytes/nodeBytes+1, 0), refused: errStreamBytes},
		{name: "too_long_a_state", content: announces(t, 1, maxStreamBytes), refused: errStreamBytes},
		{name: "too_many_nodes_compressed", content: compressed(t, announces(t, maxStreamBytes/nodeBytes+1, 0)), refused: errStreamBytes},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := doormanAt(io.Discard)
			s, _ := d.admit(from("10.0.0.1:1", tt.content))
			got, err := io.ReadAll(s)
			switch {
			case tt.refused != nil:
				if !errors.Is(err, tt.refused) {
					t.Errorf("err = %v, want %v", err, tt.refused)
				}
			case err != nil || !bytes.Equal(got, tt.content):
				t.Errorf("read %d bytes, %v; want the %d that were sent", len(got), err, len(tt.content))
			case d.bytes != int64(len(tt.content)+tt.taken):
				t.Errorf("it takes %d bytes, want %d", d.bytes, len(tt.content)+tt.taken)
			}
			s.Close()
			if d.bytes != 0 {
				t.Errorf("it takes %d bytes when it is closed", d.bytes)
			}
		})
	}
}

// TestStreamsShareTheRoom has streams bring more than there is room for together,
// and one of our own that has to wait for no room.
func TestStreamsShareTheRoom(t *testing.T) {
	d := doormanAt(io.Discard)
	half := announces(t, 0, maxStreamBytes/2)
	first, _ := d.admit(from("10.0.0.1:1", half))
	second := d.escort(from("10.0.0.2:1", half))
	if _, err := io.ReadAll(first); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(second); !errors.Is(err, errStreamBytes) {
		t.Errorf("err = %v, want %v", err, errStreamBytes)
	}
	second.Close()
	first.Close()
	third, _ := d.admit(from("10.0.0.3:1", half))
	if _, err := io.ReadAll(third); err != nil {
		t.Errorf("there is no room again: %v", err)
	}
	if _, err := third.Read(make([]byte, 1)); err != io.EOF { //nolint:errorlint // readers say that very value
		t.Errorf("err = %v at the end", err)
	}
}

// TestStreamsOfTheEncrypted are not looked at.
func TestStreamsOfTheEncrypted(t *testing.T) {
	d := newDoorman(log.New(io.Discard, "", 0), false)
	content := announces(t, maxStreamBytes/nodeBytes+1, 0)
	s, _ := d.admit(from("10.0.0.1:1", content))
	if got, err := io.ReadAll(s); err != nil || !bytes.Equal(got, content) || d.bytes != int64(len(content)) {
		t.Errorf("read %q, %v and took %d bytes", got, err, d.bytes)
	}
}

// FuzzStream reads whatever may come in the clear. Memberlist gets all of it and no
// more, or an error; and what is taken is given back.
func FuzzStream(f *testing.F) {
	f.Add([]byte{})
	f.Add(announces(f, 2, 100))
	f.Add(announces(f, 1<<20, 1<<30))
	f.Add(compressed(f, announces(f, 3, 4)))
	f.Add(packed(f, userMsg, map[string]any{"UserMsgLen": 1 << 27}))
	f.Add([]byte{compressMsg, 0x82, 0xa3, 'B', 'u', 'f', 0xdb, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, content []byte) {
		d := doormanAt(io.Discard)
		s, ok := d.admit(from("10.0.0.1:1", content))
		if !ok {
			t.Fatal("there is no room for the first")
		}
		var got []byte
		var err error
		// What is compressed is unpacked, by a factor that is lzw's.
		if n := actortest.Allocated(func() { got, err = io.ReadAll(s) }); n > 1<<20+64*uint64(len(content)) {
			t.Errorf("%d bytes allocate %d", len(content), n)
		}
		if err == nil && !bytes.Equal(got, content) {
			t.Errorf("%x came, and %x is read", content, got)
		}
		if d.bytes > maxStreamBytes {
			t.Errorf("%d bytes are taken, there are %d", d.bytes, maxStreamBytes)
		}
		_ = s.Close()
		if d.all != 0 || d.bytes != 0 {
			t.Errorf("%d streams and %d bytes are left", d.all, d.bytes)
		}
	})
}

// FuzzTags reads whatever a member may say of itself.
func FuzzTags(f *testing.F) {
	f.Add([]byte("consul"))
	f.Add([]byte("\xff\x82\xa4role\xa6consul\xa2dc\xa3dc1"))
	f.Add([]byte("\xff\xdf\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, meta []byte) {
		var tags map[string]string
		var err error
		if n := actortest.Allocated(func() { tags, err = decodeTags(meta) }); n > 1<<20 { // a first part of what is announced, once
			t.Errorf("%x allocates %d bytes", meta, n)
		}
		if err == nil && tags == nil {
			t.Errorf("%x is read as nothing", meta)
		}
	})
}
