package raft

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/actor-consul/consul/messages"
)

func TestTiming(t *testing.T) {
	for _, tt := range []struct {
		name       string
		multiplier int
		want       timing
	}{
		{"unset_is_ours", 0, ours},
		{"one_is_consuls_second", 1, timing{time.Second, time.Second, 500 * time.Millisecond}},
		{"five", 5, timing{5 * time.Second, 5 * time.Second, 2500 * time.Millisecond}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := timingFor(tt.multiplier); got != tt.want {
				t.Errorf("timingFor(%d) = %+v, want %+v", tt.multiplier, got, tt.want)
			}
		})
	}
	if worst := 3 * ours.heartbeat; worst >= 2*time.Second {
		t.Errorf("a dead leader is missed for up to %v, want under 2s", worst)
	}
}

// TestBatch: a follower has what a message follows, also after it has made a snapshot of
// all that the message brought.
func TestBatch(t *testing.T) {
	for trailing, want := range map[uint64]int{0: maxBatch, 1: 1, 2: 1, 20: 19, 256: 255, 257: 256, 1 << 40: maxBatch} {
		c := Config{TrailingLogs: trailing}.withDefaults()
		if got := c.library().MaxAppendEntries; got != want {
			t.Errorf("with %d entries behind a snapshot, a message has up to %d, want %d", trailing, got, want)
		}
	}
}

func TestStandingNews(t *testing.T) {
	follower := standing{state: messages.Follower, term: 4, leaderID: "b", leaderAddr: "b:1"}
	leader := standing{state: messages.Leader, term: 5, leaderID: "a", leaderAddr: "a:1"}
	for _, tt := range []struct {
		name       string
		from, to   standing
		wantInText []string
	}{
		{"nothing_new", leader, leader, nil},
		{"gained", follower, leader, []string{"NewLeader{ID:a Address:a:1}", "LeadershipChanged{Leading:true Term:5}"}},
		{"lost_to_another", leader, standing{state: messages.Follower, term: 6, leaderID: "b", leaderAddr: "b:1"},
			[]string{"LeadershipChanged{Leading:false Term:5}", "NewLeader{ID:b Address:b:1}"}},
		{"lost_to_nobody", leader, standing{state: messages.Candidate, term: 6},
			[]string{"LeadershipChanged{Leading:false Term:5}", "NewLeader{ID: Address:}"}},
		{"lost_and_regained_unseen", leader, standing{state: messages.Leader, term: 7, leaderID: "a", leaderAddr: "a:1"},
			[]string{"LeadershipChanged{Leading:false Term:5}", "LeadershipChanged{Leading:true Term:7}"}},
		{"leader_moved", follower, standing{state: messages.Follower, term: 4, leaderID: "b", leaderAddr: "b:2"},
			[]string{"NewLeader{ID:b Address:b:2}"}},
		{"only_the_term", follower, standing{state: messages.Follower, term: 5, leaderID: "b", leaderAddr: "b:1"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, n := range tt.from.news(tt.to) {
				v := reflect.Indirect(reflect.ValueOf(n))
				got = append(got, fmt.Sprintf("%s%+v", v.Type().Name(), v))
			}
			if !reflect.DeepEqual(got, tt.wantInText) {
				t.Errorf("news = %q, want %q", got, tt.wantInText)
			}
		})
	}
}

func TestConfirms(t *testing.T) {
	three := []messages.RaftServer{{ID: "a", Voter: true}, {ID: "b", Voter: true}, {ID: "c", Voter: true}, {ID: "d"}}
	var c confirms
	ask := func() <-chan messages.Result[messages.ReadIndex] {
		m := &messages.ConfirmLeader{}
		box := m.Expect()
		if !c.add(m) {
			t.Fatal("too many")
		}
		return box
	}
	begin := func(index uint64) string {
		t.Helper()
		if !c.due() {
			t.Fatal("no round is due")
		}
		return ids(c.begin(messages.ReadIndex{Index: index}, three, "a"))
	}
	has := func(name string, box <-chan messages.Result[messages.ReadIndex], want string) {
		t.Helper()
		got := "nothing"
		select {
		case r := <-box:
			got = fmt.Sprint(r.Value.Index, " ", r.Err)
		default:
		}
		if got != want {
			t.Errorf("%s has %s, want %s", name, got, want)
		}
	}

	if c.due() {
		t.Error("a round is due and nobody has asked")
	}
	first, second := ask(), ask()
	if got := begin(7); got != "b c" {
		t.Errorf("the first round asks %q, want the other voters", got)
	}
	late := ask()
	if c.due() {
		t.Error("a second round is due beside the first")
	}
	if got := ids(c.heard("d")); got != "" {
		t.Errorf("who has no vote is asked again: %q", got)
	}
	has("first", first, "nothing")
	c.heard("b")
	has("first", first, "7 <nil>")
	has("second", second, "7 <nil>")
	has("late", late, "nothing")

	// c has not answered the first round. Its answer does not count for the second.
	if got := begin(9); got != "b" {
		t.Errorf("the second round asks %q, want only who is not being asked", got)
	}
	if got := ids(c.heard("c")); got != "c" {
		t.Errorf("who answered the first round is asked %q, want for the second", got)
	}
	has("late", late, "nothing")
	c.heard("c")
	has("late", late, "9 <nil>")

	waiting := ask()
	begin(10)
	behind := ask()
	c.refuse(messages.ErrNotLeader)
	has("waiting", waiting, "10 "+messages.ErrNotLeader.Error())
	has("behind", behind, "0 "+messages.ErrNotLeader.Error())
	if got := ids(c.heard("b")); got != "" || c.due() {
		t.Errorf("after all is over %q is asked", got)
	}

	three = three[:1]
	alone := ask()
	if got := begin(11); got != "" {
		t.Errorf("the only voter asks %q", got)
	}
	has("alone", alone, "11 <nil>")
}

func ids(servers []messages.RaftServer) string {
	var all []string
	for _, s := range servers {
		all = append(all, s.ID)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// server returns a member with Consul's tags; tags come as "key=value".
func server(id string, tags ...string) messages.Member {
	m := messages.Member{
		Name:   "node-" + id,
		Addr:   netip.MustParseAddr("10.0.0.1"),
		Status: messages.MemberAlive,
		Tags:   map[string]string{"role": "consul", "dc": "dc1", "id": id, "port": "8300", "expect": "3"},
	}
	for _, tag := range tags {
		key, value, _ := strings.Cut(tag, "=")
		m.Tags[key] = value
	}
	return m
}

func TestExpectation(t *testing.T) {
	gone := server("c")
	gone.Status = messages.MemberFailed
	client := messages.Member{Name: "client", Status: messages.MemberAlive, Tags: map[string]string{"role": "node"}}
	for _, tt := range []struct {
		name    string
		members []messages.Member
		peers   string
		problem string
	}{
		{name: "nobody"},
		{name: "too_few", members: []messages.Member{server("a"), server("b"), client}},
		{name: "one_is_dead", members: []messages.Member{server("a"), server("b"), gone}},
		{name: "all_there_in_any_order", members: []messages.Member{server("c"), client, server("a"), server("b")}, peers: "a b c"},
		{name: "other_datacenter_does_not_count", members: []messages.Member{server("a"), server("b"), server("c", "dc=dc2")}},
		{name: "nonvoters_come_along", members: []messages.Member{server("a"), server("b"), server("c"), server("d", "read_replica=1")}, peers: "a b c d(nonvoter)"},
		{name: "nonvoters_do_not_count", members: []messages.Member{server("a"), server("b"), server("c", "nonvoter=1")}},
		{name: "without_us", members: []messages.Member{server("b"), server("c"), server("d")}},
		{name: "conflicting_expect", members: []messages.Member{server("a"), server("b", "expect=5")}, problem: "node-b expects 5 servers and this one 3"},
		{name: "bootstrap_elsewhere", members: []messages.Member{server("a"), server("b", "bootstrap=1")}, problem: "node-b has bootstrap set"},
		{name: "no_expect_elsewhere", members: []messages.Member{server("a"), server("b"), server("c", "expect=")}, peers: "a b c"},
		{name: "no_port", members: []messages.Member{server("a"), server("b", "port=0")}, problem: "tags have no node ID and server port"},
		{name: "port_out_of_range", members: []messages.Member{server("a"), server("b", "port=83000")}, problem: "tags have no node ID and server port"},
		{name: "no_id", members: []messages.Member{server("a"), server("")}, problem: "tags have no node ID and server port"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := expectation{servers: 3, self: "a", datacenter: "dc1"}
			got := e.judge(&messages.PoolView{Members: tt.members})
			var peers []string
			for _, p := range got.peers {
				if p.Address != "10.0.0.1:8300" {
					t.Errorf("address of %s = %q", p.ID, p.Address)
				}
				if !p.Voter {
					p.ID += "(nonvoter)"
				}
				peers = append(peers, p.ID)
			}
			if strings.Join(peers, " ") != tt.peers {
				t.Errorf("peers = %v, want %q", peers, tt.peers)
			}
			if (tt.problem == "") != (got.problem == "") || !strings.Contains(got.problem, tt.problem) {
				t.Errorf("problem = %q, want %q", got.problem, tt.problem)
			}
		})
	}
	if v := (expectation{servers: 1}).judge(nil); v.peers != nil || v.problem != "" {
		t.Errorf("without a pool: %+v", v)
	}
}

func TestQuorumAfterLeaving(t *testing.T) {
	voters := func(ids ...string) (peers []messages.RaftServer) {
		for _, id := range ids {
			peers = append(peers, messages.RaftServer{ID: id, Voter: id[0] != '-'})
		}
		return peers
	}
	pool := func(ids ...string) *messages.PoolView {
		v := &messages.PoolView{}
		for _, id := range ids {
			v.Members = append(v.Members, server(id))
		}
		return v
	}
	for _, tt := range []struct {
		name  string
		peers []messages.RaftServer
		pool  *messages.PoolView
		keeps bool
		sole  bool
	}{
		{"all_alive", voters("a", "b", "c"), pool("a", "b", "c"), true, false},
		{"one_of_two_left_is_dead", voters("a", "b", "c"), pool("a", "b"), false, false},
		{"the_other_of_two", voters("a", "b"), pool("a", "b"), true, false},
		{"the_other_of_two_is_dead", voters("a", "b"), pool("a"), false, false},
		{"unknown_pool", voters("a", "b"), nil, true, false},
		{"nonvoters_do_not_count", voters("a", "-b"), pool("a", "-b"), false, true},
		{"alone", voters("a"), pool("a"), false, true},
		{"not_a_peer", voters("b"), pool("a", "b"), true, false},
		{"only_a_nonvoter", voters("-a"), pool("a"), false, false},
		{"empty", nil, pool("a"), false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := (Departure{Self: "a", Peers: tt.peers, Pool: tt.pool}).keepsQuorum(t.Context()); got != tt.keeps {
				t.Errorf("keepsQuorum = %v, want %v", got, tt.keeps)
			}
			if got := soleVoter(tt.peers, "a"); got != tt.sole {
				t.Errorf("soleVoter = %v, want %v", got, tt.sole)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	full := fmt.Errorf("%w: no space", messages.ErrLogUnwritable)
	for _, tt := range []struct {
		name        string
		err         error
		write, read error
	}{
		{"none", nil, nil, nil},
		{"not_leader", raft.ErrNotLeader, messages.ErrNotLeader, messages.ErrNotLeader},
		{"handing_over", raft.ErrLeadershipTransferInProgress, messages.ErrNotLeader, messages.ErrNotLeader},
		{"lost", raft.ErrLeadershipLost, messages.ErrLeadershipLost, messages.ErrNotLeader},
		{"shutdown", raft.ErrRaftShutdown, messages.ErrLeadershipLost, messages.ErrLeaving},
		{"queue_full", raft.ErrEnqueueTimeout, messages.ErrOverloaded, messages.ErrOverloaded},
		{"disk_full", full, messages.ErrLogUnwritable, messages.ErrLogUnwritable},
		{"other", raft.ErrAbortedByRestore, raft.ErrAbortedByRestore, raft.ErrAbortedByRestore},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := writeError(tt.err); !errors.Is(got, tt.write) {
				t.Errorf("writeError = %v, want %v", got, tt.write)
			}
			if got := readError(tt.err); !errors.Is(got, tt.read) {
				t.Errorf("readError = %v, want %v", got, tt.read)
			}
		})
	}
}

func TestSilentEntries(t *testing.T) {
	var s silent
	for _, i := range []uint64{5, 1, 2, 6, 6, 9} {
		s.add(i)
	}
	for _, tt := range []struct{ index, below uint64 }{{0, 0}, {2, 0}, {3, 3}, {6, 4}, {7, 7}, {9, 8}, {100, 100}} {
		if got := s.below(tt.index); got != tt.below {
			t.Errorf("below(%d) = %d, want %d", tt.index, got, tt.below)
		}
	}
	for _, tt := range []struct{ index, limit, above uint64 }{{0, 9, 2}, {4, 9, 6}, {4, 5, 5}, {4, 4, 4}, {7, 9, 7}, {8, 9, 9}, {3, 9, 3}} {
		if got := s.above(tt.index, tt.limit); got != tt.above {
			t.Errorf("above(%d, %d) = %d, want %d", tt.index, tt.limit, got, tt.above)
		}
	}
	s.remove(1, 5)
	if got := s.above(5, 9); got != 6 {
		t.Errorf("above(5, 9) = %d after 1 to 5 are gone, want 6", got)
	}
}

func TestReplayRules(t *testing.T) {
	began := time.Now()
	r := replay{began: began, end: 10}
	for name, c := range map[string]struct {
		applied, end uint64
		over         bool
	}{
		"nothing_yet":        {0, 10, false},
		"not_all":            {9, 12, false},
		"all":                {10, 12, true},
		"what_there_is_left": {7, 7, true}, // the leader has removed the rest
		"not_all_of_it":      {6, 7, false},
	} {
		if got := r.over(c.applied, c.end); got != c.over {
			t.Errorf("%s: over = %v, want %v", name, got, c.over)
		}
	}
	for name, c := range map[string]struct {
		leader   bool
		after    time.Duration
		hopeless bool
	}{
		"a_leader_will_come": {false, replayPatience - 1, false},
		"nobody_has_come":    {false, replayPatience, true},
		"a_long_log":         {true, time.Hour, false},
	} {
		if got := r.hopeless(c.leader, began.Add(c.after)); got != c.hopeless {
			t.Errorf("%s: hopeless = %v, want %v", name, got, c.hopeless)
		}
	}
}
