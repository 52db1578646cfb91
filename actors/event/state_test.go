package event

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

const anID = "00000000-0000-4000-8000-000000000001"

func TestConcerns(t *testing.T) {
	local := &messages.LocalView{Services: map[string]*wire.NodeService{
		"w": {Service: "web", Tags: []string{"blue", "v1"}},
		"d": {Service: "db"},
	}}
	tests := []struct {
		name  string
		event messages.UserEvent
		local *messages.LocalView
		want  bool
		err   string
	}{
		{name: "everybody", want: true},
		{name: "this_node", event: messages.UserEvent{NodeFilter: "^n[0-9]$"}, want: true},
		{name: "another_node", event: messages.UserEvent{NodeFilter: "^x"}},
		{name: "a_service_here", event: messages.UserEvent{ServiceFilter: "^we"}, local: local, want: true},
		{name: "a_service_elsewhere", event: messages.UserEvent{ServiceFilter: "cache"}, local: local},
		{name: "nothing_is_known_of_services", event: messages.UserEvent{ServiceFilter: "web"}},
		{name: "a_tag_of_the_service", event: messages.UserEvent{ServiceFilter: "web", TagFilter: "v."}, local: local, want: true},
		{name: "a_tag_of_another", event: messages.UserEvent{ServiceFilter: "db", TagFilter: "v1"}, local: local},
		{name: "the_node_but_not_the_service", event: messages.UserEvent{NodeFilter: "n1", ServiceFilter: "cache"}, local: local},
		{name: "odd_node", event: messages.UserEvent{NodeFilter: "("}, err: "Invalid node filter: error parsing regexp: missing closing ): `(`"},
		{name: "odd_tag", event: messages.UserEvent{ServiceFilter: "web", TagFilter: "["}, err: "Invalid tag filter: error parsing regexp: missing closing ]: `[`"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := concerns(&tt.event, "n1", tt.local)
			if got != tt.want || (err == nil) != (tt.err == "") || err != nil && err.Error() != tt.err {
				t.Errorf("%t, %v; want %t, %q", got, err, tt.want, tt.err)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	tests := []struct {
		name  string
		event messages.UserEvent
		want  string
	}{
		{name: "fine", event: messages.UserEvent{Name: "e", NodeFilter: "n", ServiceFilter: "s", TagFilter: "t"}},
		{name: "no_name", want: "User event missing name"},
		{name: "tag_of_nothing", event: messages.UserEvent{Name: "e", TagFilter: "t"}, want: "Cannot provide tag filter without service filter"},
		{name: "odd_service", event: messages.UserEvent{Name: "e", ServiceFilter: "("}, want: "Invalid service filter: error parsing regexp: missing closing ): `(`"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := check(&tt.event); (err == nil) != (tt.want == "") || err != nil && err.Error() != tt.want {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

// TestEncoding has the bytes that Consul's agents read: a map with the keys of
// Consul's struct, text and bytes apart.
func TestEncoding(t *testing.T) {
	e := messages.UserEvent{ID: anID, Name: "deploy", Payload: []byte("p"), NodeFilter: "n1", Version: 1, LTime: 9}
	payload, err := encode(&e)
	if err != nil {
		t.Fatal(err)
	}
	want := "\x85\xa2ID\xd9\x24" + anID + "\xa1n\xa6deploy\xa2nf\xa2n1\xa1p\xc4\x01p\xa1v\x01"
	if string(payload) != want {
		t.Errorf("encoded: %q\nwant     %q", payload, want)
	}
	got, err := decode(payload)
	if e.LTime = 0; err != nil || fmt.Sprint(got) != fmt.Sprint(e) {
		t.Errorf("decoded: %+v, %v", got, err)
	}
}

func TestHostilePayloads(t *testing.T) {
	for name, payload := range map[string]string{
		"nothing":     "",
		"no_map":      "\x01",
		"cut_off":     "\x85\xa2ID\xd9\x24" + anID[:9],
		"no_id":       "\x81\xa1n\xa1e",
		"short_id":    "\x82\xa2ID\xa1x\xa1n\xa1e",
		"odd_id":      "\x81\xa2ID\xd9\x24" + strings.Repeat("z", 36),
		"huge_string": "\x81\xa1n\xdb\xff\xff\xff\xff",
		"huge_map":    "\xdf\xff\xff\xff\xff",
		"deep":        "\x81\xa1z" + string(bytes.Repeat([]byte{0x91}, 400)),
	} {
		t.Run(name, func(t *testing.T) {
			if e, err := decode([]byte(payload)); err == nil {
				t.Errorf("read as %+v", e)
			}
		})
	}
}

func TestRing(t *testing.T) {
	var r ring
	for i := range ringSize + 3 {
		held := r.events
		r = r.with(messages.UserEvent{Version: i})
		if len(held) > 0 && held[len(held)-1].Version != i-1 {
			t.Fatalf("what was published has changed at %d", i)
		}
	}
	if n := len(r.events); n != ringSize || r.events[0].Version != 3 || r.events[n-1].Version != ringSize+2 {
		t.Errorf("%d events, from %d to %d", n, r.events[0].Version, r.events[n-1].Version)
	}
}

// FuzzDecode reads whatever may come from the pool as an event. What is taken for one
// can be sent on, and is the same then.
func FuzzDecode(f *testing.F) {
	payload, err := encode(&messages.UserEvent{ID: "11111111-2222-3333-4444-555555555555", Name: "deploy", Payload: []byte("x"), NodeFilter: "^n", Version: 1})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(payload)
	f.Add([]byte("\xdf\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, payload []byte) {
		var e messages.UserEvent
		var err error
		if n := actortest.Allocated(func() { e, err = decode(payload) }); n > 1<<20+100*uint64(len(payload)) {
			t.Errorf("%d bytes allocate %d", len(payload), n)
		}
		if err != nil {
			return
		}
		_ = check(&e)
		sent, err := encode(&e)
		if err != nil {
			t.Fatal(err)
		}
		again, err := decode(sent)
		if err != nil {
			t.Fatalf("%+v is sent on as %x: %v", e, sent, err)
		}
		if twice, err := encode(&again); err != nil || !bytes.Equal(sent, twice) {
			t.Errorf("%+v is sent on as %+v, %v", e, again, err)
		}
	})
}
