package autopilot

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// world plays a datacenter without a network: servers that come, go, fail and move,
// and one of them that leads and does what the rules say.
type world struct {
	t      *testing.T
	rand   *rand.Rand
	now    time.Time
	conf   wire.AutopilotConfig
	hosts  map[string]*host // by ID
	peers  []messages.RaftServer
	leader string // ID; empty when nobody can lead
	made   int    // how many changes leaders have made
	ids    int
	log    []string
}

// host is a server, or what is left of one.
type host struct {
	id, name string
	addr     netip.AddrPort
	status   messages.MemberStatus // none: the pool has forgotten it
	wiped    bool                  // its data is gone, and its ID with it
	departs  bool                  // it has left the peer set under this leader, and not yet the pool
	sick     bool
	memory   *memory
	looked   time.Time         // when it has looked last
	health   map[string]health // as a leader
}

func (h *host) up() bool { return h.status == alive }

func newWorld(t *testing.T, seed uint64, servers int) *world {
	w := &world{t: t, rand: rand.New(rand.NewPCG(seed, 0)), now: begin, conf: defaults, hosts: map[string]*host{}}
	for range servers {
		h := w.arrive()
		if len(w.peers) == 0 {
			w.peers = append(w.peers, messages.RaftServer{ID: h.id, Address: h.addr.String(), Voter: true})
		}
	}
	w.run(30 * time.Second)
	return w
}

func (w *world) note(format string, args ...any) {
	w.log = append(w.log, fmt.Sprintf("%8v ", w.now.Sub(begin).Round(time.Millisecond))+fmt.Sprintf(format, args...))
}

// fail ends the test with all that has happened.
func (w *world) fail(format string, args ...any) {
	w.t.Helper()
	for _, line := range w.log[max(0, len(w.log)-60):] {
		w.t.Log(line)
	}
	w.t.Fatalf(format, args...)
}

// arrive starts a server that was never there, at an address that nobody has.
func (w *world) arrive() *host {
	w.ids++
	h := &host{id: "id" + strconv.Itoa(w.ids), name: "s" + strconv.Itoa(w.ids), addr: w.freeAddr()}
	w.hosts[h.id] = h
	w.start(h)
	return h
}

func (w *world) start(h *host) {
	h.status, h.memory, h.health, h.looked = alive, newMemory(), nil, time.Time{}
	w.note("%s (%s) is up at %s", h.name, h.id, h.addr)
}

func (w *world) freeAddr() netip.AddrPort {
	for i := byte(1); ; i++ {
		a := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, i}), 8300)
		if !slices.ContainsFunc(slices.Collect(maps.Values(w.hosts)), func(h *host) bool { return h.addr == a }) {
			return a
		}
	}
}

func (w *world) sorted(which func(*host) bool) (all []*host) {
	for _, id := range slices.Sorted(maps.Keys(w.hosts)) {
		if which(w.hosts[id]) {
			all = append(all, w.hosts[id])
		}
	}
	return all
}

// pick returns one of the hosts that fit, or nil.
func (w *world) pick(which func(*host) bool) *host {
	if all := w.sorted(which); len(all) > 0 {
		return all[w.rand.IntN(len(all))]
	}
	return nil
}

func (w *world) members() (all []messages.Member) {
	for _, h := range w.sorted(func(h *host) bool { return h.status != messages.MemberNone }) {
		all = append(all, messages.Member{
			Name: h.name, Addr: h.addr.Addr(), Port: 8301, Status: h.status,
			Tags: map[string]string{"role": "consul", "dc": "dc1", "id": h.id, "port": "8300", "raft_vsn": "3"},
		})
	}
	return all
}

func (w *world) voter(id string) bool {
	return slices.ContainsFunc(w.peers, func(p messages.RaftServer) bool { return p.ID == id && p.Voter })
}

// count returns how many voters there are in a peer set, and how many of them are up.
func (w *world) count(set []messages.RaftServer) (voters, up int) {
	for _, p := range set {
		if p.Voter {
			voters++
			if w.hosts[p.ID].up() {
				up++
			}
		}
	}
	return voters, up
}

// elect makes sure that a leader is one who can lead.
func (w *world) elect() {
	voters, up := w.count(w.peers)
	if up < quorum(voters) {
		w.leader = ""
		return
	}
	if w.leader != "" && w.voter(w.leader) && w.hosts[w.leader].up() && w.rand.IntN(50) > 0 {
		return
	}
	if next := w.pick(func(h *host) bool { return h.up() && w.voter(h.id) }); next.id != w.leader {
		w.leader, next.health = next.id, nil
		for _, h := range w.hosts {
			h.departs = false // a new leader may not have seen where it was
		}
		w.note("%s leads", next.name)
	}
}

// run lets time pass.
func (w *world) run(d time.Duration) {
	pause := time.Duration(0)
	for until := w.now.Add(d); w.now.Before(until); w.now = w.now.Add(pause) {
		if pause = time.Second; w.tick() {
			pause = 100 * time.Millisecond
		}
	}
}

// tick is a look on each server that is up, and one change by the leader, if one is
// due.
func (w *world) tick() (changed bool) {
	w.elect()
	roster := readRoster(w.members(), "dc1", w.peers)
	for _, h := range w.sorted((*host).up) {
		if h.id == w.leader || w.now.Sub(h.looked) >= lookInterval {
			h.memory.observe(w.peers, roster, w.now)
			h.looked = w.now
		}
	}
	if w.leader == "" {
		return false
	}
	l := w.hosts[w.leader]
	said := map[string]stats{}
	for _, h := range w.sorted((*host).up) {
		if !h.sick || h.id == w.leader {
			said[h.id] = stats{}
		}
	}
	s := &situation{
		self: l.id, conf: w.conf, peers: w.peers, roster: roster, memory: l.memory, now: w.now,
	}
	s.health = assess(l.health, s.peers, s.roster, reading{stats: said}, s.conf, s.now)
	l.health = s.health
	due := s.changes()
	if len(due) > 0 {
		w.make(due[0])
	}
	return len(due) > 0
}

// make makes a change, if the voters that are up can commit it, and holds it against
// what no change may ever do.
func (w *world) make(c change) {
	w.t.Helper()
	w.note("%s: %s", w.hosts[w.leader].name, c.news)
	target, next := w.hosts[c.peer.ID], applied(w.peers, c)
	voters, up := w.count(w.peers)
	nextVoters, nextUp := w.count(next)
	switch {
	case c.remove && target.up():
		w.fail("a live server is removed: %s", c.news)
	case !c.remove && w.voter(c.peer.ID) && !c.peer.Voter:
		w.fail("a voter loses its vote: %s", c.news)
	case !c.remove && target.departs:
		w.fail("a server that leaves is held back: %s", c.news)
	case nextUp < quorum(nextVoters):
		w.fail("the quorum is lost: %d of %d voters are up after: %s", nextUp, nextVoters, c.news)
	case c.remove && nextVoters < voters && target.status != left && (nextVoters < max(fewVoters, int(w.conf.MinQuorum)) || voters%2 != 0):
		w.fail("one of %d voters is removed without a replacement: %s", voters, c.news)
	case c.remove && nextUp-quorum(nextVoters) < up-quorum(voters):
		w.fail("a removal makes the peer set weaker: %s", c.news)
	}
	seen := map[string]bool{}
	for _, p := range next {
		if seen[p.Address] {
			w.fail("two servers at %s after: %s", p.Address, c.news)
		}
		seen[p.Address] = true
	}
	w.peers = next
	w.made++
	w.hosts[w.leader].memory.made(c)
}

// What can happen to a world.

func (w *world) crash(h *host) {
	h.status = failed
	w.note("%s is down", h.name)
}

// leave is Consul's: first the server leaves the peer set, if the others keep a
// quorum, and then the pool.
func (w *world) leave(h *host) {
	rest := slices.DeleteFunc(slices.Clone(w.peers), func(p messages.RaftServer) bool { return p.ID == h.id })
	if voters, up := w.count(rest); w.leader != "" && voters > 0 && up >= quorum(voters) {
		w.peers = rest
		w.note("%s leaves the peer set", h.name)
		if w.leader == h.id {
			w.leader = ""
		}
		h.departs = w.leader != ""
		w.run(time.Duration(w.rand.IntN(1500)) * time.Millisecond)
		h.departs = false
	}
	h.status = left
	w.note("%s has left", h.name)
}

// shuffle has servers that are down come back, each at the address of another.
func (w *world) shuffle() {
	down := w.sorted(func(h *host) bool { return h.status == failed && !h.wiped })
	for i := range down {
		j := w.rand.IntN(i + 1)
		down[i].addr, down[j].addr = down[j].addr, down[i].addr
	}
	for _, h := range down {
		w.start(h)
	}
}

// wipe has a server that is down come back without its data: under its name, at its
// address, with a new ID. It returns false where that would cost the quorum for ever,
// which nobody could mend.
func (w *world) wipe(h *host) {
	voters, lost := 0, 0
	for _, p := range w.peers {
		if p.Voter {
			voters++
			if w.hosts[p.ID].wiped || p.ID == h.id {
				lost++
			}
		}
	}
	if voters-lost < quorum(voters) {
		return
	}
	again := w.arrive()
	again.name, again.addr = h.name, h.addr
	h.status, h.wiped, h.addr = messages.MemberNone, true, netip.AddrPort{}
	w.note("%s was %s and has lost its data, it is at %s", again.id, h.id, again.addr)
}

// happen lets something happen.
func (w *world) happen() {
	up, down := (*host).up, func(h *host) bool { return h.status == failed && !h.wiped }
	switch w.rand.IntN(12) {
	case 0, 1, 2:
		if h := w.pick(up); h != nil {
			w.crash(h)
		}
	case 3, 4:
		if h := w.pick(func(h *host) bool { return down(h) || h.status == left }); h != nil {
			w.start(h)
		}
	case 5:
		if h := w.pick(down); h != nil {
			h.addr = w.freeAddr()
			w.start(h)
		}
	case 6:
		w.shuffle()
	case 7:
		if h := w.pick(up); h != nil {
			w.leave(h)
		}
	case 8:
		if len(w.sorted(up)) < 8 {
			w.arrive()
		}
	case 9:
		if h := w.pick(down); h != nil {
			w.wipe(h)
		}
	case 10:
		if h := w.pick(up); h != nil {
			h.sick = !h.sick
			w.note("%s is sick: %v", h.name, h.sick)
		}
	case 11:
		if h := w.pick(down); h != nil && w.rand.IntN(3) == 0 {
			h.status = messages.MemberNone
			w.note("the pool forgets %s", h.name)
		}
	}
}

// heal brings back all that can come back, and those that left and are still needed.
func (w *world) heal() {
	for _, h := range w.sorted(func(h *host) bool { return !h.wiped }) {
		h.sick = false
		if h.status == failed || h.status == messages.MemberNone || h.status == left && w.voter(h.id) {
			if slices.ContainsFunc(w.sorted((*host).up), func(o *host) bool { return o.addr == h.addr }) {
				h.addr = w.freeAddr()
			}
			w.start(h)
		}
	}
}

// TestAnythingMayHappen plays 1,000 datacenters, each with a seed of its own. No
// change that is made may cost the quorum, a live server or a vote (make), and when
// all are alive again the peer set is as it should be.
func TestAnythingMayHappen(t *testing.T) {
	made := 0
	for seed := range uint64(1000) {
		w := newWorld(t, seed, 1+int(seed%6))
		w.conf.MinQuorum = uint(seed % 5)
		w.note("seed %d", seed)
		w.conf.ServerStabilizationTime = []time.Duration{time.Millisecond, 3 * time.Second, 10 * time.Second}[seed%3]
		for range 20 {
			w.happen()
			w.run(time.Duration(w.rand.IntN(10000)) * time.Millisecond)
		}
		w.heal()
		w.run(dismissal + missingGrace)
		w.converged()
		made += w.made
	}
	if made < 10000 {
		t.Errorf("only %d changes were made, so little was tried", made)
	}
}

// converged holds what must be true when everybody has been alive for a while.
func (w *world) converged() {
	w.t.Helper()
	voters, up := w.count(w.peers)
	for _, p := range w.peers {
		h := w.hosts[p.ID]
		switch {
		case h.up() && !p.Voter:
			w.fail("%s is alive and does not vote", h.name)
		case h.up() && p.Address != h.addr.String():
			w.fail("%s is at %s, the peer set has it at %s", h.name, h.addr, p.Address)
		case !h.up() && !p.Voter:
			w.fail("%s is not alive and was not removed", h.id)
		}
	}
	for _, h := range w.sorted((*host).up) {
		if addressOf(w.peers, h.id) == "" {
			w.fail("%s is alive and not in the peer set", h.name)
		}
	}
	if dead := voters - up; dead > 0 && voters%2 == 0 && voters > max(fewVoters, int(w.conf.MinQuorum)) {
		w.fail("%d of %d voters are dead and were not removed", dead, voters)
	}
	if w.leader == "" {
		w.fail("nobody leads: %d of %d voters are up", up, voters)
	}
}

// TestRollingRestart is consul#8118: servers are restarted one after the other, less
// than server_stabilization_time apart. A majority is up all the time, so somebody
// can lead all the time, and everybody has a vote soon after coming back.
func TestRollingRestart(t *testing.T) {
	for _, servers := range []int{3, 4, 5} {
		for _, way := range []string{"killed", "left", "moved"} {
			t.Run(fmt.Sprintf("%d_servers_%s", servers, way), func(t *testing.T) {
				w := newWorld(t, 1, servers)
				for range 3 {
					for _, h := range w.sorted((*host).up) {
						if way == "left" {
							w.leave(h)
						} else {
							w.crash(h)
						}
						w.run(4 * time.Second)
						if way == "moved" {
							h.addr = w.freeAddr()
						}
						w.start(h)
						w.run(4 * time.Second)
						if w.leader == "" {
							w.fail("nobody leads after the restart of %s", h.name)
						}
						if !w.voter(h.id) {
							w.fail("%s is back for 4 s and has no vote", h.name)
						}
					}
				}
				w.converged()
			})
		}
	}
}
