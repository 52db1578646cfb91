// Package sequence makes orders in which the servers of a datacenter are stopped and
// started, and knows when one of them has to lead.
//
//	New(seed) ──Steps──▶ a test that carries them out ──Do, Observed──▶ Model ──MustLead──▶ the test
//
// A sequence comes of its seed alone, so that one that fails can be played again. The
// model knows nobody's log: it keeps every peer set that the servers may have by now,
// since a change that was under way when one of them died may have been made or not,
// and says that somebody must lead only where each of them has a majority.
package sequence

import (
	"fmt"
	"maps"
	"math/bits"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Act is what happens to a server.
type Act string

// The ways to stop a server, and the one to start it.
const (
	Kill  Act = "kill -9"
	Stop  Act = "SIGTERM"
	Leave Act = "SIGINT"
	Start Act = "start"
)

// Step is one act, and what comes after it.
type Step struct {
	Server int
	Act    Act
	// Settle says to wait until somebody leads, if somebody must. Pause is how long to
	// wait, then or otherwise.
	Settle bool
	Pause  time.Duration
}

// String returns the step as a line of a log has it.
func (s Step) String() string {
	then := fmt.Sprintf("wait %v", s.Pause)
	if s.Settle {
		then = "await a leader, " + then
	}
	return fmt.Sprintf("%s of server %d, %s", s.Act, s.Server, then)
}

// New returns the steps of a seed. All servers run at the beginning.
func New(seed uint64, servers, steps int) []Step {
	chance := rand.New(rand.NewPCG(seed, 0x5e9))
	up := make([]bool, servers)
	for i := range up {
		up[i] = true
	}
	hurry := chance.IntN(3) // of this sequence: how short the pauses are
	all := make([]Step, 0, steps)
	for range steps {
		i := chance.IntN(servers)
		if !slices.Contains(up, false) || up[i] && chance.IntN(2) == 0 {
			for !up[i] {
				i = chance.IntN(servers)
			}
		} else {
			for up[i] {
				i = chance.IntN(servers)
			}
		}
		s := Step{Server: i, Act: Start, Settle: chance.IntN(2) == 0}
		if up[i] {
			s.Act = []Act{Kill, Stop, Leave}[chance.IntN(3)]
		}
		up[i] = !up[i]
		longest := []time.Duration{200 * time.Millisecond, 3 * time.Second, 12 * time.Second}[max(chance.IntN(3)-hurry, 0)]
		s.Pause = time.Duration(chance.Int64N(int64(longest))).Round(time.Millisecond)
		all = append(all, s)
	}
	return all
}

// Set is a set of servers, a bit each.
type Set uint8

// Of returns the set of these servers.
func Of(servers ...int) (s Set) {
	for _, i := range servers {
		s |= 1 << i
	}
	return s
}

// Has reports whether a server is in the set.
func (s Set) Has(server int) bool { return s&(1<<server) != 0 }

// Servers returns who is in the set.
func (s Set) Servers() (all []int) {
	for i := range 8 {
		if s.Has(i) {
			all = append(all, i)
		}
	}
	return all
}

// Model is what the servers of a datacenter are to one who has only seen what
// happened to them.
type Model struct {
	up   Set          // who runs
	left Set          // who has said goodbye and is not back
	may  map[Set]bool // the peer sets that may be in force
}

// NewModel returns a datacenter of which all servers run and vote.
func NewModel(servers int) *Model {
	all := Set(1<<servers - 1)
	return &Model{up: all, may: map[Set]bool{all: true}}
}

// Do takes in what has happened.
func (m *Model) Do(s Step) {
	switch bit := Of(s.Server); s.Act {
	case Start:
		m.up |= bit
		m.left &^= bit
	case Leave:
		m.spread() // with it
		for p := range maps.Clone(m.may) {
			if rest := p &^ bit; rest != 0 && majority(p, m.up) {
				m.may[rest] = true
			}
		}
		m.up &^= bit
		m.left |= bit
	default:
		m.spread()
		m.up &^= bit
	}
	m.spread()
}

// spread adds the peer sets that a leader may make of those that there may be: it
// takes in who runs, and removes who has left.
func (m *Model) spread() {
	for grown := true; grown; {
		grown = false
		for p := range maps.Clone(m.may) {
			if !majority(p, m.up) {
				continue
			}
			for i := range 8 {
				next := p
				if bit := Of(i); m.up.Has(i) {
					next |= bit
				} else if m.left.Has(i) {
					next &^= bit
				}
				if !m.may[next] {
					m.may[next], grown = true, true
				}
			}
		}
	}
}

// Observed takes in that a leader has just committed something in this peer set.
func (m *Model) Observed(voters Set) {
	m.may = map[Set]bool{voters: true}
	m.spread()
}

// MustLead reports whether a majority of the peer set runs, whichever it is.
func (m *Model) MustLead() bool {
	for p := range m.may {
		if !majority(p, m.up) {
			return false
		}
	}
	return true
}

// Up returns who runs.
func (m *Model) Up() Set { return m.up }

// String returns who runs and which peer sets there may be.
func (m *Model) String() string {
	var sets []string
	for _, p := range slices.Sorted(maps.Keys(m.may)) {
		sets = append(sets, fmt.Sprint(p.Servers()))
	}
	return fmt.Sprintf("up %v, peers %s", m.up.Servers(), strings.Join(sets, " or "))
}

func majority(of, up Set) bool {
	return bits.OnesCount8(uint8(of&up)) > bits.OnesCount8(uint8(of))/2
}
