package dns

import (
	"time"

	"github.com/actor-consul/consul/messages/wire"
)

// The most that is remembered of what others have said: answers, and bytes.
const (
	maxMemos  = 4096
	maxMemory = 16 << 20
)

// askedOfLate is for how long nobody waits any more who has a remembered answer, after
// others could not be asked (RFC 8767 calls it the failure recheck timer).
const askedOfLate = 5 * time.Second

// word is what others have said: a datacenter, or whoever carries out a prepared query.
// Nobody changes it.
type word struct {
	theirs *theirs
	query  *wire.PreparedQueryExecuteResponse
}

// memory has the last good answer to each question that others answer, for when they
// cannot be asked.
type memory struct {
	all   map[lookup]*memo
	bytes int

	most, mostBytes int
}

// memo is one answer.
type memo struct {
	said   word
	size   int
	at     time.Time // when it was said
	failed time.Time // when others could last not be asked
	asking bool      // one query asks while the others take what is remembered
}

// plan is how a question is answered.
type plan int

const (
	planAsk      plan = iota // by asking, however long that takes
	planAskSoon              // by asking, or with what is remembered when that takes too long
	planRecall               // with what is remembered
	planAskAside             // with what is remembered, but somebody has to ask
)

func newMemory() *memory {
	return &memory{all: map[lookup]*memo{}, most: maxMemos, mostBytes: maxMemory}
}

// plan returns how a question is answered, and what is remembered for that.
func (m *memory) plan(of lookup, set *settings, now time.Time) (plan, word) {
	k := m.all[of]
	switch {
	case k == nil:
		return planAsk, word{}
	case set.UseCache && (set.CacheMaxAge <= 0 || now.Sub(k.at) <= set.CacheMaxAge):
		return planRecall, k.said
	case !set.AllowStale, set.MaxStale > 0 && now.Sub(k.at) > set.MaxStale:
		return planAsk, word{}
	case k.failed.IsZero() || now.Sub(k.failed) > askedOfLate:
		return planAskSoon, k.said
	case k.asking:
		return planRecall, k.said
	default:
		k.asking = true
		return planAskAside, k.said
	}
}

// keep remembers what was said. That there is nothing is not remembered: whoever makes
// up names would have everything else forgotten. It is for names that others end in.
func (m *memory) keep(of lookup, said word, now time.Time) {
	k := &memo{said: said, size: said.size() + len(of.name) + len(of.tag) + len(of.datacenter), at: now}
	m.drop(of)
	if k.size > m.mostBytes/4 || said.nothing() && of.kind != kindEmpty && of.name != "_tcp" && of.name != "_udp" {
		return
	}
	for other := range m.all { // any of them
		if len(m.all) < m.most && m.bytes+k.size <= m.mostBytes {
			break
		}
		m.drop(other)
	}
	m.all[of] = k
	m.bytes += k.size
}

// fail takes note that others could not be asked.
func (m *memory) fail(of lookup, now time.Time) {
	if k := m.all[of]; k != nil {
		k.failed, k.asking = now, false
	}
}

// drop forgets an answer.
func (m *memory) drop(of lookup) {
	if k := m.all[of]; k != nil {
		m.bytes -= k.size
		delete(m.all, of)
	}
}

// nothing says whether nothing was found.
func (w word) nothing() bool {
	return (w.query == nil || len(w.query.Nodes) == 0) && (w.theirs == nil || w.theirs.found == nil && len(w.theirs.all) == 0)
}

// What an instance, a check and an entry of a map take in memory beside their texts,
// about.
const (
	instanceSize = 2 << 10
	checkSize    = 512
	entrySize    = 128
)

// size is how much memory a word takes, about, in bytes.
func (w word) size() int {
	n := entrySize
	if w.theirs != nil {
		n += nodeSize(w.theirs.found)
		for i := range w.theirs.all {
			n += sizeOfInstance(&w.theirs.all[i])
		}
	}
	if w.query != nil {
		n += instanceSize
		for i := range w.query.Nodes {
			n += sizeOfInstance(&w.query.Nodes[i])
		}
	}
	return n
}

func sizeOfInstance(inst *wire.CheckServiceNode) int {
	n := instanceSize + nodeSize(inst.Node)
	if s := inst.Service; s != nil {
		n += mapSize(s.Meta) + entrySize*len(s.TaggedAddresses)
		for _, tag := range s.Tags {
			n += len(tag)
		}
	}
	for _, check := range inst.Checks {
		n += checkSize + len(check.Output) + len(check.Notes)
	}
	return n
}

func nodeSize(node *wire.Node) int {
	if node == nil {
		return 0
	}
	return entrySize*2 + mapSize(node.Meta) + mapSize(node.TaggedAddresses)
}

func mapSize(m map[string]string) (n int) {
	for key, value := range m {
		n += entrySize + len(key) + len(value)
	}
	return n
}
