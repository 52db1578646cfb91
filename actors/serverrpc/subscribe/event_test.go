package subscribe

import (
	"encoding/hex"
	"flag"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/actor-consul/consul/messages/wire"
)

var rewrite = flag.Bool("rewrite", false, "write testdata anew; read the difference")

// events returns what a client is told, each in hex.
func events(t *Teller, l *Listing) (all []string) {
	for e := range t.Tell(l) {
		all = append(all, hex.EncodeToString(e))
	}
	return all
}

// TestBytes has the events byte by byte: tag, then value or length. The tag of field n
// is 8n, and 2 more with a length.
func TestBytes(t *testing.T) {
	const (
		end  = "0805" + "1001" // Index 5, EndOfSnapshot
		anew = "1801"          // NewSnapshotToFollow
	)
	names := func(index uint64, names ...string) *Listing {
		reply := &wire.IndexedServiceList{QueryMeta: wire.QueryMeta{Index: index}}
		for _, n := range names {
			reply.Services = append(reply.Services, wire.ServiceName{Name: n})
		}
		return Services(reply, nil)
	}
	var fresh Teller
	old := Teller{Outdated: true}
	for _, tt := range []struct {
		name   string
		teller *Teller
		now    *Listing
		want   []string
	}{
		// Service is field 12: Name 2, EnterpriseMeta 3, of which there is none.
		{"all", &fresh, names(5, "a"), []string{"0805" + "6205" + "120161" + "1a00", end}},
		{"same", &fresh, names(6, "a"), nil},
		{"one_more", &fresh, names(7, "a", "b"), []string{"0807" + "6205" + "120162" + "1a00"}},
		// EventBatch is 4, its Events are 1; Op 1 is Deregister.
		{"gone_and_come", &fresh, names(300, "b", "c"), []string{
			"08ac02" + "221a" +
				("0a0c" + "08ac02" + "6207" + "0801" + "120161" + "1a00") +
				("0a0a" + "08ac02" + "6205" + "120163" + "1a00"),
		}},
		// After a snapshot was restored.
		{"index_goes_back", &fresh, names(2, "b"), []string{"08ad02" + "6207" + "0801" + "120163" + "1a00"}},
		{"nothing_at_all", &old, names(0), []string{anew, "0801" + "1001"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := events(tt.teller, tt.now); !slices.Equal(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

// TestGone has what is left of an instance when it goes: its node and its names.
func TestGone(t *testing.T) {
	reply := &wire.IndexedCheckServiceNodes{QueryMeta: wire.QueryMeta{Index: 1}, Nodes: wire.CheckServiceNodes{
		{Node: &wire.Node{Node: "n"}, Service: &wire.NodeService{ID: "w", Service: "web"}},
	}}
	var teller Teller
	events(&teller, Health(reply, nil))
	got := events(&teller, Health(&wire.IndexedCheckServiceNodes{QueryMeta: wire.QueryMeta{Index: 2}}, nil))
	want := "0802" + "5216" + "0801" + "1212" + ("0a03" + "12016e") + ("120b" + "120177" + "1a03776562" + "820100")
	if len(got) != 1 || got[0] != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// within are the fields that are messages, in an Event with everything in it.
var within = strings.Fields(`
	10 10.2 10.2.1 10.2.1.5 10.2.1.6 10.2.1.7 10.2.1.10
	10.2.2 10.2.2.6 10.2.2.8 10.2.2.11 10.2.2.12 10.2.2.12.4 10.2.2.14 10.2.2.15 10.2.2.15.2 10.2.2.16 10.2.2.19
	10.2.2.11.5 10.2.2.11.5.1 10.2.2.11.5.1.2 10.2.2.11.5.1.2.6 10.2.2.11.5.1.2.6.1 10.2.2.11.5.1.2.6.1.5
	10.2.2.11.6 10.2.2.11.6.7 10.2.2.11.6.7.1 10.2.2.11.6.7.1.2 10.2.2.11.6.8
	10.2.2.11.7 10.2.2.11.8 10.2.2.11.8.2 10.2.2.11.10 10.2.2.11.13
	10.2.2.11.12 10.2.2.11.12.3 10.2.2.11.12.3.1 10.2.2.11.12.3.1.2
	10.2.3 10.2.3.10 10.2.3.10.3 10.2.3.10.3.2 10.2.3.10.6 10.2.3.10.7 10.2.3.10.8 10.2.3.10.17 10.2.3.11 10.2.3.13`)

// outline appends the fields of a message, one a line, by the way to them.
func outline(t *testing.T, to *strings.Builder, way string, b []byte) {
	t.Helper()
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			t.Fatalf("at %s: %v", way, protowire.ParseError(n))
		}
		b = b[n:]
		at := strings.TrimPrefix(fmt.Sprintf("%s.%d", way, number), ".")
		length := protowire.ConsumeFieldValue(number, kind, b)
		if length < 0 {
			t.Fatalf("at %s: %v", at, protowire.ParseError(length))
		}
		switch kind {
		case protowire.VarintType:
			v, _ := protowire.ConsumeVarint(b)
			fmt.Fprintln(to, at, v)
		case protowire.Fixed64Type:
			v, _ := protowire.ConsumeFixed64(b)
			fmt.Fprintln(to, at, math.Float64frombits(v))
		default:
			v, _ := protowire.ConsumeBytes(b)
			if !slices.Contains(within, at) {
				fmt.Fprintf(to, "%s %q\n", at, v)
				break
			}
			fmt.Fprintf(to, "%s:\n", at)
			outline(t, to, at, v)
		}
		b = b[length:]
	}
}

// TestInstance compares an instance in which everything is set, each to something else,
// with what stands in testdata, field by field.
func TestInstance(t *testing.T) {
	reply := &wire.IndexedCheckServiceNodes{QueryMeta: wire.QueryMeta{Index: 7}, Nodes: wire.CheckServiceNodes{full()}}
	var teller Teller
	var got strings.Builder
	for e := range teller.Tell(Health(reply, nil)) {
		outline(t, &got, "", e)
	}
	const file = "testdata/instance.txt"
	if *rewrite {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
}

// TestWhatPeopleConfigure: whatever it is, it is read, and has an end.
func TestWhatPeopleConfigure(t *testing.T) {
	deep := any("bottom")
	for range 10000 {
		deep = []any{map[string]any{"k": deep}}
	}
	for name, v := range map[string]any{
		"deep": deep, "nothing": nil, "bytes": []byte("b"), "odd_keys": map[any]any{1: 2, "a": 3}, "number": uint8(3), "typed": []string{"a"}, "odd": make(chan int), "no_utf8": "\xff",
	} {
		t.Run(name, func(t *testing.T) {
			var m message
			m.dict(1, map[string]any{"k": v})
			if n := protowire.ConsumeFieldValue(1, protowire.BytesType, m[1:]); n != len(m)-1 || n > 10000 {
				t.Errorf("%d bytes of %d", n, len(m)-1)
			}
			if strings.Contains(string(m), "bottom") || strings.HasSuffix(string(m), "\xff") {
				t.Errorf("%x", []byte(m))
			}
		})
	}
}
