package dns

import (
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-metrics"
	"go.uber.org/zap"
)

// networksEvery is how often the networks of this machine are looked at.
const networksEvery = time.Minute

// networks are those that this machine is in. They are looked at when somebody asks who
// is on no private network. Many goroutines may ask.
type networks struct {
	read  func() ([]net.Addr, error)
	known atomic.Pointer[knownNetworks]
}

type knownNetworks struct {
	all []netip.Prefix
	at  time.Time
}

func (n *networks) contain(addr netip.Addr, now time.Time) bool {
	k := n.known.Load()
	if k == nil || now.Sub(k.at) > networksEvery {
		k = &knownNetworks{at: now}
		addrs, _ := n.read() // without it, there are none
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				k.all = append(k.all, p.Masked())
			}
		}
		n.known.Store(k)
	}
	return slices.ContainsFunc(k.all, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// recursesFor says whether recursors are asked for a client. An agent that can be
// reached from everywhere is no resolver for everybody, unless that is wanted.
func (s *server) recursesFor(client netip.Addr, set *settings) bool {
	if set.RecurseForAll || client.IsValid() && (!public(client) || s.near.contain(client, time.Now())) {
		return true
	}
	metrics.IncrCounter([]string{Name, "recursion_refused"}, 1)
	if !s.stranger.Swap(true) {
		s.log.Warn("a client that is on no private network asks for other names than ours; it and others get REFUSED (dns_config.recurse_for_all)",
			zap.Stringer("client", client))
	}
	return false
}

// warnOfAll says in the log that an agent is an open resolver, if it is one.
func (a *dnsActor) warnOfAll() {
	set := a.life.settings.Load()
	reached := slices.ContainsFunc(a.life.bound, func(at netip.AddrPort) bool { return !at.Addr().IsLoopback() })
	if reached && set.RecurseForAll && len(set.Recursors) > 0 {
		a.log.Warn("whoever reaches the DNS port has any name resolved by the recursors (dns_config.recurse_for_all)",
			zap.Strings("recursors", set.Recursors))
	}
}
