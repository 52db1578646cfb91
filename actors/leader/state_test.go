package leader

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

var us = self{name: "s1", datacenter: "dc1"}

func client(name string, status messages.MemberStatus) messages.Member {
	return messages.Member{
		Name: name, Addr: netip.MustParseAddr("127.0.0.2"), Port: 8301, Status: status,
		Tags: map[string]string{"role": "node", "dc": "dc1", "id": "id-" + name},
	}
}

func server(name string, status messages.MemberStatus) messages.Member {
	m := client(name, status)
	m.Tags = map[string]string{"role": "consul", "dc": "dc1", "id": "id-" + name, "port": "8300", "raft_vsn": "3", "build": "1.19.2:abc"}
	return m
}

// stored is what the catalog has after a member was written as us would write it.
func stored(m messages.Member, status string) entry {
	output := wire.SerfCheckAliveOutput
	if status == wire.HealthCritical {
		output = wire.SerfCheckFailedOutput
	}
	return entry{
		node:   &wire.Node{Node: m.Name, Address: m.Addr.String()},
		serf:   &wire.HealthCheck{Status: status, Output: output},
		consul: us.service(m),
	}
}

func TestJudge(t *testing.T) {
	alive, dead := client("n", messages.MemberAlive), client("n", messages.MemberFailed)
	moved := stored(alive, wire.HealthPassing)
	moved.node = &wire.Node{Node: "n", Address: "127.0.0.9", Meta: map[string]string{"rack": "r1"}}
	otherPort := stored(server("s2", messages.MemberAlive), wire.HealthPassing)
	otherPort.consul = &wire.NodeService{Service: "consul", Port: 1}

	tests := []struct {
		name   string
		member messages.Member
		has    entry
		want   string // "", "register STATUS", "deregister"
	}{
		{name: "new_client", member: alive, want: "register passing"},
		{name: "known_client", member: alive, has: stored(alive, wire.HealthPassing)},
		{name: "client_is_back", member: alive, has: stored(alive, wire.HealthCritical), want: "register passing"},
		{name: "client_that_moved_says_so_itself", member: alive, has: moved},
		{name: "new_server", member: server("s2", messages.MemberAlive), want: "register passing"},
		{name: "known_server", member: server("s2", messages.MemberAlive), has: stored(server("s2", messages.MemberAlive), wire.HealthPassing)},
		{name: "server_on_another_port", member: server("s2", messages.MemberAlive), has: otherPort, want: "register passing"},
		{name: "failed", member: dead, has: stored(alive, wire.HealthPassing), want: "register critical"},
		{name: "failed_and_known_to_be", member: dead, has: stored(dead, wire.HealthCritical)},
		{name: "failed_and_not_there", member: dead},
		{name: "left", member: client("n", messages.MemberLeft), has: stored(alive, wire.HealthPassing), want: "deregister"},
		{name: "left_and_gone", member: client("n", messages.MemberLeft)},
		{name: "leaving_is_no_news_yet", member: client("n", messages.MemberLeaving), has: stored(alive, wire.HealthPassing)},
		{name: "itself_is_never_written_off", member: server("s1", messages.MemberLeft), has: stored(server("s1", messages.MemberAlive), wire.HealthPassing)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := outline(us.judge(tt.member, tt.has)); got != tt.want {
				t.Errorf("judge = %q, want %q", got, tt.want)
			}
		})
	}
}

func outline(c *change) string {
	switch {
	case c == nil:
		return ""
	case c.deregister != nil:
		return "deregister"
	default:
		return "register " + c.register.Check.Status
	}
}

func TestImpostor(t *testing.T) {
	alive := client("n", messages.MemberAlive)
	has := func(id string) entry {
		e := stored(alive, wire.HealthPassing)
		e.node.ID = id
		return e
	}
	nameless := client("n", messages.MemberAlive)
	delete(nameless.Tags, "id")
	tests := []struct {
		name   string
		member messages.Member
		has    entry
		want   string
	}{
		{name: "the_same_node", member: alive, has: has("ID-n")},
		{name: "another_node", member: alive, has: has("id-old"), want: "deregister"},
		{name: "another_node_that_has_failed_here", member: client("n", messages.MemberFailed), has: has("id-old")},
		{name: "a_node_without_an_id", member: alive, has: has("")},
		{name: "a_member_without_an_id", member: nameless, has: has("id-old")},
		{name: "nobody", member: alive},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := outline(us.impostor(tt.member, tt.has)); got != tt.want {
				t.Errorf("impostor = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestNamesake(t *testing.T) {
	member := func(name, id string, status messages.MemberStatus) messages.Member {
		m := client(name, status)
		m.Tags = map[string]string{"role": "node", "dc": "dc1", "id": id}
		return m
	}
	first, second := member("WEB", "id-1", messages.MemberAlive), member("web", "id-2", messages.MemberAlive)
	alive := living([]messages.Member{first, second, member("n", "id-3", messages.MemberAlive)})
	has := func(id string) entry {
		e := stored(client("web", messages.MemberAlive), wire.HealthPassing)
		e.node.ID = id
		return e
	}
	tests := []struct {
		name   string
		member messages.Member
		has    entry
		want   string
	}{
		{name: "holds_its_name", member: first, has: has("ID-1")},
		{name: "held_by_another", member: second, has: has("ID-1"), want: "WEB"},
		{name: "held_by_another_and_has_failed", member: member("web", "id-2", messages.MemberFailed), has: has("ID-1"), want: "WEB"},
		{name: "held_by_nobody_there", member: second, has: has("id-old")},
		{name: "held_by_one_of_another_name", member: second, has: has("id-3")},
		{name: "nobody", member: second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := namesake(tt.member, tt.has, alive); ok != (tt.want != "") || ok && got != tt.want {
				t.Errorf("namesake = %q, %t, want %q", got, ok, tt.want)
			}
		})
	}
}

// TestFailedWritesNothingElse: the member may know less of the node than the catalog, and
// may be what another node was called before.
func TestFailedWritesNothingElse(t *testing.T) {
	m := client("n", messages.MemberFailed)
	has := stored(client("n", messages.MemberAlive), wire.HealthPassing)
	has.node = &wire.Node{Node: "N", ID: "other", Address: "127.0.0.9"}
	got := us.judge(m, has).register
	if got.Node != "N" || got.ID != "other" || got.Address != "127.0.0.9" || !got.SkipNodeUpdate || got.Check.Status != wire.HealthCritical {
		t.Errorf("written as %+v", got)
	}
}

func TestMoveLeavesTheNodeAlone(t *testing.T) {
	m := client("n", messages.MemberAlive)
	has := stored(m, wire.HealthCritical)
	has.node = &wire.Node{Node: "n", Address: "127.0.0.9", Meta: map[string]string{"rack": "r1"}}
	if got := us.judge(m, has).register; !got.SkipNodeUpdate || got.Check.Status != wire.HealthPassing {
		t.Errorf("a node that moved is written as %+v", got)
	}
}

func TestServerOffersConsul(t *testing.T) {
	got := us.judge(server("s2", messages.MemberAlive), entry{}).register.Service
	if got == nil || got.Service != "consul" || got.Port != 8300 || got.Meta["version"] != "1.19.2" || got.Meta["raft_version"] != "3" {
		t.Errorf("a server offers %+v", got)
	}
	if got := us.judge(client("n", messages.MemberAlive), entry{}).register.Service; got != nil {
		t.Errorf("a client offers %+v", got)
	}
}

func TestStrays(t *testing.T) {
	began := time.Now()
	passing := stored(client("gone", messages.MemberAlive), wire.HealthPassing)
	critical := stored(client("gone", messages.MemberAlive), wire.HealthCritical)
	members := []messages.Member{client("here", messages.MemberAlive), client("failed", messages.MemberFailed)}
	as := func(id string, e entry) entry {
		node := *e.node
		node.ID = id
		e.node = &node
		return e
	}
	tests := []struct {
		name   string
		has    entry
		after  time.Duration // that it is looked at again
		reaped bool
		want   string
	}{
		{name: "unknown_after_a_start", has: passing, want: "gone critical"},
		{name: "is_so_already", has: critical},
		{name: "for_long", has: critical, after: time.Hour - 1},
		{name: "for_too_long", has: critical, after: time.Hour, want: "gone deregistered"},
		{name: "given_up_by_the_pool", has: passing, reaped: true, want: "gone deregistered"},
		{name: "has_another_name_now", has: as(strings.ToUpper(members[0].Tags["id"]), critical), want: "gone deregistered"},
		{name: "without_an_id", has: as("", passing), want: "gone critical"},
		{name: "deregistered_meanwhile"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			absent := newAbsence(time.Hour)
			find := func(at time.Time) (got []string) {
				for _, c := range us.strays(members, []string{"here", "failed", "gone", "s1"}, func(string) entry { return tt.has }, absent, at) {
					if c.register != nil {
						got = append(got, c.register.Node+" "+c.register.Check.Status)
					} else {
						got = append(got, c.deregister.Node+" deregistered")
					}
				}
				return got
			}
			if tt.after > 0 {
				find(began)
			}
			if tt.reaped {
				absent.reap([]messages.Member{client("gone", messages.MemberFailed)})
			}
			if got := strings.Join(find(began.Add(tt.after)), ", "); got != tt.want {
				t.Errorf("written %q, want %q", got, tt.want)
			}
		})
	}
}

// TestAbsenceEnds: who was there in between begins anew.
func TestAbsenceEnds(t *testing.T) {
	absent, now := newAbsence(time.Hour), time.Now()
	absent.over("n", now)
	absent.reap([]messages.Member{client("n", messages.MemberFailed)})
	absent.back("n")
	if absent.over("n", now.Add(2*time.Hour)) {
		t.Error("what was before it came back counts")
	}
}

func TestComings(t *testing.T) {
	known := map[string]messages.Server{}
	wan := server("s2.dc1", messages.MemberAlive)
	steps := []struct {
		name   string
		member messages.Member
		news   int
	}{
		{name: "a_client_is_none", member: client("n", messages.MemberAlive)},
		{name: "comes", member: server("s2", messages.MemberAlive), news: 1},
		{name: "is_seen_in_the_wan_too", member: wan},
		{name: "fails", member: server("s2", messages.MemberFailed), news: 1},
		{name: "is_still_gone", member: server("s2", messages.MemberLeft)},
		{name: "is_back", member: server("s2", messages.MemberAlive), news: 1},
	}
	for _, s := range steps {
		if got := comings(known, []messages.Member{s.member}); len(got) != s.news {
			t.Errorf("%s: %d pieces of news, want %d", s.name, len(got), s.news)
		}
	}
}
