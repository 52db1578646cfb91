package endpoint

import (
	"math"
	"net/netip"
	"slices"
	"strings"

	"github.com/hashicorp/serf/coordinate"

	"github.com/actor-consul/consul/messages/wire"
)

// sortNear puts what is nearest to the source of a query first. It leaves the
// order alone when the source is in another datacenter or has no coordinate; what
// has none itself comes last. The slice must not belong to the state.
func sortNear[T any](env *Env, datacenter string, source *wire.QuerySource, items []T, nodeOf func(T) string) {
	if source.Node == "" || len(items) < 2 || source.Datacenter != "" && source.Datacenter != datacenter {
		return
	}
	self := sourceNode(env, source)
	from := coordinatesOf(env, self)
	if len(from) == 0 {
		return
	}
	type placed struct {
		item T
		away float64
	}
	known := map[string]float64{}
	sorted := make([]placed, len(items))
	for i, item := range items {
		node := nodeOf(item)
		away, ok := known[node]
		switch {
		case ok:
		case strings.EqualFold(node, self):
			away = -1 // the model of distances has others nearer, now and then
		default:
			away = distance(from, coordinatesOf(env, node))
		}
		known[node] = away
		sorted[i] = placed{item, away}
	}
	slices.SortStableFunc(sorted, func(a, b placed) int {
		switch {
		case a.away < b.away:
			return -1
		case a.away > b.away:
			return 1
		default:
			return 0
		}
	})
	for i := range sorted {
		items[i] = sorted[i].item
	}
}

// atIP is what a source calls itself that is to be found by its address.
const atIP = "_ip"

// sourceNode returns the name of the node that a query comes from; empty if none is
// known.
func sourceNode(env *Env, source *wire.QuerySource) string {
	if source.Node != atIP {
		return source.Node
	}
	if addr, err := netip.ParseAddr(source.Ip); err == nil {
		if node := env.View.NodeAt(nil, addr); node != nil {
			return node.Node
		}
	}
	return ""
}

func coordinatesOf(env *Env, node string) map[string]*coordinate.Coordinate {
	_, coords := env.View.NodeCoordinates(nil, node)
	bySegment := make(map[string]*coordinate.Coordinate, len(coords))
	for _, c := range coords {
		bySegment[c.Segment] = c.Coord
	}
	return bySegment
}

// distance is the round-trip time in seconds in the first segment, by name, that
// both are in, and infinite if there is none.
func distance(a, b map[string]*coordinate.Coordinate) float64 {
	segment, found := "", false
	for s := range a {
		if b[s] != nil && (!found || s < segment) {
			segment, found = s, true
		}
	}
	if !found || !a[segment].IsCompatibleWith(b[segment]) {
		return math.Inf(1)
	}
	return a[segment].DistanceTo(b[segment]).Seconds()
}
