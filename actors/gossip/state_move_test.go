package gossip

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/actor-consul/consul/messages"
)

func TestIsMove(t *testing.T) {
	at := func(name, id, place string) messages.Member { return member(name, id, place, messages.MemberAlive) }
	known := at("b", "id-b", "10.0.0.1:8301")
	tests := []struct {
		name        string
		known, said messages.Member
		want        bool
	}{
		{"another_address", known, at("b", "id-b", "10.0.0.2:8301"), true},
		{"another_port", known, at("b", "id-b", "10.0.0.1:8302"), true},
		{"another_node", known, at("b", "id-c", "10.0.0.2:8301"), false},
		{"no_id", at("b", "", "10.0.0.1:8301"), at("b", "", "10.0.0.2:8301"), false},
		{"the_same_place", known, known, false},
		{"ourselves", at("a", "id-a", "10.0.0.1:8301"), at("a", "id-a", "10.0.0.2:8301"), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := (claim{known: tt.known, said: tt.said}).isMove("a"); got != tt.want {
				t.Errorf("a move: %t, want %t", got, tt.want)
			}
		})
	}
}

func TestInquiry(t *testing.T) {
	const (
		neither = iota
		known
		said
		both
	)
	tests := []struct {
		name   string
		rounds []int
		want   verdict
	}{
		{"it_has_moved", []int{said, said}, moved},
		{"one_round_may_be_chance", []int{said}, undecided},
		{"it_is_not_up_yet_where_it_is", []int{neither, neither, neither, said}, moved},
		{"it_is_there", []int{known}, stays},
		{"it_is_slow", []int{neither, neither, known}, stays},
		{"there_are_two", []int{both}, stays},
		{"slow_and_there_are_two", []int{said, both}, stays},
		{"an_old_word", make([]int, mostRounds), nowhere},
		{"slow_and_an_old_word", []int{neither, neither, neither, known}, stays},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var q inquiry
			got := undecided
			for i := 0; i < len(tt.rounds) && got == undecided; i++ {
				got = q.hear(tt.rounds[i]&known != 0, tt.rounds[i]&said != 0)
			}
			if got != tt.want {
				t.Errorf("verdict %d, want %d", got, tt.want)
			}
		})
	}
}

func TestInquiriesAreFew(t *testing.T) {
	begin := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	q := inquiries{}
	if !q.begin("b", begin) || q.begin("b", begin.Add(time.Hour)) {
		t.Error("there is not exactly one about b")
	}
	for i := range mostInquiries - 1 {
		if !q.begin(fmt.Sprint(i), begin) {
			t.Errorf("no room for number %d", i)
		}
	}
	if q.begin("c", begin) {
		t.Error("there are more than there may be")
	}
	q.end("b", begin)
	if soon := begin.Add(inquiryPause / 2); q.begin("b", soon) || q.begin("c", soon) {
		t.Error("the pause does not count")
	}
	if !q.begin("c", begin.Add(inquiryPause)) {
		t.Error("the pause does not end")
	}
}

func TestRelocation(t *testing.T) {
	c := claim{
		known: member("b", "id-b", "10.0.0.1:8301", messages.MemberAlive),
		said:  member("b", "id-b", "10.0.0.2:8309", messages.MemberAlive),
		meta:  []byte("new"),
	}
	tests := []struct {
		name  string
		at    string
		state memberlist.NodeStateType
		want  []string
	}{
		{"alive", "10.0.0.1:8301", memberlist.StateAlive, []string{"left 7 10.0.0.1:8301 old", "alive 8 10.0.0.2:8309 new"}},
		{"suspect", "10.0.0.1:8301", memberlist.StateSuspect, []string{"left 7 10.0.0.1:8301 old", "alive 8 10.0.0.2:8309 new"}},
		{"dead", "10.0.0.1:8301", memberlist.StateDead, []string{"alive 8 10.0.0.1:8301 old", "left 8 10.0.0.1:8301 old", "alive 9 10.0.0.2:8309 new"}},
		{"left", "10.0.0.1:8301", memberlist.StateLeft, []string{"alive 8 10.0.0.2:8309 new"}},
		{"elsewhere_by_now", "10.0.0.3:8301", memberlist.StateAlive, nil},
		{"at_another_port_by_now", "10.0.0.1:1", memberlist.StateAlive, nil},
	}
	states := map[memberlist.NodeStateType]string{memberlist.StateAlive: "alive", memberlist.StateLeft: "left"}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			at := netip.MustParseAddrPort(tt.at)
			var got []string
			for _, n := range c.relocation(nodeState{Name: "b", Addr: at.Addr().AsSlice(), Port: at.Port(), Meta: []byte("old"), Incarnation: 7, State: tt.state, Vsn: []uint8{1, 5, 2}}) {
				addr, _ := netip.AddrFromSlice(n.Addr)
				got = append(got, fmt.Sprintf("%s %d %s:%d %s", states[n.State], n.Incarnation, addr, n.Port, n.Meta))
				if n.Name != "b" || len(n.Vsn) != 3 {
					t.Errorf("said of %+v", n)
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("says\n%q, want\n%q", got, tt.want)
			}
		})
	}
}
