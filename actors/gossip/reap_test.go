package gossip

import (
	"bytes"
	"errors"
	"io"
	"log"
	"maps"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/memberlist"
	"github.com/hashicorp/serf/serf"

	"github.com/actor-consul/consul/messages"
)

// air is a network in memory, of which members can be cut off.
type air struct {
	radios map[string]*radio
	slow   time.Duration // until a packet has come, at most
	loss   float64       // the share of packets that do not come
}

func (n *air) radio(name string) *radio {
	r := &radio{air: n, port: len(n.radios) + 1, packets: make(chan *memberlist.Packet, 1000), streams: make(chan net.Conn, 10)}
	n.radios[name] = r
	return r
}

// radio is the transport of one member in it, whose port is its turn.
type radio struct {
	air     *air
	port    int
	down    atomic.Bool
	packets chan *memberlist.Packet
	streams chan net.Conn
}

var _ memberlist.NodeAwareTransport = (*radio)(nil)

// other returns the one at an address, or nil when it cannot be reached.
func (r *radio) other(addr string) *radio {
	for _, to := range r.air.radios {
		if to.at().String() == addr && !to.down.Load() && !r.down.Load() {
			return to
		}
	}
	return nil
}

func (r *radio) at() *net.UDPAddr { return &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: r.port} }

func (r *radio) FinalAdvertiseAddr(string, int) (net.IP, int, error) { return r.at().IP, r.port, nil }
func (r *radio) GetAutoBindPort() int                                { return r.port }
func (r *radio) PacketCh() <-chan *memberlist.Packet                 { return r.packets }
func (r *radio) StreamCh() <-chan net.Conn                           { return r.streams }
func (r *radio) Shutdown() error                                     { r.down.Store(true); return nil }

func (r *radio) WriteTo(b []byte, addr string) (time.Time, error) {
	b = bytes.Clone(b)
	to := r.other(addr)
	switch {
	case to == nil || rand.Float64() < r.air.loss:
	case r.air.slow > 0:
		time.AfterFunc(rand.N(r.air.slow), func() { to.receive(b, r.at()) })
	default:
		to.receive(b, r.at())
	}
	return time.Now(), nil
}

func (r *radio) receive(b []byte, from net.Addr) {
	select {
	case r.packets <- &memberlist.Packet{Buf: b, From: from, Timestamp: time.Now()}:
	default: // lost
	}
}

func (r *radio) WriteToAddress(b []byte, a memberlist.Address) (time.Time, error) {
	return r.WriteTo(b, a.Addr)
}

func (r *radio) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	to := r.other(addr)
	if to == nil {
		return nil, syscall.ECONNREFUSED
	}
	near, far := net.Pipe()
	select {
	case to.streams <- far:
		return near, nil
	case <-time.After(timeout):
		return nil, errors.New("timed out")
	}
}

func (r *radio) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	return r.DialTimeout(a.Addr, timeout)
}

// serfOn starts a member with an agent's settings but for slower timings, since
// days pass here. It is stopped with the bubble.
func (n *air) serfOn(t *testing.T, cfg Config, extra map[string]string) *serf.Serf {
	t.Helper()
	cfg = cfg.withDefaults()
	tags := map[string]string{"role": "consul", "dc": cfg.Datacenter}
	maps.Copy(tags, extra)
	quiet := log.New(io.Discard, "", 0)
	conf := serfConfig(cfg, tags, quiet, nil)
	conf.MemberlistConfig = memberlistConfig(cfg, nil, newGate(cfg, messages.Member{Name: cfg.NodeName}), quiet)
	conf.MemberlistConfig.GossipInterval, conf.MemberlistConfig.ProbeInterval = 30*time.Second, 2*time.Minute
	conf.MemberlistConfig.PushPullInterval, conf.BroadcastTimeout = time.Hour, 5*time.Minute
	conf.MemberlistConfig.Transport = n.radio(cfg.NodeName)
	s, err := serf.Create(conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Shutdown()                 //nolint:errcheck // it returns none
		time.Sleep(20 * time.Minute) // until the last probe has given up
	})
	return s
}

// TestForgotten has days pass over a pool one member of which is gone: it is looked
// for, and forgotten when Consul would forget it.
func TestForgotten(t *testing.T) {
	fails := func(n *air, _ *serf.Serf) { n.radios["gone"].down.Store(true) }
	leaves := func(n *air, gone *serf.Serf) {
		gone.Leave() //nolint:errcheck // seen below
		n.radios["gone"].down.Store(true)
	}
	const leeway = 15 * time.Minute // a leave takes its time with such timings
	tests := []struct {
		name    string
		timeout time.Duration
		tags    map[string]string
		goes    func(*air, *serf.Serf)
		as      serf.MemberStatus
		after   time.Duration
	}{
		{"failed", 0, nil, fails, serf.StatusFailed, 72 * time.Hour},
		{"failed_reconnect_timeout", 8 * time.Hour, nil, fails, serf.StatusFailed, 8 * time.Hour},
		{"failed_by_its_tag", 0, map[string]string{reconnectTag: "30m"}, fails, serf.StatusFailed, 30 * time.Minute},
		{"left", 0, nil, leaves, serf.StatusLeft, 24 * time.Hour},
		{"left_reconnect_timeout", 8 * time.Hour, nil, leaves, serf.StatusLeft, 24 * time.Hour},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &air{radios: map[string]*radio{}}
				cfg := Config{Pool: messages.LAN, NodeName: "here", Datacenter: "dc1", ReconnectTimeout: tt.timeout}
				here := n.serfOn(t, cfg, nil)
				cfg.NodeName = "gone"
				gone := n.serfOn(t, cfg, tt.tags)
				if _, err := gone.Join([]string{"127.0.0.1:1"}, true); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				tt.goes(n, gone)
				since := awaitStatus(t, here, tt.as)
				time.Sleep(time.Until(since.Add(tt.after)) - leeway)
				if got := statusAt(here); got != tt.as {
					t.Errorf("almost %s later it is %s, want %s", tt.after, got, tt.as)
				}
				time.Sleep(2 * leeway)
				if got := statusAt(here); got != serf.StatusNone {
					t.Errorf("%s later it is %s, want it forgotten", tt.after, got)
				}
			})
		})
	}
}

// TestReconnect has a member come back without a word, when it had almost been
// forgotten.
func TestReconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &air{radios: map[string]*radio{}}
		cfg := Config{Pool: messages.LAN, NodeName: "here", Datacenter: "dc1"}
		here := n.serfOn(t, cfg, nil)
		cfg.NodeName = "gone"
		if _, err := n.serfOn(t, cfg, nil).Join([]string{"127.0.0.1:1"}, true); err != nil {
			t.Fatal(err)
		}
		n.radios["gone"].down.Store(true)
		awaitStatus(t, here, serf.StatusFailed)
		time.Sleep(71 * time.Hour)
		n.radios["gone"].down.Store(false)
		time.Sleep(10 * time.Minute)
		if got := statusAt(here); got != serf.StatusAlive {
			t.Errorf("it is %s, want it found again", got)
		}
	})
}

// awaitStatus waits until the member gone is seen so, and returns when.
func awaitStatus(t *testing.T, at *serf.Serf, want serf.MemberStatus) time.Time {
	t.Helper()
	for range 3600 {
		if statusAt(at) == want {
			return time.Now()
		}
		time.Sleep(time.Second)
	}
	t.Fatalf("within an hour it is %s, want %s", statusAt(at), want)
	return time.Time{}
}

func statusAt(at *serf.Serf) serf.MemberStatus {
	for _, m := range at.Members() {
		if m.Name == "gone" {
			return m.Status
		}
	}
	return serf.StatusNone
}
