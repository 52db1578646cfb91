package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/miekg/dns"
)

// manyInstances is a service that fits in no datagram.
const manyInstances = 5000

// TestBenchDNS measures what TestBench has no column for: names that do not exist,
// a service of thousands of instances, and how long clients wait while the catalog
// changes. Nothing is asserted.
func TestBenchDNS(t *testing.T) {
	if !*bench {
		return
	}
	b := &benchmark{t: t}
	b.start()
	b.fill()
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	b.noSuchName(w)
	b.thousands(w)
	b.whileItChanges(w)
	w.Flush()
	fmt.Println(out.String())
}

// noSuchName compares NXDOMAIN with a bare server that says the same.
func (b *benchmark) noSuchName(w *tabwriter.Writer) {
	q := new(dns.Msg).SetQuestion("nope.service.consul.", dns.TypeA).SetEdns0(4096, false)
	packet, answer := exchanged(b.t, "udp", b.agent.DNSAddr, q)
	bare, pid := startBare(b.t, bareAnswer{DNS: answer})
	got := median(
		func() pace { return drive(b.t, b.agent.Pid(), benchReaders, over(b.t, "udp", b.agent.DNSAddr, packet)) },
		func() pace { return drive(b.t, pid, benchReaders, over(b.t, "udp", bare, packet)) })
	fmt.Fprintf(w, "NXDOMAIN\t%s /s\tbare server %s /s\t%.0f %%\tCPU %.0f µs, %.0f µs\n",
		number(got[0].rate), number(got[1].rate), 100*got[0].rate/got[1].rate, got[0].cost, got[1].cost)
}

// thousands measures a service of many instances, over both protocols.
func (b *benchmark) thousands(w *tabwriter.Writer) {
	client := b.agent.Client()
	before := b.memory()
	for i := range manyInstances {
		reg := &api.CatalogRegistration{
			Node: fmt.Sprintf("crowd-%04d", i), Address: fmt.Sprintf("10.3.%d.%d", i/250, i%250+1),
			Service: &api.AgentService{Service: "crowd", Port: 8000},
		}
		if _, err := client.Catalog().Register(reg, nil); err != nil {
			b.t.Fatal(err)
		}
	}
	filled := b.memory()
	for _, tc := range []struct {
		network string
		edns    uint16
		qtype   uint16
	}{{"udp", 1232, dns.TypeA}, {"udp", 1232, dns.TypeSRV}, {"tcp", 0, dns.TypeA}, {"tcp", 0, dns.TypeSRV}} {
		q := new(dns.Msg).SetQuestion("crowd.service.consul.", tc.qtype)
		if tc.edns > 0 {
			q.SetEdns0(tc.edns, false)
		}
		packet, answer := exchanged(b.t, tc.network, b.agent.DNSAddr, q)
		m := new(dns.Msg)
		if err := m.Unpack(answer); err != nil {
			b.t.Fatal(err)
		}
		got := median(func() pace {
			return drive(b.t, b.agent.Pid(), 8, over(b.t, tc.network, b.agent.DNSAddr, packet))
		})
		fmt.Fprintf(w, "%s of %d, %s\t%s /s\t%d of them in %d bytes\ttc %t\tCPU %.0f µs\n",
			dns.TypeToString[tc.qtype], manyInstances, tc.network, number(got[0].rate), len(m.Answer), len(answer), m.Truncated, got[0].cost)
	}
	fmt.Fprintf(w, "memory\t%.0f MiB\twith them %.0f MiB\tafter the queries %.0f MiB\t\n", before, filled, b.memory())
}

// whileItChanges asks at half of what the agent can do, and registers beside it.
func (b *benchmark) whileItChanges(w *tabwriter.Writer) {
	const clients, perSecond, lasting = 8, 1000, 4 * time.Second
	packet, _ := question(b.t, b.agent.DNSAddr, "web.service.consul.", dns.TypeA, 20)
	full := median(func() pace { return drive(b.t, b.agent.Pid(), clients, overDNS(b.t, b.agent.DNSAddr, packet)) })[0].rate
	for _, writes := range []bool{false, true} {
		ctx, end := context.WithTimeout(b.t.Context(), lasting)
		var all sync.WaitGroup
		var registered atomic.Int64
		if writes {
			for i := range clients {
				all.Go(func() { registered.Add(b.register(ctx, i, perSecond/clients)) })
			}
		}
		waited := make([][]time.Duration, clients)
		for i := range clients {
			connect := overDNS(b.t, b.agent.DNSAddr, packet)
			all.Go(func() { waited[i] = paced(ctx, connect, full/2/clients) })
		}
		all.Wait()
		end()
		took := slices.Sorted(slices.Values(slices.Concat(waited...)))
		fmt.Fprintf(w, "A of 20 at half load\t%s /s\t%s registrations/s beside\tp50 %v\tp99 %v\n",
			number(float64(len(took))/lasting.Seconds()), number(float64(registered.Load())/lasting.Seconds()), took[len(took)/2], took[len(took)*99/100])
	}
}

// register registers new nodes at so many a second until ctx ends, and says how
// many.
func (b *benchmark) register(ctx context.Context, who, perSecond int) (n int64) {
	client := b.agent.Client()
	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return n
		case <-tick.C:
		}
		reg := &api.CatalogRegistration{Node: fmt.Sprintf("churn-%d-%d", who, n), Address: "10.4.0.1", Service: &api.AgentService{Service: "churn", Port: 80}}
		if _, err := client.Catalog().Register(reg, nil); err != nil {
			b.t.Error(err)
			return n
		}
		n++
	}
}

// paced works at so many a second until ctx ends, and returns how long each took
// from when it was due: what waits for a slow one has waited.
func paced(ctx context.Context, connect func(int) (op, func()), perSecond float64) (took []time.Duration) {
	work, end := connect(0)
	defer end()
	began := time.Now()
	for n := 0; ctx.Err() == nil; n++ {
		due := began.Add(time.Duration(float64(n) / perSecond * float64(time.Second)))
		if wait := time.Until(due); wait > 0 {
			<-time.After(wait)
		}
		if work() != nil {
			return took
		}
		took = append(took, time.Since(due))
	}
	return took
}

// exchanged returns the packets of a question and its answer.
func exchanged(t *testing.T, network, addr string, q *dns.Msg) (packet, answer []byte) {
	t.Helper()
	got, _, err := (&dns.Client{Net: network, UDPSize: 4096, Timeout: 10 * time.Second}).Exchange(q, addr)
	if err != nil {
		t.Fatal(err)
	}
	got.Compress = true
	if packet, err = q.Pack(); err != nil {
		t.Fatal(err)
	}
	if answer, err = got.Pack(); err != nil {
		t.Fatal(err)
	}
	return packet, answer
}

// over returns clients that ask over a connection of their own and take any answer.
func over(t *testing.T, network, addr string, packet []byte) func(int) (op, func()) {
	return func(int) (op, func()) {
		c, err := net.Dial(network, addr)
		if err != nil {
			t.Fatal(err)
		}
		conn := &dns.Conn{Conn: c, UDPSize: 4096}
		conn.SetDeadline(time.Now().Add(30 * time.Second)) //nolint:errcheck // it has one
		buf := make([]byte, dns.MaxMsgSize)
		return func() error {
			if _, err := conn.Write(packet); err != nil {
				return err
			}
			n, err := conn.Read(buf)
			if err == nil && n < 12 {
				err = errors.New("the answer is no packet")
			}
			return err
		}, func() { conn.Close() }
	}
}
