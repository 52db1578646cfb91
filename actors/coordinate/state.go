package coordinate

import (
	"cmp"
	"slices"
	"time"

	"github.com/actor-consul/consul/messages/wire"
)

// interval returns how long an agent waits between two updates, so that those of all
// members come to about rate in a second; least at the least.
func interval(members int, rate float64, least time.Duration) time.Duration {
	return max(least, time.Duration(float64(members)/rate*float64(time.Second)))
}

// key is what a coordinate is about.
type key struct{ node, segment string }

// batch is the newest coordinate of each node that has told one.
type batch struct {
	most    int
	updates map[key]*wire.Coordinate
	dropped int
}

func newBatch(most int) *batch { return &batch{most: most, updates: map[key]*wire.Coordinate{}} }

// note takes in a coordinate, and returns false when there is no room for one more.
func (b *batch) note(c *wire.Coordinate) bool {
	k := key{c.Node, c.Segment}
	if _, known := b.updates[k]; !known && len(b.updates) >= b.most {
		b.dropped++
		return false
	}
	b.updates[k] = c
	return true
}

func (b *batch) empty() bool { return len(b.updates) == 0 }

// take returns what has come, by node, in parts of that size, and how many there was
// no room for. Nothing is left.
func (b *batch) take(size int) (parts []wire.Coordinates, dropped int) {
	all := make(wire.Coordinates, 0, len(b.updates))
	for _, c := range b.updates {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *wire.Coordinate) int {
		return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.Segment, b.Segment))
	})
	for part := range slices.Chunk(all, size) {
		parts = append(parts, part)
	}
	dropped = b.dropped
	clear(b.updates)
	b.dropped = 0
	return parts, dropped
}
