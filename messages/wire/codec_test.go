package wire

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"io"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/hashicorp/serf/coordinate"
)

// entries has one entry of each type that we write.
func entries() map[MessageType]any {
	service := &NodeService{
		ID: "w1", Service: "web", Tags: []string{"a", "b"}, Port: 80, Weights: &Weights{Passing: 3, Warning: 1},
		TaggedAddresses: map[string]ServiceAddress{"lan": {Address: "10.0.0.1", Port: 81}}, Meta: map[string]string{"k": "v"},
		Proxy: ConnectProxyConfig{Config: map[string]any{"x": "y"}, Expose: ExposeConfig{Paths: []ExposePath{{Path: "/p"}}}},
	}
	check := &HealthCheck{
		Node: "n1", CheckID: "c", Status: HealthPassing, ServiceID: "w1",
		Definition: HealthCheckDefinition{HTTP: "u", Interval: 10 * time.Second, Header: map[string][]string{"h": {"1"}}},
	}
	return map[MessageType]any{
		RegisterRequestType: &RegisterRequest{
			Datacenter: "dc1", ID: "11111111-2222-3333-4444-555555555555", Node: "n1", Address: "10.0.0.1",
			NodeMeta: map[string]string{"rack": "r1"}, Service: service, Checks: HealthChecks{check}, WriteRequest: WriteRequest{Token: "t"},
		},
		DeregisterRequestType: &DeregisterRequest{Datacenter: "dc1", Node: "n1", ServiceID: "w1"},
		KVSRequestType:        &KVSRequest{Op: KVSet, DirEnt: DirEntry{Key: "k", Value: []byte{0, 255, 1}, Flags: 1 << 63}},
		SessionRequestType: &SessionRequest{Op: SessionCreate, Session: Session{
			ID: "s", Node: "n1", LockDelay: 15 * time.Second, TTL: "10s", NodeChecks: []string{SerfCheckID}, ServiceChecks: []ServiceCheck{{ID: "c"}},
		}},
		TombstoneRequestType:      &TombstoneRequest{Op: TombstoneReap, ReapIndex: 9},
		CoordinateBatchUpdateType: &Coordinates{{Node: "n1", Coord: coordinate.NewCoordinate(coordinate.DefaultConfig())}},
		TxnRequestType: &TxnRequest{Ops: TxnOps{
			{KV: &TxnKVOp{Verb: KVCAS, DirEnt: DirEntry{Key: "k"}}}, {Node: &TxnNodeOp{Verb: CatalogSet, Node: Node{Node: "n"}}},
		}},
		ConfigEntryRequestType: &ConfigEntryRequest{Op: ConfigEntryUpsertCAS, Datacenter: "dc1", Entry: &api.ServiceResolverConfigEntry{
			Kind: api.ServiceResolver, Name: "web", ConnectTimeout: 5 * time.Second, Meta: map[string]string{"a": "b"}, ModifyIndex: 7,
			Subsets:  map[string]api.ServiceResolverSubset{"v2": {Filter: "Service.Meta.version == v2"}},
			Failover: map[string]api.ServiceResolverFailover{"*": {Datacenters: []string{"dc2"}}},
		}},
		AutopilotRequestType: &AutopilotSetConfigRequest{CAS: true, Config: AutopilotConfig{LastContactThreshold: time.Second, MaxTrailingLogs: 250}},
	}
}

func TestEntriesSurviveTheLog(t *testing.T) {
	for typ, want := range entries() {
		t.Run(typ.String(), func(t *testing.T) {
			entry, err := Encode(typ, want)
			if err != nil {
				t.Fatal(err)
			}
			got, body, err := Split(entry)
			if err != nil || got != typ {
				t.Fatalf("Split = %v, %v, want %v", got, err, typ)
			}
			into := reflect.New(reflect.TypeOf(want).Elem()).Interface()
			if err := Decode(body, len(body), into); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(into, want) {
				t.Errorf("decoded %+v, want %+v", into, want)
			}
			clear(entry) // the value must not live in the entry
			if !reflect.DeepEqual(into, want) {
				t.Errorf("the value changed with the entry it was decoded from")
			}
		})
	}
}

// TestKeysAreFieldNames holds the encoding to Go field names, embedded structs
// inlined, whatever the JSON tags say.
func TestKeysAreFieldNames(t *testing.T) {
	tests := []struct {
		name  string
		value any
		want  []string
	}{
		{"key", &DirEntry{Key: "k"}, []string{"CreateIndex", "Flags", "Key", "LockIndex", "ModifyIndex", "Session", "Value"}},
		{"write", &KVSRequest{}, []string{"Datacenter", "DirEnt", "Op", "Token"}},
		{"tagged_dash", &TransparentProxyConfig{}, []string{"DialedDirectly", "OutboundListenerPort"}},
		{"reply", &IndexedNodes{}, []string{"Backend", "ConsistencyLevel", "Index", "KnownLeader", "LastContact", "Nodes", "NotModified", "ResultsFilteredByACLs"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			entry, err := Encode(0, tt.value)
			if err != nil {
				t.Fatal(err)
			}
			var m map[string]any
			if err := Decode(entry[1:], len(entry), &m); err != nil {
				t.Fatal(err)
			}
			var keys []string
			for k := range m {
				keys = append(keys, k)
			}
			slices.Sort(keys)
			if !slices.Equal(keys, tt.want) {
				t.Errorf("keys = %v, want %v", keys, tt.want)
			}
		})
	}
}

// TestBytes pins the encoding of an entry: raw text, no str8, no bin.
func TestBytes(t *testing.T) {
	long := bytes.Repeat([]byte("x"), 40)
	got, err := Encode(TombstoneRequestType, &struct{ A, B any }{string(long), long})
	if err != nil {
		t.Fatal(err)
	}
	want := slices.Concat([]byte{5, 0x82, 0xa1, 'A', 0xda, 0, 40}, long, []byte{0xa1, 'B', 0xda, 0, 40}, long)
	if !bytes.Equal(got, want) {
		t.Errorf("encoded %x, want %x", got, want)
	}
}

func TestDecodeRefuses(t *testing.T) {
	deep := bytes.Repeat([]byte{0x91}, 100_000) // arrays of one, without end
	tests := []struct {
		name  string
		body  []byte
		limit int
		into  any
		is    error
	}{
		{name: "longer_than_allowed", body: make([]byte, 11), limit: 10, into: new(any), is: ErrTooLarge},
		{name: "nothing", body: nil, limit: 10, into: new(DirEntry)},
		{name: "cut_off", body: []byte{0x82, 0xa1}, limit: 10, into: new(DirEntry)},
		{name: "wrong_type", body: []byte{0x93, 1, 2, 3}, limit: 10, into: new(map[string]string)},
		{name: "nested_too_deep", body: deep, limit: 1 << 20, into: new(any)},
		{name: "count_without_content", body: []byte{0xdd, 0xff, 0xff, 0xff, 0xff}, limit: 10, into: new([]string)},
		{name: "length_without_content", body: []byte{0xdb, 0xff, 0xff, 0xff, 0xff, 'x'}, limit: 10, into: new(string)},
		{name: "huge_map", body: []byte{0xdf, 0xff, 0xff, 0xff, 0xff, 0xa1, 'x'}, limit: 10, into: new(map[string]string)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := Decode(tt.body, tt.limit, tt.into)
			if err == nil {
				t.Fatalf("decoded to %+v", tt.into)
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("err = %v, want %v", err, tt.is)
			}
		})
	}
	if _, _, err := Split(nil); !errors.Is(err, ErrEmpty) {
		t.Errorf("Split(nil) = %v, want %v", err, ErrEmpty)
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

// FuzzDecode gives the decoder whatever may come from the network as an entry. What
// is read is written and read again as the same, and takes no more than a factor of
// what came: the worst is a byte that stands for an empty struct.
func FuzzDecode(f *testing.F) {
	for typ, v := range entries() {
		entry, err := Encode(typ, v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(entry)
	}
	f.Fuzz(func(t *testing.T, entry []byte) {
		typ, body, err := Split(entry)
		if err != nil {
			return
		}
		v, known := entries()[typ]
		if !known {
			return
		}
		fresh := func() any { return reflect.New(reflect.TypeOf(v).Elem()).Interface() }
		into := fresh()
		if n := allocated(func() { err = Decode(body, 1<<16, into) }); n > 1<<18+2000*uint64(len(entry)) {
			t.Errorf("%d bytes allocate %d", len(entry), n)
		}
		if err != nil {
			return
		}
		if req, ok := into.(*ConfigEntryRequest); ok && req.Entry == nil { // it was nil altogether
			return
		}
		once, err := Encode(typ, into)
		if err != nil {
			t.Fatalf("%+v was decoded and cannot be encoded: %v", into, err)
		}
		again := fresh()
		if err := Decode(once[1:], 1<<20, again); err != nil {
			t.Fatalf("%x was encoded and cannot be decoded: %v", once, err)
		}
		twice, err := Encode(typ, again)
		if err != nil || !bytes.Equal(once, twice) {
			t.Errorf("%x is read as %x, %v", once, twice, err)
		}
	})
}

// TestAnnounced has messages that announce more than there is of them: nothing is
// allocated for that, on however many levels.
func TestAnnounced(t *testing.T) {
	deep := func(open string, n int) []byte { return bytes.Repeat([]byte(open), n) }
	body := append([]byte("\xae"+api.ProxyDefaults+"\x81\xa5Entry\x81\xa6Config"), deep("\xdf\x7f\xff\xff\xff\xa0", 100)...)
	for name, read := range map[string]func() error{
		"anything":     func() error { return Decode(deep("\xdf\x7f\xff\xff\xff\xa0", 100), 1<<16, new(any)) },
		"lists":        func() error { return Decode(deep("\xdd\x7f\xff\xff\xff", 100), 1<<16, new(any)) },
		"text":         func() error { return Decode([]byte("\xdb\xff\xff\xff\xffx"), 1<<16, new(string)) },
		"half_a_count": func() error { return Decode([]byte("\xdd\x00"), 1<<16, new(any)) },
		"nothing":      func() error { return Decode(nil, 1<<16, new(any)) },
		"config_entry": func() error { return new(ConfigEntryRequest).UnmarshalBinary(body) },
	} {
		var err error
		if n := allocated(func() { err = read() }); err == nil || n > 64<<10 {
			t.Errorf("%s: %v, and %d bytes allocated", name, err, n)
		}
	}
}

// TestReadValue reads the values of a stream, and makes no room for what is only
// announced.
func TestReadValue(t *testing.T) {
	good := "\x82\xa1a\x01\xa1b\x93\xc0\xcb12345678\xd9\x03abc"
	for _, tt := range []struct {
		name, stream, want string
		err                error
	}{
		{"good", good + "\x01", good, nil},
		{"an_extension", "\xc7\x02\x05abc", "\xc7\x02\x05ab", nil},
		{"nothing", "", "", io.EOF},
		{"half", good[:len(good)-1], "", io.ErrUnexpectedEOF},
		{"a_count_in_half", "\xdd\x00", "", io.ErrUnexpectedEOF},
		{"gigabytes", "\xc9\xff\xff\xff\xff\x00", "", ErrTooLarge},
		{"less_than_it_says", "\xc6\x00\x0f\x00\x00x", "", io.ErrUnexpectedEOF},
		{"a_long_list", "\xdd\x7f\xff\xff\xff", "", ErrTooLarge},
	} {
		var got []byte
		var err error
		n := allocated(func() { got, err = ReadValue(strings.NewReader(tt.stream), nil, 1<<20) })
		if string(got) != tt.want || !errors.Is(err, tt.err) || n > 256<<10 {
			t.Errorf("%s: %q, %v, want %q, %v; %d bytes allocated", tt.name, got, err, tt.want, tt.err, n)
		}
	}
}

// TestEntryOfNothing: many things of a byte, which take the room of large ones, are no
// config entry.
func TestEntryOfNothing(t *testing.T) {
	body := []byte("\xb2" + api.ServiceIntentions + "\x81\xa5Entry\x81\xa7Sources\xdd\x00\x10\x00\x00")
	body = append(body, bytes.Repeat([]byte{0x80}, 1<<20)...)
	var err error
	if n := allocated(func() { err = new(ConfigEntryRequest).UnmarshalBinary(body) }); !errors.Is(err, ErrTooLarge) || n > 64<<10 {
		t.Errorf("%v, and %d bytes allocated", err, n)
	}
}

// FuzzConfigEntries gives the messages that say themselves what is in them whatever
// may come from a server.
func FuzzConfigEntries(f *testing.F) {
	web := &api.ServiceConfigEntry{Kind: api.ServiceDefaults, Name: "web", Protocol: "http"}
	for i, v := range []encoding.BinaryMarshaler{
		&ConfigEntryRequest{Op: ConfigEntryUpsert, Entry: web},
		&ConfigEntryResponse{Entry: web}, &ConfigEntryResponse{},
		&IndexedConfigEntries{Kind: api.ServiceDefaults, Entries: []ConfigEntry{web}}, &IndexedConfigEntries{},
	} {
		raw, err := v.MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), raw)
	}
	f.Fuzz(func(t *testing.T, which uint8, raw []byte) {
		fresh := func() selfEncoder {
			return []selfEncoder{&ConfigEntryRequest{}, &ConfigEntryResponse{}, &ConfigEntryResponse{}, &IndexedConfigEntries{}, &IndexedConfigEntries{}}[which%5]
		}
		into, again := fresh(), fresh()
		var err error
		if n := allocated(func() { err = into.UnmarshalBinary(raw) }); n > 1<<18+2000*uint64(len(raw)) {
			t.Errorf("%d bytes allocate %d", len(raw), n)
		}
		if err != nil {
			return
		}
		once, err := into.MarshalBinary()
		if err != nil {
			t.Fatalf("%+v was decoded and cannot be encoded: %v", into, err)
		}
		if err := again.UnmarshalBinary(once); err != nil {
			t.Fatalf("%x was encoded and cannot be decoded: %v", once, err)
		}
		if twice, err := again.MarshalBinary(); err != nil || !bytes.Equal(once, twice) {
			t.Errorf("%x is read as %x, %v", once, twice, err)
		}
	})
}

type selfEncoder interface {
	encoding.BinaryMarshaler
	encoding.BinaryUnmarshaler
}

func TestMessageTypeString(t *testing.T) {
	for typ, want := range map[MessageType]string{
		KVSRequestType: "KVS", KVSRequestType | IgnoreUnknownTypeFlag: "KVS", 99: "Unknown(99)",
	} {
		if got := typ.String(); got != want {
			t.Errorf("MessageType(%d) = %q, want %q", uint8(typ), got, want)
		}
	}
}

// TestConfigEntryReplies has the replies whose entries say themselves what they are.
func TestConfigEntryReplies(t *testing.T) {
	meta := QueryMeta{Index: 9, KnownLeader: true}
	web, db := &api.ServiceConfigEntry{Kind: api.ServiceDefaults, Name: "web", Protocol: "http"}, &api.ServiceConfigEntry{Kind: api.ServiceDefaults, Name: "db"}
	for name, want := range map[string]any{
		"one":     &ConfigEntryResponse{Entry: web, QueryMeta: meta},
		"no_one":  &ConfigEntryResponse{QueryMeta: meta},
		"several": &IndexedConfigEntries{Kind: api.ServiceDefaults, Entries: []ConfigEntry{web, db}, QueryMeta: meta},
		"none":    &IndexedConfigEntries{Kind: api.ServiceDefaults, QueryMeta: meta},
	} {
		t.Run(name, func(t *testing.T) {
			var text bytes.Buffer
			if err := NewEncoder(&text).Encode(want); err != nil {
				t.Fatal(err)
			}
			got := reflect.New(reflect.TypeOf(want).Elem()).Interface()
			if err := NewDecoder(&text).Decode(got); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("decoded %+v, want %+v", got, want)
			}
		})
	}
	many, err := encodeAll(1<<40, "mesh")
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"nothing": nil, "too_many": many, "odd_kind": append([]byte{0xa3}, "odd"...)} {
		for _, into := range []interface{ UnmarshalBinary([]byte) error }{&ConfigEntryRequest{}, &ConfigEntryResponse{}, &IndexedConfigEntries{}} {
			if err := into.UnmarshalBinary(data); err == nil {
				t.Errorf("%s: %T read it", name, into)
			}
		}
	}
	if _, err := (&ConfigEntryRequest{}).MarshalBinary(); err == nil {
		t.Error("a request without an entry was written")
	}
}

// TestConfigEntryIsWhatItSays: who may write an entry is found out by its kind and its
// name, and each kind has its own notion of a name.
func TestConfigEntryIsWhatItSays(t *testing.T) {
	type entry = map[string]any
	for name, tt := range map[string]struct {
		kind  string
		entry any
		good  bool
	}{
		"its_own_kind": {api.ServiceDefaults, entry{"Kind": api.ServiceDefaults, "Name": "web"}, true},
		"no_kind":      {api.ServiceDefaults, entry{"Name": "web"}, true},
		"another_kind": {api.ProxyDefaults, entry{"Kind": api.ServiceDefaults, "Name": "web"}, false},
		"odd_kind":     {api.ServiceDefaults, entry{"Kind": "odd", "Name": "web"}, false},
		"empty_kind":   {api.ServiceDefaults, entry{"Kind": "", "Name": "web"}, false},
		"nothing":      {api.ServiceDefaults, nil, false},
		"too_deep":     {api.ProxyDefaults, entry{"Config": entry{"a": nested(MaxDepth)}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			data, err := encodeAll(tt.kind, map[string]any{"Op": "upsert", "Entry": tt.entry})
			if err != nil {
				t.Fatal(err)
			}
			var r ConfigEntryRequest
			if err := r.UnmarshalBinary(data); (err == nil) != tt.good {
				t.Errorf("%+v: %v", r.Entry, err)
			}
		})
	}
}

// nested is a list in a list, and so on.
func nested(depth int) any {
	var inner any
	for range depth {
		inner = []any{inner}
	}
	return inner
}

func TestNormalizeConfigEntry(t *testing.T) {
	e := &api.ServiceIntentionsConfigEntry{Kind: api.ServiceIntentions, Name: "web", Sources: []*api.SourceIntention{{Name: "*"}, nil, {Name: "b"}, {Name: "a"}}}
	NormalizeConfigEntry(e)
	var got []string
	for _, s := range e.Sources {
		got = append(got, fmt.Sprint(s.Name, " ", s.Precedence, " ", s.Type))
	}
	if want := []string{"a 9 consul", "b 9 consul", "* 8 consul"}; !slices.Equal(got, want) {
		t.Errorf("sources %q, want %q", got, want)
	}
	if got := IntentionPrecedence("*", "*"); got != 5 {
		t.Errorf("all to all has precedence %d", got)
	}
	in := &api.IngressGatewayConfigEntry{Defaults: &api.IngressServiceConfig{}}
	NormalizeConfigEntry(in)
	if d := in.Defaults; d.MaxConnections == nil || d.MaxPendingRequests == nil || d.MaxConcurrentRequests == nil {
		t.Errorf("defaults %+v", d)
	}
}
