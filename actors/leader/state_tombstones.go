package leader

import "time"

const (
	// tombstoneTTL is how long a deletion of a key is remembered, at least, so that the
	// index of a prefix does not go back for whoever waits on it. Consul's.
	tombstoneTTL = 15 * time.Minute
	// tombstoneGranularity is how much longer it may be. Consul's.
	tombstoneGranularity = 30 * time.Second
)

// graveyard knows since when there have been tombstones up to which index. A new
// leader knows nothing of earlier ones but that they are there, so they stay for
// their full time once more.
type graveyard struct{ marks []mark } // oldest first, with ascending indexes

// mark says that the newest tombstone had an index at a time.
type mark struct {
	at    time.Time
	index uint64
}

// note takes note of the newest tombstone, 0 if there is none.
func (g *graveyard) note(newest uint64, now time.Time) {
	if len(g.marks) > 0 && newest <= g.marks[len(g.marks)-1].index || newest == 0 {
		return
	}
	g.marks = append(g.marks, mark{now, newest})
}

// ripe returns the index up to which all tombstones are old enough to go, 0 if none
// is.
func (g *graveyard) ripe(now time.Time) (upTo uint64) {
	for _, m := range g.marks {
		if now.Sub(m.at) < tombstoneTTL {
			break
		}
		upTo = m.index
	}
	return upTo
}

// reaped forgets the tombstones up to an index, which have gone.
func (g *graveyard) reaped(upTo uint64) {
	for len(g.marks) > 0 && g.marks[0].index <= upTo {
		g.marks = g.marks[1:]
	}
}
