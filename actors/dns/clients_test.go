package dns

import (
	"net"
	"testing"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/actor-consul/consul/messages"
)

// TestRecursesFor wants names outside of the zone resolved for those who are near, and
// for others only if that is wanted.
func TestRecursesFor(t *testing.T) {
	count := counters(t)
	core, logged := observer.New(zap.WarnLevel)
	o := newOther(t, knows("192.0.2.1"))
	for _, tc := range []struct {
		client string
		all    bool
		want   int
	}{
		{"127.0.0.1", false, dns.RcodeSuccess},
		{"10.1.2.3", false, dns.RcodeSuccess},
		{"172.16.0.1", false, dns.RcodeSuccess},
		{"192.168.1.1", false, dns.RcodeSuccess},
		{"100.64.0.1", false, dns.RcodeSuccess},
		{"169.254.1.1", false, dns.RcodeSuccess},
		{"::1", false, dns.RcodeSuccess},
		{"fd00::1", false, dns.RcodeSuccess},
		{"fe80::1", false, dns.RcodeSuccess},
		{"203.0.113.77", false, dns.RcodeSuccess}, // our own network
		{"203.0.114.1", false, dns.RcodeRefused},
		{"2001:db8::1", false, dns.RcodeRefused},
		{"2001:db8::1", true, dns.RcodeSuccess},
	} {
		s := newStage(t, func(cfg *Config) {
			cfg.Logger, cfg.Limits = zap.New(core), DefaultLimits()
			cfg.DNS.Recursors, cfg.DNS.RecurseForAll = []string{o.at}, tc.all
		}).put(t, population()...)
		h := s.handler(t)
		h.near.read = func() ([]net.Addr, error) {
			return []net.Addr{&net.IPNet{IP: net.IPv4(203, 0, 113, 9), Mask: net.CIDRMask(24, 32)}}, nil
		}
		before := count("dns.recursion_refused")
		for _, name := range []string{"example.com.", "9.9.9.9.in-addr.arpa."} {
			w := &written{from: &net.UDPAddr{IP: net.ParseIP(tc.client), Port: 53}}
			h.ServeDNS(w, question4096(name, "A"))
			if got := int(w.raw[3] & 0xF); got != tc.want {
				t.Errorf("%s of %s: %s, want %s", name, tc.client, dns.RcodeToString[got], dns.RcodeToString[tc.want])
			}
		}
		w := &written{from: &net.UDPAddr{IP: net.ParseIP(tc.client), Port: 53}}
		if h.ServeDNS(w, question4096("ext.node.consul.", "A")); w.raw[7] != 1 {
			t.Errorf("the zone is not for %s", tc.client)
		}
		if n := count("dns.recursion_refused") - before; (n == 2) != (tc.want == dns.RcodeRefused) {
			t.Errorf("%d queries of %s are counted as refused", n, tc.client)
		}
	}
	if n := logged.FilterMessageSnippet("on no private network").Len(); n != 2 { // one for each listener
		t.Errorf("%d lines say that somebody is refused, want 2", n)
	}
}

// TestNetworks wants the networks of the machine looked at again, but not each time.
func TestNetworks(t *testing.T) {
	var mine []net.Addr
	reads := 0
	n := networks{read: func() ([]net.Addr, error) { reads++; return mine, nil }}
	now, addr := time.Unix(1000, 0), mustAddr("203.0.113.1")
	if n.contain(addr, now) || n.contain(addr, now.Add(time.Second)) || reads != 1 {
		t.Errorf("looked %d times", reads)
	}
	mine = []net.Addr{&net.IPNet{IP: net.IPv4(203, 0, 113, 9), Mask: net.CIDRMask(24, 32)}}
	if !n.contain(addr, now.Add(networksEvery+1)) || reads != 2 {
		t.Errorf("a new network is not seen; looked %d times", reads)
	}
}

// TestWarnOfAll wants an open resolver told, at the start and after a reload, and
// nothing else.
func TestWarnOfAll(t *testing.T) {
	for _, tc := range []struct {
		name, addr string
		all        bool
		recursors  []string
		want       int
	}{
		{"open", "0.0.0.0:0", true, []string{"192.0.2.1:53"}, 2},
		{"only_near", "0.0.0.0:0", false, []string{"192.0.2.1:53"}, 0},
		{"loopback", "127.0.0.1:0", true, []string{"192.0.2.1:53"}, 0},
		{"no_recursors", "0.0.0.0:0", true, nil, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			core, logged := observer.New(zap.WarnLevel)
			s := newStage(t, func(cfg *Config) {
				cfg.Logger, cfg.Addrs = zap.New(core), []string{tc.addr}
				cfg.DNS.Recursors, cfg.DNS.RecurseForAll = tc.recursors, tc.all
			}).open(t)
			s.addr.Tell(&messages.Reconfigure{DNS: s.cfg.DNS})
			s.sync(t)
			if n := logged.FilterMessageSnippet("whoever reaches the DNS port").Len(); n != tc.want {
				t.Errorf("told %d times, want %d", n, tc.want)
			}
		})
	}
}
