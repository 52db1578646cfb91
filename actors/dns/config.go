package dns

import (
	"context"
	"net/netip"
	"time"

	"go.uber.org/zap"

	"github.com/actor-consul/consul/actors/catalog/state"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// Config is what the listener needs from the rest of the agent.
type Config struct {
	Logger *zap.Logger // required

	// Addrs are where to listen, on UDP and TCP: ip:port. None: nowhere.
	Addrs []string

	Domain     string // the zone, such as "consul."; required
	AltDomain  string // a second name for the zone; optional
	Datacenter string // required
	NodeName   string // of this agent, for its figures; required

	// View returns the newest state, which has index 0 until it is restored, or
	// nil. It is called on many goroutines and must not wait. Required.
	View func() *state.View

	// Age returns how old the newest state may be. It is called as View is. Optional:
	// without it, the state is never old.
	Age func() time.Duration

	// LAN names the servers while the catalog has none yet. Optional.
	LAN *messages.Published[messages.PoolView]

	// Elsewhere asks other datacenters. nil: there are none.
	Elsewhere *Elsewhere
	// TranslateWANAddrs makes nodes and services of other datacenters be found at
	// their WAN addresses, where they have some (translate_wan_addrs).
	TranslateWANAddrs bool
	// Execute carries out a prepared query. It is called on many goroutines and may
	// wait. Optional: without it there are none.
	Execute func(context.Context, *wire.PreparedQueryExecuteRequest) (*wire.PreparedQueryExecuteResponse, error)
	// QueryNames returns the names of the prepared queries of a datacenter, empty for our
	// own. It is called as Execute is. Optional: without it names end in no others.
	QueryNames func(ctx context.Context, dc string) ([]string, error)

	// DNS is how to answer, until a Reconfigure says otherwise.
	DNS messages.DNSConfig

	Limits Limits

	// Bound, if not nil, is where the addresses are published that the listener is
	// at, in the order of Addrs, before the actor says that it is ready.
	Bound *messages.Published[[]netip.AddrPort]
}

// Limits bound what the listener takes on; what is zero is as in DefaultLimits.
type Limits struct {
	TCPConns     int           // at the same time; when there are more, idle ones end, or new ones
	TCPConnsEach int           // from one address; a quarter of all
	TCPQueries   int           // on one connection, which is closed then
	ReadTimeout  time.Duration // for the first query on a connection
	IdleTimeout  time.Duration // for each further one
	WriteTimeout time.Duration // for a client to take an answer
	Recursions   int           // queries that wait for recursors at the same time

	Elsewhere        int           // queries that wait for other datacenters at the same time
	ElsewhereTimeout time.Duration // for another datacenter to answer
	PreparedQueries  int           // that are carried out at the same time
}

// DefaultLimits are generous to a resolver and bound what anybody else can hold.
func DefaultLimits() Limits {
	return Limits{
		TCPConns:     512,
		TCPQueries:   4096, // a resolver keeps its connection
		ReadTimeout:  2 * time.Second,
		IdleTimeout:  8 * time.Second, // as miekg/dns
		WriteTimeout: 2 * time.Second,
		Recursions:   1024,

		Elsewhere:        1024,
		ElsewhereTimeout: 3 * time.Second, // less than a resolver waits
		PreparedQueries:  1024,
	}
}

func (l Limits) orDefaults() Limits {
	d := DefaultLimits()
	orDefault(&l.TCPConns, d.TCPConns)
	orDefault(&l.TCPConnsEach, max(1, l.TCPConns/4))
	orDefault(&l.TCPQueries, d.TCPQueries)
	orDefault(&l.ReadTimeout, d.ReadTimeout)
	orDefault(&l.IdleTimeout, d.IdleTimeout)
	orDefault(&l.WriteTimeout, d.WriteTimeout)
	orDefault(&l.Recursions, d.Recursions)
	orDefault(&l.Elsewhere, d.Elsewhere)
	orDefault(&l.ElsewhereTimeout, d.ElsewhereTimeout)
	orDefault(&l.PreparedQueries, d.PreparedQueries)
	return l
}

func orDefault[T int | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}
