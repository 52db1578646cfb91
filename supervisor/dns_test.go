package supervisor

import (
	"errors"
	"flag"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/actor-consul/consul/messages"
)

var dnsCrashes = flag.Int("dns-crashes", 3, "how often TestDNSCrashes makes the dns actor fail")

// queriesACrash is how many queries there are at least for each failure, so that a
// hundred thousand are asked in the thirty of make chaos.
const queriesACrash = 3400

// TestDNSCrashes asks without a pause while the dns actor fails once a second. Who
// asks a second time after a moment, as resolvers do, has an answer.
func TestDNSCrashes(t *testing.T) {
	s := newSite(t)
	s.start()
	defer s.stop()
	s.await("the agent to know itself", func() bool { return knows(s.at("dns")) == nil })
	var asked, answered, again, failed atomic.Int64
	var first atomic.Pointer[error]
	stop := make(chan struct{})
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				asked.Add(1)
				err := knows(s.at("dns"))
				if err != nil {
					again.Add(1)
					<-time.After(resolverRetry)
					err = knows(s.at("dns"))
				}
				if err == nil {
					answered.Add(1)
					continue
				}
				failed.Add(1)
				first.CompareAndSwap(nil, &err)
			}
		})
	}
	for n := range *dnsCrashes {
		<-time.After(time.Second)
		s.tell("dns", &crash{"chaos"})
		s.await("dns to be back", func() bool {
			info := s.actors()["dns"]
			return info.Restarts == n+1 && info.State == messages.ActorRunning
		})
	}
	for asked.Load() < queriesACrash*int64(*dnsCrashes) { // on a machine that is slow
		<-time.After(resolverRetry)
	}
	close(stop)
	all.Wait()
	t.Logf("%d failures of the actor, %d queries, %d of them asked twice", *dnsCrashes, asked.Load(), again.Load())
	if crashes := s.actors()["dns"].Restarts; crashes != *dnsCrashes || answered.Load() != asked.Load()-failed.Load() {
		t.Errorf("the actor has failed %d times, want %d; %d of %d queries are answered, %d are not", crashes, *dnsCrashes, answered.Load(), asked.Load(), failed.Load())
	}
	if failed.Load() > 0 {
		t.Errorf("%d queries failed twice: %v", failed.Load(), *first.Load())
	}
}

// resolverRetry is when a resolver asks again: the shortest that is common.
const resolverRetry = 400 * time.Millisecond

// knows asks for the node of the agent.
func knows(at string) error {
	c := dns.Client{Timeout: resolverRetry}
	m, _, err := c.Exchange(new(dns.Msg).SetQuestion("site.node.consul.", dns.TypeA), at)
	if err == nil && len(m.Answer) != 1 {
		err = errors.New(dns.RcodeToString[m.Rcode])
	}
	return err
}
