package logs

import (
	"iter"
	"slices"

	"github.com/actor-consul/consul/messages"
)

const (
	// recentSize is how many entries a new reader finds; as many as Consul's
	// own agent keeps for `consul monitor`.
	recentSize = 512

	// maxReaders bounds the subscriptions; the edges admit fewer.
	maxReaders = 64

	// patience is how many entries in a row a reader may lose before it is
	// taken for gone: an asker whose deadline came while it was answered never
	// unsubscribes.
	patience = 8192
)

// state is the recent entries and the readers, and all there is to decide about
// them. The channels are the actor's; the rules know readers by their ids.
type state struct {
	recent  ring
	readers []*reader // by id
}

// A reader is a subscription.
type reader struct {
	id    uint64
	level messages.LogLevel
	lost  int // since the last entry that it took
}

func newState() *state { return &state{recent: ring{size: recentSize}} }

// subscribe takes in a reader and returns the recent entries at its level. It
// refuses when there are too many readers.
func (s *state) subscribe(id uint64, level messages.LogLevel) ([]messages.LogEntry, error) {
	if len(s.readers) >= maxReaders {
		return nil, messages.ErrOverloaded
	}
	s.readers = append(s.readers, &reader{id: id, level: level})
	var recent []messages.LogEntry
	for e := range s.recent.all() {
		if e.Level >= level {
			recent = append(recent, e)
		}
	}
	return recent, nil
}

// unsubscribe forgets a reader; it need not be known.
func (s *state) unsubscribe(id uint64) {
	s.readers = slices.DeleteFunc(s.readers, func(r *reader) bool { return r.id == id })
}

// lowest returns the lowest level that a reader has asked for, and whether there
// is a reader.
func (s *state) lowest() (level messages.LogLevel, readers bool) {
	for _, r := range s.readers {
		if !readers || r.level < level {
			level, readers = r.level, true
		}
	}
	return level, readers
}

// add takes in an entry and offers it to each reader that wants it. offer reports
// whether there was room. Readers that have lost too much are forgotten and their
// ids returned.
func (s *state) add(e messages.LogEntry, offer func(id uint64, u messages.LogUpdate) bool) (gone []uint64) {
	if e.Level > messages.TraceLevel {
		s.recent.push(e)
	}
	for _, r := range s.readers {
		if e.Level < r.level {
			continue
		}
		if offer(r.id, messages.LogUpdate{Entry: e, Lost: r.lost}) {
			r.lost = 0
			continue
		}
		if r.lost++; r.lost > patience {
			gone = append(gone, r.id)
		}
	}
	for _, id := range gone {
		s.unsubscribe(id)
	}
	return gone
}

// addLost takes in what was lost before it came here.
func (s *state) addLost(t tally) {
	for _, r := range s.readers {
		r.lost += t.atLeast(r.level)
	}
}

// A ring holds the newest entries, up to its size.
type ring struct {
	size    int
	entries []messages.LogEntry
	next    int // where the oldest is, once the ring is full
}

// push adds an entry. When the ring is full it drops the oldest and returns it.
func (r *ring) push(e messages.LogEntry) (dropped messages.LogEntry, full bool) {
	if len(r.entries) < r.size {
		r.entries = append(r.entries, e)
		return dropped, false
	}
	dropped = r.entries[r.next]
	r.entries[r.next] = e
	r.next = (r.next + 1) % r.size
	return dropped, true
}

// all yields the entries, oldest first.
func (r *ring) all() iter.Seq[messages.LogEntry] {
	return func(yield func(messages.LogEntry) bool) {
		for i := range r.entries {
			if !yield(r.entries[(r.next+i)%len(r.entries)]) {
				return
			}
		}
	}
}

// drain appends the entries to dst, oldest first, and empties the ring.
func (r *ring) drain(dst []messages.LogEntry) []messages.LogEntry {
	dst = append(dst, r.entries[r.next:]...)
	dst = append(dst, r.entries[:r.next]...)
	clear(r.entries) // their fields are garbage when the reader says so
	r.entries, r.next = r.entries[:0], 0
	return dst
}

// A tally counts entries by level: trace, debug, info, warn, err.
type tally [5]int

func (t *tally) add(l messages.LogLevel) { t[rank(l)]++ }

// atLeast counts those at level l and above.
func (t *tally) atLeast(l messages.LogLevel) (n int) {
	for _, c := range t[rank(l):] {
		n += c
	}
	return n
}

// rank is the place of a level in a tally.
func rank(l messages.LogLevel) int {
	return max(0, min(int(l)-int(messages.TraceLevel), len(tally{})-1))
}
