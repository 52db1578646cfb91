package gossip

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/serf/serf"

	"github.com/actor-consul/consul/messages"
)

func TestMemberlistConfig(t *testing.T) {
	tests := []struct {
		name   string
		cfg    Config
		gossip time.Duration
		probe  time.Duration
	}{
		{"lan", Config{Pool: messages.LAN}, 200 * time.Millisecond, time.Second},
		{"wan", Config{Pool: messages.WAN}, 500 * time.Millisecond, 5 * time.Second},
		{"local", Config{Pool: messages.LAN, Profile: ProfileLocal}, 100 * time.Millisecond, time.Second},
		{"tuned", Config{Pool: messages.LAN, Gossip: messages.GossipConfig{GossipInterval: time.Minute}}, time.Minute, time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := memberlistConfig(tt.cfg.withDefaults(), nil, nil, nil)
			if c.GossipInterval != tt.gossip || c.ProbeInterval != tt.probe {
				t.Errorf("gossips every %s and probes every %s, want %s and %s", c.GossipInterval, c.ProbeInterval, tt.gossip, tt.probe)
			}
		})
	}
}

// TestSettingsAreConsuls compares what memberlist and Serf are told, where nothing is
// configured, with what Consul 1.16 tells them.
func TestSettingsAreConsuls(t *testing.T) {
	type timings struct {
		gossip, probe, timeout, pushPull, toTheDead, tcp, reclaim time.Duration
		nodes, retransmit, suspicion, suspicionMax, awareness     int
	}
	for pool, want := range map[messages.Pool]timings{
		messages.LAN: {200 * time.Millisecond, time.Second, 500 * time.Millisecond, 30 * time.Second, 30 * time.Second, 10 * time.Second, 30 * time.Second, 3, 4, 4, 6, 8},
		messages.WAN: {500 * time.Millisecond, 5 * time.Second, 3 * time.Second, time.Minute, time.Minute, 30 * time.Second, 30 * time.Second, 3, 4, 6, 6, 8},
	} {
		cfg := Config{Pool: pool, NodeName: "a"}.withDefaults()
		m := memberlistConfig(cfg, nil, nil, nil)
		if got := (timings{
			m.GossipInterval, m.ProbeInterval, m.ProbeTimeout, m.PushPullInterval, m.GossipToTheDeadTime, m.TCPTimeout, m.DeadNodeReclaimTime,
			m.GossipNodes, m.RetransmitMult, m.SuspicionMult, m.SuspicionMaxTimeoutMult, m.AwarenessMaxMultiplier,
		}); got != want {
			t.Errorf("%s: memberlist has %+v, want %+v", pool, got, want)
		}
		s := serfConfig(cfg, nil, nil, nil)
		for what, d := range map[string][2]time.Duration{
			"reconnect_timeout":  {s.ReconnectTimeout, 72 * time.Hour},
			"reconnect_interval": {s.ReconnectInterval, 30 * time.Second},
			"tombstone_timeout":  {s.TombstoneTimeout, 24 * time.Hour},
			"reap_interval":      {s.ReapInterval, 15 * time.Second},
			"flap_timeout":       {s.FlapTimeout, time.Minute},
			"recent_intents":     {s.RecentIntentTimeout, 5 * time.Minute},
		} {
			if d[0] != d[1] {
				t.Errorf("%s: %s is %s, want %s", pool, what, d[0], d[1])
			}
		}
	}
}

func TestAllowedCIDRs(t *testing.T) {
	cfg := Config{Pool: messages.LAN, AllowedCIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}}
	c := memberlistConfig(cfg.withDefaults(), nil, nil, nil)
	for ip, allowed := range map[string]bool{"10.1.2.3": true, "fd00::1": true, "192.168.0.1": false, "fe80::1": false} {
		if err := c.IPAllowed(net.ParseIP(ip)); (err == nil) != allowed {
			t.Errorf("%s: %v, want allowed: %t", ip, err, allowed)
		}
	}
}

func TestReconnectByTag(t *testing.T) {
	for tag, want := range map[string]time.Duration{"": time.Hour, "10s": 10 * time.Second, "soon": time.Hour, "-1s": time.Hour} {
		m := &serf.Member{Tags: map[string]string{reconnectTag: tag}}
		if got := (reconnectByTag{}).ReconnectTimeout(m, time.Hour); got != want {
			t.Errorf("tag %q: forgotten after %s, want %s", tag, got, want)
		}
	}
}

func TestListenError(t *testing.T) {
	cfg := Config{Pool: messages.LAN, Bind: netip.MustParseAddrPort("[::1]:80")}
	tests := []struct {
		name string
		err  error
		want string
		busy bool
	}{
		{"in_use", syscall.EADDRINUSE, "listen on [::1]:80: address already in use; is another agent", true},
		{"not_allowed", syscall.EACCES, "listen on [::1]:80: permission denied; choose a port above 1023 with ports.serf_lan", false},
		{"other", syscall.EMFILE, "listen on [::1]:80: too many open files", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := listenError(cfg, 80, tt.err)
			if !strings.Contains(err.Error(), tt.want) || errors.Is(err, errBusy) != tt.busy {
				t.Errorf("err = %v, want %s", err, tt.want)
			}
		})
	}
}

// TestRefuse has an outcome meet nobody, or a panic: whoever has asked is told.
func TestRefuse(t *testing.T) {
	event, join := &messages.FireUserEvent{}, &messages.JoinPool{}
	fired, reached := event.Expect(), join.Expect()
	(&outcome[messages.Unit]{req: event}).Refuse(messages.ErrCrashed)
	(&joined{req: join}).Refuse(messages.ErrUnavailable)
	(&joined{why: startJoin}).Refuse(messages.ErrUnavailable) // nobody has asked
	if r := <-fired; !errors.Is(r.Err, messages.ErrCrashed) {
		t.Errorf("the event was answered with %v", r.Err)
	}
	if r := <-reached; !errors.Is(r.Err, messages.ErrUnavailable) {
		t.Errorf("the join was answered with %v", r.Err)
	}
}
