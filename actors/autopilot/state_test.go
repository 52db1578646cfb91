package autopilot

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

const (
	alive   = messages.MemberAlive
	leaving = messages.MemberLeaving
	left    = messages.MemberLeft
	failed  = messages.MemberFailed
)

// begin is when the tests of this package play.
var begin = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// server is a member of the pool: the letter is its name and, doubled, its ID, and
// says what its address is unless at gives it that of another.
func server(letter string, status messages.MemberStatus, tweaks ...func(*messages.Member)) messages.Member {
	m := messages.Member{
		Name: letter, Addr: home(letter).Addr(), Port: 8301, Status: status,
		Tags: map[string]string{"role": "consul", "dc": "dc1", "id": letter + letter, "port": "8300", "raft_vsn": "3", "build": "1.19.2:abc"},
	}
	for _, tweak := range tweaks {
		tweak(&m)
	}
	return m
}

func home(letter string) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, letter[0]}), 8300)
}

func livesAt(letter string) func(*messages.Member) {
	return func(m *messages.Member) { m.Addr = home(letter).Addr() }
}

func tagged(key, value string) func(*messages.Member) {
	return func(m *messages.Member) { m.Tags[key] = value }
}

// peers reads a peer set: a letter is a voter at home, "b-" one without a vote, and
// "b@c" one that the peer set has where c is at home.
func peers(text string) (all []messages.RaftServer) {
	for _, word := range strings.Fields(text) {
		letter, where, elsewhere := strings.Cut(strings.TrimSuffix(word, "-"), "@")
		if !elsewhere {
			where = letter
		}
		all = append(all, messages.RaftServer{ID: letter + letter, Address: home(where).String(), Voter: !strings.HasSuffix(word, "-")})
	}
	return all
}

// outline writes changes as peers reads them, and "!b" for a removal.
func outline(changes []change) string {
	var words []string
	for _, c := range changes {
		word := c.peer.ID[:1]
		switch {
		case c.remove:
			words = append(words, "!"+word)
			continue
		case strings.HasPrefix(c.peer.Address, "unknown:"):
			word += "@?"
		case c.peer.Address != home(word).String():
			word += "@" + string(rune(netip.MustParseAddrPort(c.peer.Address).Addr().As4()[3]))
		}
		if !c.peer.Voter {
			word += "-"
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// scene is a situation in which a leads and everybody alive is healthy since begin.
type scene struct {
	peers   string
	members []messages.Member
	sick    string // letters of those that are not healthy
	voted   string // letters of those that were voters before
	out     string // letters of those that were taken out by hand
	missing time.Duration
	after   time.Duration // since begin
	expect  int
	conf    func(*wire.AutopilotConfig)
}

func (s scene) situation() *situation {
	sit := &situation{self: "aa", expect: s.expect, conf: defaults, peers: peers(s.peers), memory: newMemory(), health: map[string]health{}, now: begin.Add(s.after)}
	if s.conf != nil {
		s.conf(&sit.conf)
	}
	sit.roster = readRoster(s.members, "dc1", sit.peers)
	for _, p := range sit.peers {
		healthy := sit.roster.byID[p.ID].alive() && !strings.Contains(s.sick, p.ID[:1])
		sit.health[p.ID] = health{healthy: healthy, since: begin}
		if _, known := sit.roster.byID[p.ID]; !known {
			sit.memory.missing[p.ID] = sit.now.Add(-s.missing)
		}
	}
	for _, l := range s.voted {
		sit.memory.voters[string([]rune{l, l})] = begin
	}
	for _, l := range s.out {
		sit.memory.dismissed[string([]rune{l, l})] = begin
	}
	return sit
}

func live(letters string) (all []messages.Member) {
	for _, l := range letters {
		all = append(all, server(string(l), alive))
	}
	return all
}

func with(letters string, others ...messages.Member) []messages.Member {
	return append(live(letters), others...)
}

func TestChanges(t *testing.T) {
	quickly := func(c *wire.AutopilotConfig) { c.ServerStabilizationTime = time.Millisecond }
	noCleanup := func(c *wire.AutopilotConfig) { c.CleanupDeadServers = false }
	atLeast := func(n uint) func(*wire.AutopilotConfig) {
		return func(c *wire.AutopilotConfig) { c.MinQuorum = n }
	}
	tests := []struct {
		name string
		scene
		want string
	}{
		{name: "all_is_well", scene: scene{peers: "a b c", members: live("abc"), after: time.Hour}},

		// Who joins.
		{name: "newcomer_has_no_vote_yet", scene: scene{peers: "a b c", members: live("abcd")}, want: "d-"},
		{name: "newcomer_of_another_datacenter", scene: scene{peers: "a", members: with("a", server("d", alive, tagged("dc", "dc2")))}},
		{name: "newcomer_is_a_client", scene: scene{peers: "a", members: with("a", server("d", alive, tagged("role", "node")))}},
		{name: "newcomer_without_an_id", scene: scene{peers: "a", members: with("a", server("d", alive, tagged("id", "")))}},
		{name: "newcomer_of_an_old_protocol", scene: scene{peers: "a", members: with("a", server("d", alive, tagged("raft_vsn", "2")))}},
		{name: "who_has_failed_is_no_newcomer", scene: scene{peers: "a", members: with("a", server("d", failed))}},
		{name: "who_was_taken_out_stays_out", scene: scene{peers: "a b c", members: live("abcd"), out: "d"}},
		{name: "unstable", scene: scene{peers: "a b c d-", members: live("abcd"), after: 9 * time.Second}},
		{name: "stable", scene: scene{peers: "a b c d-", members: live("abcd"), after: 10 * time.Second}, want: "d"},
		{name: "stable_by_another_setting", scene: scene{peers: "a b c d-", members: live("abcd"), after: time.Millisecond, conf: quickly}, want: "d"},
		{name: "not_healthy", scene: scene{peers: "a b c d-", members: live("abcd"), after: time.Hour, sick: "d"}},
		{name: "not_healthy_while_forming", scene: scene{peers: "a b-", members: live("ab"), sick: "b"}},
		{name: "read_replica", scene: scene{peers: "a b c d-", members: with("abc", server("d", alive, tagged("read_replica", "1"))), after: time.Hour}},
		{name: "forming_two", scene: scene{peers: "a b-", members: live("ab")}, want: "b"},
		{name: "forming_three", scene: scene{peers: "a b c-", members: live("abc")}, want: "c"},
		{name: "formed", scene: scene{peers: "a b c d-", members: live("abcd")}},
		{name: "forming_by_bootstrap_expect", scene: scene{peers: "a b c d-", members: live("abcd"), expect: 5}, want: "d"},
		{name: "was_a_voter_before", scene: scene{peers: "a b c d-", members: live("abcd"), voted: "d"}, want: "d"},
		{name: "was_a_voter_and_is_behind", scene: scene{peers: "a b c d-", members: live("abcd"), voted: "d", sick: "d"}},

		// Who leaves and who fails.
		{name: "left", scene: scene{peers: "a b c", members: with("ab", server("c", left))}, want: "!c"},
		{name: "left_without_a_vote", scene: scene{peers: "a b-", members: with("a", server("b", left))}, want: "!b"},
		{name: "left_of_two", scene: scene{peers: "a b", members: with("a", server("b", left))}, want: "!b"},
		{name: "left_below_min_quorum", scene: scene{peers: "a b c", members: with("ab", server("c", left)), conf: atLeast(3)}, want: "!c"},
		{name: "left_without_cleanup", scene: scene{peers: "a b c", members: with("ab", server("c", left)), conf: noCleanup}, want: "!c"},
		{name: "leaving", scene: scene{peers: "a b c", members: with("ab", server("c", leaving))}},
		{name: "failed_of_three", scene: scene{peers: "a b c", members: with("ab", server("c", failed)), after: time.Hour}},
		{name: "failed_of_five", scene: scene{peers: "a b c d e", members: with("abcd", server("e", failed)), after: time.Hour}},
		{name: "failed_of_two", scene: scene{peers: "a b", members: with("a", server("b", failed)), after: time.Hour}},
		{name: "failed_and_replaced", scene: scene{peers: "a b c d", members: with("abd", server("c", failed))}, want: "!c"},
		{name: "failed_and_replaced_without_cleanup", scene: scene{peers: "a b c d", members: with("abd", server("c", failed)), conf: noCleanup}},
		{name: "failed_and_replaced_by_one_that_is_not_healthy", scene: scene{peers: "a b c d", members: with("abd", server("c", failed)), sick: "bd"}},
		{name: "failed_and_replaced_below_min_quorum", scene: scene{peers: "a b c d", members: with("abd", server("c", failed)), conf: atLeast(4)}},
		{name: "replaced_by_one_without_a_vote_yet", scene: scene{peers: "a b c d-", members: with("abd", server("c", failed))}},
		{name: "two_failed_one_replaced", scene: scene{peers: "a b c d e f", members: with("abcf", server("d", failed), server("e", failed))}, want: "!d"},
		{name: "two_failed_of_four", scene: scene{peers: "a b c d", members: with("ab", server("c", failed), server("d", failed))}, want: "!c"},
		{name: "failed_without_a_vote", scene: scene{peers: "a b c d-", members: with("abc", server("d", failed))}, want: "!d"},
		{name: "failed_without_a_vote_nor_cleanup", scene: scene{peers: "a b c d-", members: with("abc", server("d", failed)), conf: noCleanup}},
		{name: "just_missing", scene: scene{peers: "a b c d", members: live("abd"), missing: missingGrace - 1}},
		{name: "missing_for_long", scene: scene{peers: "a b c d", members: live("abd"), missing: missingGrace}, want: "!c"},
		{name: "the_leader_is_never_removed", scene: scene{peers: "a b c d", members: with("bcd", server("a", left))}},

		// Who moves.
		{name: "moved", scene: scene{peers: "a b@x c", members: live("abc")}, want: "b"},
		{name: "moved_without_a_vote", scene: scene{peers: "a b@x- c", members: live("abc")}, want: "b-"},
		{name: "the_leader_has_moved", scene: scene{peers: "a@x b c", members: live("abc")}, want: "a"},
		{name: "all_have_moved", scene: scene{peers: "a@x b@y c@z", members: live("abc")}, want: "a b c"},
		{name: "moved_and_failed", scene: scene{peers: "a b c", members: with("ac", server("b", failed, livesAt("x")))}},
		{name: "one_moved_to_where_another_was", scene: scene{peers: "a b@x c@b", members: live("abc")}, want: "c"},
		{name: "two_have_changed_places", scene: scene{peers: "a b@c c@b", members: live("abc")}, want: "c@? b@?"},
		{name: "the_leader_has_changed_places", scene: scene{peers: "a@b b@a c", members: live("abc")}, want: "b@?"},
		{name: "moved_to_where_a_dead_one_was", scene: scene{peers: "a b@x c@b", members: with("ab", server("c", failed, livesAt("b")))}, want: "c@?"},
		{name: "new_id_at_an_old_address", scene: scene{peers: "a b c", members: with("ab", server("d", alive, livesAt("c"))), missing: time.Second}, want: "c@?"},
		{name: "new_id_at_the_address_of_one_that_left", scene: scene{peers: "a b c", members: with("ab", server("d", alive, livesAt("c")), server("c", left))}, want: "!c c@?"},

		// Who is in dispute.
		{name: "same_id_twice_the_known_one_stays", scene: scene{peers: "a b c", members: with("abc", server("x", alive, tagged("id", "cc")))}},
		{name: "same_id_twice_unknown", scene: scene{peers: "a b c", members: with("ab", server("x", alive, tagged("id", "cc")), server("y", alive, tagged("id", "cc")))}},
		{name: "same_id_twice_new", scene: scene{peers: "a", members: with("a", server("x", alive, tagged("id", "cc")), server("y", alive, tagged("id", "cc")))}},
		{name: "same_id_under_a_new_name", scene: scene{peers: "a b c", members: with("ab", server("c", failed), server("x", alive, tagged("id", "cc"), livesAt("x")))}, want: "c@x"},
		{name: "same_id_under_a_new_name_after_a_leave", scene: scene{peers: "a b c", members: with("ab", server("c", left), server("x", failed, tagged("id", "cc"), livesAt("x")))}},
		{name: "same_address_twice_the_known_one_stays", scene: scene{peers: "a b c", members: with("abc", server("d", alive, livesAt("c")))}},
		{name: "same_address_twice_as_the_leader", scene: scene{peers: "a b c", members: with("abc", server("d", alive, livesAt("a")))}},
		{name: "same_address_twice_new", scene: scene{peers: "a", members: with("a", server("c", alive, livesAt("x")), server("d", alive, livesAt("x")))}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := outline(tt.situation().changes())
			if got != tt.want {
				t.Errorf("changes = %q, want %q", got, tt.want)
			}
		})
	}
}

// TestChangesOneByOne makes what is due, one change at a time, until nothing is.
func TestChangesOneByOne(t *testing.T) {
	tests := []struct {
		name string
		scene
		steps string // the changes in the order in which they are made
		want  string // the peer set in the end
	}{
		{name: "three_form", scene: scene{peers: "a", members: live("abc")}, steps: "b- c- b c", want: "a b c"},
		{name: "five_form", scene: scene{peers: "a", members: live("abcde"), expect: 5}, steps: "b- c- d- e- b c d e", want: "a b c d e"},
		{name: "two_replace_two", scene: scene{peers: "a b c d e f- g-", members: with("abcfg", server("d", failed), server("e", failed)), after: time.Minute},
			steps: "f !d g !e", want: "a b c f g"},
		{name: "all_change_places", scene: scene{peers: "a@b b@c c@a", members: live("abc")}, steps: "c@? a b c", want: "a b c"},
		{name: "new_id_at_an_old_address", scene: scene{peers: "a b c", members: with("ab", server("d", alive, livesAt("c"))), missing: time.Minute, after: time.Minute},
			steps: "c@? d@c- d@c !c", want: "a b d@c"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sit, made := tt.situation(), []string{}
			for due := sit.changes(); len(due) > 0; due = sit.changes() {
				made = append(made, outline(due[:1]))
				if len(made) > 20 {
					t.Fatalf("there is no end: %q", made)
				}
				sit.peers = applied(sit.peers, due[0])
				for _, p := range sit.peers {
					if _, ok := sit.health[p.ID]; !ok {
						sit.health[p.ID] = health{healthy: true, since: begin}
					}
				}
			}
			if got := strings.Join(made, " "); got != tt.steps {
				t.Errorf("steps = %q, want %q", got, tt.steps)
			}
			if !slices.Equal(sit.peers, peers(tt.want)) {
				t.Errorf("the peer set is %v, want %q", sit.peers, tt.want)
			}
		})
	}
}

// applied is what raft makes of a change.
func applied(set []messages.RaftServer, c change) []messages.RaftServer {
	set = slices.Clone(set)
	i := slices.IndexFunc(set, func(p messages.RaftServer) bool { return p.ID == c.peer.ID })
	switch {
	case c.remove:
		return slices.Delete(set, i, i+1)
	case i >= 0:
		set[i] = c.peer
		return set
	default:
		return append(set, c.peer)
	}
}

// TestProblems holds what a person is told of servers that are in each other's way:
// it names both.
func TestProblems(t *testing.T) {
	tests := []struct {
		name string
		scene
		want []string
	}{
		{name: "none", scene: scene{peers: "a b", members: with("ab", server("c", failed, tagged("id", "bb")))}},
		{name: "same_id", scene: scene{peers: "a b", members: with("ab", server("c", alive, tagged("id", "bb")))}, want: []string{
			`node ID "bb" is claimed by the servers "b" (10.0.0.98:8300) and "c" (10.0.0.99:8300); the peer set keeps "b"; ` +
				`remove the file node-id from the data directory of all but one of them and start them again`,
		}},
		{name: "same_id_unknown", scene: scene{peers: "a", members: with("ab", server("c", alive, tagged("id", "bb")))}, want: []string{
			`node ID "bb" is claimed by the servers "b" (10.0.0.98:8300) and "c" (10.0.0.99:8300); the peer set is left as it is; ` +
				`remove the file node-id from the data directory of all but one of them and start them again`,
		}},
		{name: "same_address", scene: scene{peers: "a b", members: with("ab", server("c", alive, livesAt("b")))}, want: []string{
			`address 10.0.0.98:8300 is claimed by the servers "b" (ID "bb") and "c" (ID "cc"); the peer set keeps "b" there; ` +
				`give each an address or a server port of its own`,
		}},
		{name: "same_address_unknown", scene: scene{peers: "a", members: with("ab", server("c", alive, livesAt("b")))}, want: []string{
			`address 10.0.0.98:8300 is claimed by the servers "b" (ID "bb") and "c" (ID "cc"); the peer set is left as it is; ` +
				`give each an address or a server port of its own`,
		}},
		{name: "old_protocol", scene: scene{peers: "a", members: with("a", server("b", alive, tagged("raft_vsn", "2")))}, want: []string{
			`server "b" (10.0.0.98:8300) speaks raft protocol 2 and cannot be in the peer set, which needs 3; upgrade it, or set its raft_protocol to 3`,
		}},
		{name: "a_name_that_steers_terminals", scene: scene{peers: "a", members: with("a", server("b", alive, tagged("raft_vsn", "2"), func(m *messages.Member) { m.Name = "\x1b[2J" }))}, want: []string{
			`server "\x1b[2J" (10.0.0.98:8300) speaks raft protocol 2 and cannot be in the peer set, which needs 3; upgrade it, or set its raft_protocol to 3`,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.situation().roster.problems; !slices.Equal(got, tt.want) {
				t.Errorf("problems =\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

func TestAt(t *testing.T) {
	tests := []struct {
		name, known, addr string
		want              bool
	}{
		{name: "same", known: "10.0.0.1:8300", addr: "10.0.0.1:8300", want: true},
		{name: "other_port", known: "10.0.0.1:8301", addr: "10.0.0.1:8300"},
		{name: "other_host", known: "10.0.0.2:8300", addr: "10.0.0.1:8300"},
		{name: "mapped", known: "10.0.0.1:8300", addr: "[::ffff:10.0.0.1]:8300", want: true},
		{name: "long_form", known: "[2001:db8:0:0::1]:8300", addr: "[2001:db8::1]:8300", want: true},
		{name: "host_name", known: "s1.example:8300", addr: "10.0.0.1:8300"},
		{name: "placeholder", known: placeholder("aa"), addr: "10.0.0.1:8300"},
		{name: "nowhere", known: "", addr: "10.0.0.1:8300"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := at(tt.known, netip.MustParseAddrPort(tt.addr)); got != tt.want {
				t.Errorf("at(%q, %s) = %v, want %v", tt.known, tt.addr, got, tt.want)
			}
		})
	}
}

func TestWait(t *testing.T) {
	tests := []struct {
		name string
		scene
		want time.Duration
	}{
		{name: "nothing_to_wait_for", scene: scene{peers: "a b c", members: live("abc")}, want: lookInterval},
		{name: "stable_in_a_while", scene: scene{peers: "a b c d-", members: live("abcd")}, want: lookInterval},
		{name: "stable_soon", scene: scene{peers: "a b c d-", members: live("abcd"), after: 9500 * time.Millisecond}, want: 500 * time.Millisecond},
		{name: "stable_any_moment", scene: scene{peers: "a b c d-", members: live("abcd"), after: 9999 * time.Millisecond}, want: eagerInterval},
		{name: "healthy_would_do", scene: scene{peers: "a b-", members: live("ab"), sick: "b"}, want: eagerInterval},
		{name: "healthy_would_not_do", scene: scene{peers: "a b c d-", members: live("abcd"), sick: "d"}, want: lookInterval},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.situation().wait(); got != tt.want {
				t.Errorf("wait = %v, want %v", got, tt.want)
			}
		})
	}
}
