package router

import (
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/actor-consul/consul/messages"
)

// state is the servers that can be asked, in the order in which they are.
type state struct {
	local string // this datacenter: its servers are those of the LAN pool
	order map[string][]messages.Server
	lost  map[string][]messages.Server // of other datacenters that have failed, by name
}

func newState(local string) *state {
	return &state{local: local, order: map[string][]messages.Server{}}
}

// update takes in what the pools look like. Servers that were known keep their
// places; new ones go to places that chance picks, a function that returns a
// number below n, so that not all agents ask the same one. It says whether
// anything changed.
func (s *state) update(lan, wan *messages.PoolView, chance func(n int) int) bool {
	alive := map[string]map[string]messages.Server{}
	s.gather(alive, lan, func(dc string) bool { return dc == s.local })
	s.gather(alive, wan, func(dc string) bool { return dc != s.local })
	lost := failed(wan, s.local)
	changed := !maps.EqualFunc(lost, s.lost, slices.Equal)
	s.lost = lost
	for dc, order := range s.order {
		kept := slices.DeleteFunc(slices.Clone(order), func(was messages.Server) bool {
			is, ok := alive[dc][key(was)]
			return !ok || is.Addr != was.Addr
		})
		if len(kept) != len(order) {
			changed = true
			s.order[dc] = kept
		}
		if len(kept) == 0 {
			delete(s.order, dc)
		}
	}
	for dc, servers := range alive {
		for _, server := range sorted(servers) {
			if slices.ContainsFunc(s.order[dc], func(o messages.Server) bool { return key(o) == key(server) }) {
				continue
			}
			changed = true
			s.order[dc] = slices.Insert(slices.Clone(s.order[dc]), chance(len(s.order[dc])+1), server)
		}
	}
	return changed
}

// failed returns the servers of other datacenters that the WAN pool regards as
// failed, by datacenter.
func failed(wan *messages.PoolView, local string) map[string][]messages.Server {
	all := map[string][]messages.Server{}
	if wan == nil {
		return all
	}
	for _, m := range wan.Members { // by name
		if s, ok := m.Server(); ok && s.Status == messages.MemberFailed && s.Datacenter != local {
			all[s.Datacenter] = append(all[s.Datacenter], s)
		}
	}
	return all
}

func (s *state) gather(into map[string]map[string]messages.Server, pool *messages.PoolView, mine func(dc string) bool) {
	if pool == nil {
		return
	}
	for _, m := range pool.Members {
		server, ok := m.Server()
		if !ok || server.Status != messages.MemberAlive || !mine(server.Datacenter) {
			continue
		}
		if into[server.Datacenter] == nil {
			into[server.Datacenter] = map[string]messages.Server{}
		}
		into[server.Datacenter][key(server)] = server
	}
}

// demote puts a server behind the others of its datacenter. It says whether that
// changed anything.
func (s *state) demote(dc, address string) bool {
	order := s.order[dc]
	i := slices.IndexFunc(order, func(o messages.Server) bool { return o.Addr.String() == address })
	if i < 0 || i == len(order)-1 {
		return false
	}
	failed := order[i]
	s.order[dc] = append(slices.Delete(slices.Clone(order), i, i+1), failed)
	return true
}

// rotate moves the first server of each datacenter to the end, so that load
// spreads again after servers have come and gone.
func (s *state) rotate() {
	for dc, order := range s.order {
		s.order[dc] = append(slices.Clone(order[1:]), order[0])
	}
}

// routes returns the order, for everybody to read.
func (s *state) routes() *messages.Routes {
	r := &messages.Routes{Servers: make(map[string][]messages.Server, len(s.order)), Failed: s.lost}
	for dc, order := range s.order {
		r.Servers[dc] = order // replaced, never changed
	}
	return r
}

// absent returns where the servers of this datacenter listen for the WAN pool that
// are not in it, so that they can be taken in: who joins one of them joins all.
func absent(lan, wan *messages.PoolView) (addresses []string) {
	if lan == nil || wan == nil {
		return nil
	}
	for _, m := range lan.Members {
		s, ok := m.Server()
		port := m.Tags["wan_join_port"]
		if !ok || port == "" || s.Status != messages.MemberAlive {
			continue
		}
		name := s.Name + "." + s.Datacenter
		if there, ok := wan.Member(name); ok && there.Status == messages.MemberAlive {
			continue
		}
		addresses = append(addresses, name+"/"+hostPort(m.Addr, port))
	}
	return addresses
}

// lost returns where the servers of the pool were, if none of them is there any
// more. They may have left one after the other and come back, and then none of them
// knows of us.
func lost(lan *messages.PoolView) (addresses []string) {
	if lan == nil {
		return nil
	}
	for _, m := range lan.Members {
		s, ok := m.Server()
		switch {
		case !ok:
		case s.Status == messages.MemberAlive:
			return nil
		default:
			addresses = append(addresses, m.Name+"/"+hostPort(m.Addr, strconv.Itoa(int(m.Port))))
		}
	}
	return addresses
}

func key(s messages.Server) string { return strings.ToLower(s.Name) }

func sorted(servers map[string]messages.Server) []messages.Server {
	all := make([]messages.Server, 0, len(servers))
	for _, s := range servers {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b messages.Server) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func hostPort(addr netip.Addr, port string) string {
	if addr.Is6() {
		return "[" + addr.String() + "]:" + port
	}
	return addr.String() + ":" + port
}
