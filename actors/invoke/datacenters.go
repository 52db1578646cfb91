package invoke

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/actors/catalog/endpoint"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// Reports lists the methods about what a server itself sees, and what it can do in
// its pools, which each of them answers, whether anybody leads or not: they are how one
// finds out that there is none.
var Reports = []endpoint.Method{StatusLeader, StatusPeers, ListDatacenters, DatacenterMaps, EventFire, KeyringOperation}

// The methods of Reports, which are Consul's.
var (
	// StatusLeader is where the leader is reached, "" when none is known.
	StatusLeader = &Duty[wire.DCSpecificRequest, string]{method: "Status.Leader", run: statusLeader, own: true}
	// StatusPeers is the addresses of the peer set; none when there is none yet.
	StatusPeers = &Duty[wire.DCSpecificRequest, []string]{method: "Status.Peers", run: statusPeers, own: true}
	// ListDatacenters is the names of the datacenters, the nearest first.
	ListDatacenters = &Duty[wire.DatacentersRequest, []string]{method: "Catalog.ListDatacenters", run: listDatacenters, own: true}
	// DatacenterMaps is the servers of each datacenter with their WAN coordinates.
	DatacenterMaps = &Duty[wire.EmptyReadRequest, []wire.DatacenterMap]{method: "Coordinate.ListDatacenters", run: datacenterMaps, own: true}
)

func statusLeader(_ context.Context, inv *Invoker, _ *wire.DCSpecificRequest, reply *string) error {
	if s := inv.cfg.Status.Load(); s != nil {
		*reply = s.LeaderAddr
	}
	return nil
}

func statusPeers(ctx context.Context, inv *Invoker, _ *wire.DCSpecificRequest, reply *[]string) error {
	set, err := ask.Do(ctx, inv.cfg.Raft, &messages.GetRaftConfiguration{})
	if err != nil {
		return err
	}
	for _, s := range set.Servers {
		*reply = append(*reply, s.Address)
	}
	return nil
}

func listDatacenters(_ context.Context, inv *Invoker, _ *wire.DatacentersRequest, reply *[]string) error {
	*reply = inv.Datacenters()
	return nil
}

// Datacenters returns the names of the datacenters that this agent knows by itself,
// its own first and then the nearest. A client agent knows its own only.
func (inv *Invoker) Datacenters() []string { return byDistance(inv.cfg.Datacenter, inv.wan()) }

func datacenterMaps(_ context.Context, inv *Invoker, _ *wire.EmptyReadRequest, reply *[]wire.DatacenterMap) error {
	*reply = mapsOf(inv.wan())
	return nil
}

// wan returns the newest view of the WAN pool; an empty one when there is none.
func (inv *Invoker) wan() *messages.PoolView {
	if inv.cfg.WAN != nil {
		if view := inv.cfg.WAN.Load(); view != nil {
			return view
		}
	}
	return &messages.PoolView{}
}

// byDistance returns the names of the datacenters of a WAN pool, our own first, then
// the nearest: one is as far away as the median of its servers. Those as far as each
// other, or of which nothing is known, are in the order of their names.
func byDistance(own string, wan *messages.PoolView) []string {
	away := map[string][]float64{}
	for _, m := range wan.Members {
		if dc := m.Tags["dc"]; dc != "" && dc != own && m.Status != messages.MemberLeft {
			away[dc] = append(away[dc], roundTrip(wan, m.Name))
		}
	}
	median := make(map[string]float64, len(away))
	for dc, all := range away {
		slices.Sort(all)
		median[dc] = all[len(all)/2]
	}
	names := slices.SortedFunc(maps.Keys(median), func(a, b string) int {
		return cmp.Or(cmp.Compare(median[a], median[b]), strings.Compare(a, b))
	})
	return append([]string{own}, names...)
}

// roundTrip is the time in seconds that a member is away, infinite if nobody knows.
func roundTrip(view *messages.PoolView, name string) float64 {
	if view.Coordinate == nil {
		return math.Inf(1)
	}
	here, there := view.Coordinate(view.Local), view.Coordinate(name)
	if here == nil || there == nil || !here.IsCompatibleWith(there) {
		return math.Inf(1)
	}
	return here.DistanceTo(there).Seconds()
}

// mapsOf returns the servers of a WAN pool with their coordinates, by the names of
// datacenters.
func mapsOf(wan *messages.PoolView) []wire.DatacenterMap {
	byDC := map[string]wire.Coordinates{}
	for _, m := range wan.Members {
		dc := m.Tags["dc"]
		if dc == "" || m.Status == messages.MemberLeft {
			continue
		}
		if byDC[dc] == nil {
			byDC[dc] = wire.Coordinates{} // an empty list, and not none
		}
		if wan.Coordinate == nil {
			continue
		}
		if coord := wan.Coordinate(m.Name); coord != nil {
			byDC[dc] = append(byDC[dc], &wire.Coordinate{
				Node: strings.TrimSuffix(m.Name, "."+dc), Segment: m.Tags["segment"], Coord: coord,
			})
		}
	}
	all := make([]wire.DatacenterMap, 0, len(byDC))
	for _, dc := range slices.Sorted(maps.Keys(byDC)) {
		all = append(all, wire.DatacenterMap{Datacenter: dc, AreaID: "wan", Coordinates: byDC[dc]})
	}
	return all
}
