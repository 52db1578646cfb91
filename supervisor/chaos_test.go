package supervisor

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"go.uber.org/zap"

	serverclient "github.com/actor-consul/consul/actors/serverrpc/client"
	"github.com/actor-consul/consul/cmd/consul/rpcclient"
	"github.com/actor-consul/consul/messages"
)

// When these fail, requests fail with them: all, or those to register a service.
const (
	door   = "http"
	keeper = "local"
)

// TestCrash makes each actor of the tree fail under a load, and shows that nothing
// that was acknowledged is lost. The cases are the tree itself, so that an actor
// that is new is covered.
func TestCrash(t *testing.T) {
	for _, c := range ground(t).tree() {
		t.Run(c.name, func(t *testing.T) {
			if c.policy == never {
				crashForGood(t, c.name)
			} else {
				crashAndGoOn(t, c.name)
			}
		})
	}
}

// crashAndGoOn shows that the agent lives through failures of an actor, one by one
// and at once, with nobody the wiser but those who were speaking to that actor.
func crashAndGoOn(t *testing.T, name string) {
	s := newSite(t)
	s.start()
	l := newLoad(s.at("http"))
	l.run(t, "before")
	l.progress(t)
	l.rest()
	s.probe()
	before := takeCensus()

	l.run(t, "during")
	l.progress(t)
	crashes := 0
	for _, at := range []int{1, 1, 3} {
		for range at {
			s.tell(name, &crash{"chaos"})
		}
		crashes += at
		s.awaitRestarted(name, crashes)
		l.progress(t)
	}
	l.rest()

	if name != door && len(l.failed) > 0 || name != door && name != keeper && len(l.unserviced) > 0 {
		t.Errorf("%d requests failed, although they do not need %s: %v", len(l.failed)+len(l.unserviced), name, l.complaints(5))
	}
	for other, info := range s.actors() {
		if other != name && info.Restarts != 0 {
			t.Errorf("%s was restarted %d times", other, info.Restarts)
		}
	}
	l.verify(t)
	s.probe()
	before.settle(t)

	s.stop()
	s.start()
	l.verify(t)
	s.stop()
}

// crashForGood shows that the agent ends in order when an actor fails that cannot
// be restarted, says why, and comes back with everything.
func crashForGood(t *testing.T, name string) {
	s := newSite(t)
	s.start()
	l := newLoad(s.at("http"))
	l.run(t, "before")
	l.progress(t)
	s.tell(name, &crash{"chaos"})
	s.ended()
	l.rest()

	if got, want := fmt.Sprint(s.agent.Err()), name+" cannot go on: chaos"; got != want {
		t.Errorf("the agent ended with %q, want %q", got, want)
	}
	others := slices.DeleteFunc(ground(t).tree(), func(c child) bool { return c.name == name })
	if got, want := s.story.ending(), append([]string{"lost " + name}, backwards(others)...); !slices.Equal(got, want) {
		t.Errorf("it ended  %v\nit should %v", got, want)
	}

	s.start()
	l.verify(t)
	l.run(t, "after")
	l.progress(t)
	l.rest()
	l.verify(t)
	s.probe()
	s.stop()
}

// awaitRestarted waits until an actor runs that has been restarted so many times.
func (s *site) awaitRestarted(name string, times int) {
	s.t.Helper()
	s.await(fmt.Sprintf("%s to run after %d failures", name, times), func() bool {
		info := s.actors()[name]
		return info.State == messages.ActorRunning && info.Restarts == times
	})
	if info := s.actors()[name]; info.LastFailure != "chaos" {
		s.t.Errorf("the last failure of %s is %q", name, info.LastFailure)
	}
}

// probe speaks to every door once: 8300, 8400 and 8600 here, 8500 by the load.
func (s *site) probe() {
	s.t.Helper()
	pool := serverclient.NewPool(serverclient.Config{Logger: zap.NewNop()})
	defer pool.Close()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	if err := pool.Ping(ctx, s.at("serverrpc")); err != nil {
		s.t.Errorf("port 8300: %v", err)
	}
	client, err := rpcclient.Dial(s.at("rpc"), patience)
	if err != nil {
		s.t.Fatalf("port 8400: %v", err)
	}
	defer client.Close()
	members, err := client.Members(false)
	if err != nil || len(members) != 1 || members[0].Name != s.cfg.Node.Name || members[0].Status != "alive" {
		s.t.Errorf("port 8400: members = %+v, %v", members, err)
	}
	s.probeDNS("udp")
	s.probeDNS("tcp")
}

// probeDNS asks for the address of this server. That its own catalog entry is
// written takes a moment after the start.
func (s *site) probeDNS(network string) {
	s.t.Helper()
	ask := new(dns.Msg)
	ask.SetQuestion("consul.service.consul.", dns.TypeA)
	client := &dns.Client{Net: network, Timeout: patience}
	var got string
	ok := eventually(func() bool {
		answer, _, err := client.Exchange(ask, s.at("dns"))
		got = fmt.Sprint(answer, err)
		return err == nil && len(answer.Answer) == 1 && strings.Contains(answer.Answer[0].String(), s.cfg.Node.Address)
	})
	if !ok {
		s.t.Errorf("DNS over %s: %s", network, got)
	}
}

// TestCrashWhileLeaving makes each actor fail in the middle of a leave. The agent
// ends all the same, and all of it.
func TestCrashWhileLeaving(t *testing.T) {
	for _, c := range ground(t).tree() {
		if c.policy == never {
			continue // it ends the agent
		}
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t)
			s.start()
			begun, err := s.agent.Leave(t.Context(), "test")
			if err != nil {
				t.Fatal(err)
			}
			s.tell(c.name, &crash{"chaos"})
			for range begun.Progress {
			}
			begun.Heard()
			s.ended()
			if err := s.agent.Err(); err != nil {
				t.Errorf("the agent ended with: %v", err)
			}
			if got, want := s.story.ending(), backwards(ground(t).tree()); !slices.Equal(got, want) {
				t.Errorf("it ended  %v\nit should %v", got, want)
			}
			s.nobodyListens()
		})
	}
}

// nobodyListens checks that all sockets are closed.
func (s *site) nobodyListens() {
	s.t.Helper()
	for name, addr := range s.addr {
		if conn, err := net.Dial("tcp", addr.String()); err == nil {
			conn.Close()
			s.t.Errorf("after the end, somebody listens at %s, the port of %s", addr, name)
		}
	}
}

// TestCrashKeepsWatchers shows that who waits in a blocking query through a
// restart of the actor next door goes on waiting, and is woken by the write.
func TestCrashKeepsWatchers(t *testing.T) {
	s := newSite(t)
	s.start()
	l := newLoad(s.at("http"))
	defer l.client.CloseIdleConnections()
	if body, status, err := l.do(http.MethodPut, "/v1/kv/load/watched", "old"); status != http.StatusOK {
		t.Fatal(body, err)
	}
	resp, err := l.client.Get(l.base + "/v1/kv/load/watched")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	index := resp.Header.Get("X-Consul-Index")

	woken := make(chan string, 1)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	go func() {
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, l.base+"/v1/kv/load/watched?wait=10m&index="+index, nil)
		resp, err := l.client.Do(req)
		if err != nil {
			woken <- err.Error()
			return
		}
		defer resp.Body.Close()
		woken <- resp.Header.Get("X-Consul-Index")
	}()
	for _, name := range []string{"gossip-lan", "leader", "local", "logs", "rpc"} {
		s.tell(name, &crash{"chaos"})
		s.awaitRestarted(name, 1)
	}
	select {
	case early := <-woken:
		t.Errorf("woken before the write, with %s", early)
	default:
	}
	if body, status, err := l.do(http.MethodPut, "/v1/kv/load/watched", "new"); status != http.StatusOK {
		t.Fatal(body, err)
	}
	if got := <-woken; got == index || !isNumber(got) {
		t.Errorf("woken with %q, was at %s", got, index)
	}
	s.stop()
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
