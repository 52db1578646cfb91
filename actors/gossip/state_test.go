package gossip

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/actor-consul/consul/messages"
)

// member returns an agent of dc1 with its ID.
func member(name, id, addr string, status messages.MemberStatus) messages.Member {
	at := netip.MustParseAddrPort(addr)
	return messages.Member{
		Name: name, Addr: at.Addr(), Port: at.Port(), Status: status,
		Tags: map[string]string{"role": "consul", "dc": "dc1", "id": id},
	}
}

func text(changes []*messages.MembersChanged) string {
	var all []string
	for _, c := range changes {
		for _, m := range c.Members {
			all = append(all, string(c.Change)+" "+m.Name)
		}
	}
	return strings.Join(all, ", ")
}

func TestRosterHear(t *testing.T) {
	a := member("a", "1", "10.0.0.1:8301", messages.MemberAlive)
	failed := a
	failed.Status = messages.MemberFailed
	leaving := a
	leaving.Status = messages.MemberLeaving
	moved := member("a", "1", "10.0.0.9:8301", messages.MemberAlive)
	tests := []struct {
		name   string
		before roster
		change messages.MembershipChange
		member messages.Member
		news   bool
		after  int
	}{
		{"first_join", roster{}, messages.Joined, a, true, 1},
		{"told_already", roster{"a": a}, messages.Joined, a, false, 1},
		{"leaving_is_up_still", roster{"a": leaving}, messages.Joined, a, false, 1},
		{"here_at_another_address_is_an_update", roster{"a": a}, messages.Joined, moved, false, 1},
		{"back_after_failure", roster{"a": failed}, messages.Joined, a, true, 1},
		{"failure", roster{"a": a}, messages.Failed, failed, true, 1},
		{"failure_told_already", roster{"a": failed}, messages.Failed, failed, false, 1},
		{"update", roster{"a": a}, messages.Updated, moved, true, 1},
		{"update_without_change", roster{"a": a}, messages.Updated, a, false, 1},
		{"update_of_a_stranger", roster{}, messages.Updated, a, false, 0},
		{"reaped", roster{"a": failed}, messages.Reaped, failed, true, 0},
		{"reaped_told_already", roster{}, messages.Reaped, failed, false, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			news := tt.before.hear(tt.change, []messages.Member{tt.member})
			if (len(news) == 1) != tt.news || len(tt.before) != tt.after {
				t.Errorf("news %v, %d on the roster; want news: %t, %d on the roster", news, len(tt.before), tt.news, tt.after)
			}
		})
	}
}

func TestRosterMissed(t *testing.T) {
	alive := func(name string) messages.Member {
		return member(name, name, "10.0.0.1:8301", messages.MemberAlive)
	}
	with := func(m messages.Member, s messages.MemberStatus) messages.Member {
		m.Status = s
		return m
	}
	tagged := alive("a")
	tagged.Tags = map[string]string{"role": "node"}
	tests := []struct {
		name   string
		before roster
		now    []messages.Member
		want   string
	}{
		{"nothing", roster{"a": alive("a")}, []messages.Member{alive("a")}, ""},
		{"joined", roster{}, []messages.Member{alive("a"), alive("b")}, "join a, join b"},
		{"failed", roster{"a": alive("a")}, []messages.Member{with(alive("a"), messages.MemberFailed)}, "failed a"},
		{"left", roster{"a": alive("a")}, []messages.Member{with(alive("a"), messages.MemberLeft)}, "leave a"},
		{"about_to_leave_is_no_news", roster{"a": alive("a")}, []messages.Member{with(alive("a"), messages.MemberLeaving)}, ""},
		{"updated", roster{"a": alive("a")}, []messages.Member{tagged}, "update a"},
		{"reaped_in_order", roster{"b": alive("b"), "a": alive("a")}, nil, "reap a, reap b"},
		{"unknown_status", roster{}, []messages.Member{with(alive("a"), messages.MemberNone)}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := text(tt.before.missed(tt.now)); got != tt.want {
				t.Errorf("missed %q, want %q", got, tt.want)
			}
			if got := text(tt.before.missed(tt.now)); got != "" {
				t.Errorf("told twice: %q", got)
			}
		})
	}
}

func TestCarried(t *testing.T) {
	up := member("up", "1", "10.0.0.1:8301", messages.MemberAlive)
	down := member("down", "2", "10.0.0.2:8301", messages.MemberFailed)
	gone := member("gone", "3", "10.0.0.3:8301", messages.MemberLeft)
	self := member("self", "4", "10.0.0.4:8301", messages.MemberAlive)
	view := &messages.PoolView{Members: []messages.Member{down, gone, self, up}}

	c := carry(view, "self")
	if got := c.wanted(); len(got) != 2 || got[0].Name != "up" || got[1].Name != "down" {
		t.Errorf("wants %v, want up before down", got)
	}
	members := c.merge([]messages.Member{self})
	byName(members)
	if len(members) != 4 || members[3].Status != messages.MemberAlive {
		t.Errorf("members after the restart are %v, want the four of before", members)
	}
	c.miss()
	if c["up"].Status != messages.MemberFailed || c["gone"].Status != messages.MemberLeft {
		t.Errorf("missed: %v, want up to have failed and gone to have left", c)
	}
	c.merge([]messages.Member{self, up})
	if _, ok := c["up"]; ok || len(c) != 2 {
		t.Errorf("carries %v, although Serf knows up", c)
	}
	if !c.forceLeave("down", false) || c["down"].Status != messages.MemberLeft || len(c.wanted()) != 0 {
		t.Errorf("forced to leave: %v, want down to have left", c)
	}
	if !c.forceLeave("down", true) || c.forceLeave("down", true) {
		t.Errorf("pruned: %v, want down to be forgotten", c)
	}
	if got := carry(nil, "self"); len(got) != 0 {
		t.Errorf("carries %v of no view", got)
	}
}

func TestAdmit(t *testing.T) {
	const up, failed = messages.MemberAlive, messages.MemberFailed
	self := member("self", "id-self", "10.0.0.1:8301", up)
	known := newHolders(self, []messages.Member{
		self,
		member("b", "id-b", "10.0.0.2:8301", up),
		member("dead", "id-dead", "10.0.0.3:8301", failed),
	})
	change := func(m messages.Member, key, value string) messages.Member {
		m.Tags[key] = value
		return m
	}
	tests := []struct {
		name string
		pool messages.Pool
		m    messages.Member
		want string // in the error; empty: admitted
	}{
		{"stranger", messages.LAN, member("c", "id-c", "10.0.0.4:8301", up), ""},
		{"known", messages.LAN, member("b", "id-b", "10.0.0.2:8301", up), ""},
		{"known_has_moved", messages.LAN, member("b", "id-b", "10.0.0.9:8301", up), ""},
		{"itself", messages.LAN, self, ""},
		{"its_name", messages.LAN, member("self", "id-x", "10.0.0.9:8301", up),
			`node name "self" is held by this agent, "self" (ID id-self, 10.0.0.1:8301), and claimed by agent "self" (ID id-x, 10.0.0.9:8301)`},
		{"its_name_from_before_its_restart", messages.LAN, member("self", "id-x", "10.0.0.1:8301", up), ""},
		{"name_of_another", messages.LAN, member("b", "id-x", "10.0.0.9:8301", up), `node name "b" is held by agent "b" (ID id-b, 10.0.0.2:8301)`},
		{"name_without_id", messages.LAN, member("b", "", "10.0.0.9:8301", up), ""},
		{"id_of_another", messages.LAN, member("x", "id-b", "10.0.0.9:8301", up),
			`node ID id-b is held by agent "b" (ID id-b, 10.0.0.2:8301) and claimed by agent "x" (ID id-b, 10.0.0.9:8301)`},
		{"id_at_the_same_place", messages.LAN, member("x", "id-b", "10.0.0.2:8301", up), ""},
		{"name_of_the_failed", messages.LAN, member("dead", "id-x", "10.0.0.9:8301", up), ""},
		{"id_of_the_failed", messages.LAN, member("x", "id-dead", "10.0.0.9:8301", up), ""},
		{"other_datacenter", messages.LAN, change(member("c", "id-c", "10.0.0.4:8301", up), "dc", "dc2"),
			`agent "c" (ID id-c, 10.0.0.4:8301) is of datacenter "dc2" and this LAN pool of "dc1"`},
		{"client_of_other_datacenter", messages.LAN,
			change(change(member("c", "", "10.0.0.4:8301", up), "role", "node"), "dc", "dc2"), `"dc2"`},
		{"no_agent_of_ours", messages.LAN, change(member("c", "", "10.0.0.4:8301", up), "role", "web"), ""},
		{"other_datacenter_in_wan", messages.WAN, change(member("c.dc2", "id-c", "10.0.0.4:8302", up), "dc", "dc2"), ""},
		{"client_in_wan", messages.WAN, change(member("c", "id-c", "10.0.0.4:8302", up), "role", "node"), "is not a server"},
		{"empty_name", messages.LAN, member("", "id-c", "10.0.0.4:8301", up), "the agent at 10.0.0.4:8301: node name is empty"},
		{"long_name", messages.LAN, member(strings.Repeat("n", 129), "id-c", "10.0.0.4:8301", up), "129 bytes long"},
		{"control_character", messages.LAN, member("a\nb", "id-c", "10.0.0.4:8301", up), `"a\nb" has a control character`},
		{"not_utf8", messages.LAN, member("a\xff", "id-c", "10.0.0.4:8301", up), "is not UTF-8"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := admission{pool: tt.pool, datacenter: "dc1"}.admit(tt.m, known, true)
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("err = %v, want one with %s", err, tt.want)
			}
		})
	}
}

// TestAdmitNamesBothSides shows which of two agents with one ID, or one name, is to
// give way, at each of them and at a third.
func TestAdmitNamesBothSides(t *testing.T) {
	const up = messages.MemberAlive
	s2 := member("s2", "id", "10.0.0.2:8301", up)
	s9 := member("s9", "id", "10.0.0.9:8301", up)
	twin := member("s2", "id-9", "10.0.0.9:8301", up)
	s1 := member("s1", "id-1", "10.0.0.1:8301", up)
	const ofS2 = `"s2" (ID id, 10.0.0.2:8301)`
	const ofS9 = `"s9" (ID id, 10.0.0.9:8301)`
	const ofTwin = `"s2" (ID id-9, 10.0.0.9:8301)`
	tests := []struct {
		name     string
		self     messages.Member
		others   []messages.Member
		newcomer messages.Member
		joining  bool
		want     string
	}{
		{name: "at_the_newcomer", self: s9, newcomer: s2, joining: true, want: "node ID id is held by agent " + ofS2 + " and claimed by this agent, " + ofS9 + ";"},
		{name: "at_the_holder", self: s2, others: []messages.Member{s1}, newcomer: s9, want: "node ID id is held by this agent, " + ofS2 + ", and claimed by agent " + ofS9 + ";"},
		{name: "at_a_holder_who_is_alone", self: s2, newcomer: s9, want: "node ID id is held by this agent, " + ofS2 + ", and claimed by agent " + ofS9 + ";"},
		{name: "at_a_holder_who_joins_too", self: s2, others: []messages.Member{s1}, newcomer: s9, joining: true, want: "node ID id is held by this agent, " + ofS2 + ", and claimed by agent " + ofS9 + ";"},
		{name: "at_a_third", self: s1, others: []messages.Member{s2}, newcomer: s9, joining: true, want: "node ID id is held by agent " + ofS2 + " and claimed by agent " + ofS9 + ";"},
		{name: "name_at_the_newcomer", self: twin, newcomer: s2, joining: true, want: `node name "s2" is held by agent ` + ofS2 + " and claimed by this agent, " + ofTwin + "; give the latter"},
		{name: "name_at_the_holder", self: s2, newcomer: twin, want: `node name "s2" is held by this agent, ` + ofS2 + ", and claimed by agent " + ofTwin + "; give the latter"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := admission{pool: messages.LAN, datacenter: "dc1"}.admit(tt.newcomer, newHolders(tt.self, tt.others), tt.joining)
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("err = %v, want %s", err, tt.want)
			}
		})
	}
}

func TestRetryPlan(t *testing.T) {
	tests := []struct {
		name     string
		interval time.Duration
		limit    int
		want     []int // seconds; at most 8 attempts are asked for
	}{
		{"no_limit", 30 * time.Second, 0, []int{1, 2, 4, 8, 15, 30, 30, 30}},
		{"one_attempt", 30 * time.Second, 1, nil},
		{"extra_attempts_do_not_count", 30 * time.Second, 3, []int{1, 2, 4, 8, 15, 30}},
		{"short_interval", time.Second, 3, []int{1, 1}},
		{"long_interval", 60 * time.Second, 2, []int{1, 2, 4, 8, 16, 29}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			plan := newRetryPlan(tt.interval, tt.limit)
			var got []int
			for len(got) < 8 {
				wait, more := plan.next()
				if !more {
					break
				}
				got = append(got, int(wait/time.Second))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("waits %v, want %v", got, tt.want)
			}
		})
	}
}

func TestJoinedEnough(t *testing.T) {
	tests := []struct {
		name                   string
		reached, asked, others int
		want                   bool
	}{
		{"nobody", 0, 2, 0, false},
		{"nobody_but_somebody_came", 0, 2, 1, false},
		{"itself_only", 1, 3, 0, false},
		{"itself_and_that_is_all", 1, 1, 0, true},
		{"one_of_three", 1, 3, 2, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := joinedEnough(tt.reached, tt.asked, tt.others); got != tt.want {
				t.Errorf("joinedEnough = %t, want %t", got, tt.want)
			}
		})
	}
}

func TestPropagation(t *testing.T) {
	tests := []struct {
		name   string
		others int
		want   time.Duration
	}{
		{"alone", 0, 0},
		{"one_other", 1, 800 * time.Millisecond},
		{"fifty", 50, 1600 * time.Millisecond},
		{"crowd", 50000, 3 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := propagation(tt.others, 200*time.Millisecond, 4); got != tt.want {
				t.Errorf("propagation = %s, want %s", got, tt.want)
			}
		})
	}
}

func TestFarewell(t *testing.T) {
	const told, untold, stayed = "told", "untold", "stayed"
	tests := []struct {
		name      string
		peers     int
		everybody bool
		events    []string // it is over after the last of them
	}{
		{"two_told", 2, true, []string{told, told}},
		{"one_of_two_is_not_reached", 2, true, []string{told, untold, stayed}},
		{"one_of_two_is_silent", 2, true, []string{told, stayed}},
		{"nobody_reached", 2, true, []string{untold, untold, stayed}},
		{"nobody_reached_in_time", 2, true, []string{stayed, untold, untold}},
		{"somebody_reached_late", 2, true, []string{stayed, untold, told}},
		{"some_of_many", 3, false, []string{told, told, told, stayed}},
		{"nobody_there", 0, true, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := farewell{waiting: tt.peers, everybody: tt.everybody}
			for i, event := range tt.events {
				if f.over() {
					t.Fatalf("over before %v", tt.events[i:])
				}
				if event == stayed {
					f.stayed = true
				} else {
					f.hear(event == told)
				}
			}
			if !f.over() {
				t.Error("not over")
			}
		})
	}
}
