package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/miekg/dns"
)

var dnsPerf = flag.Bool("dnsperf", false, "run TestDNSPerf, which needs dnsperf")

const (
	perfRounds  = 3
	perfLasting = 4 * time.Second
	// perfWrites is how many registrations a second change the catalog beside the
	// queries, perfOwn how many of them change the service that is asked for.
	perfWrites = 1000
	perfOwn    = 50
)

// TestDNSPerf measures with dnsperf what DNS clients get, beside a bare server that
// answers the same bytes through the same library, in turns; and then how long answers
// take at half of that load, while the catalog stands still and while it changes.
// Nothing is asserted.
func TestDNSPerf(t *testing.T) {
	if !*dnsPerf {
		return
	}
	b := &benchmark{t: t}
	b.start()
	b.fill()
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "work\there\tbare\tof it\tlost\t")
	var rate float64
	for _, q := range []struct {
		what, name string
		qtype      uint16
		records    int
	}{
		{"A, 20 instances", "web.service.consul.", dns.TypeA, 20},
		{"SRV, 20 instances", "web.service.consul.", dns.TypeSRV, 20},
		{"A, a node", "node-00.node.consul.", dns.TypeA, 1},
		{"NXDOMAIN", "nope.service.consul.", dns.TypeA, 0},
	} {
		_, answer := question(t, b.agent.DNSAddr, q.name, q.qtype, q.records)
		bare, _ := startBare(t, bareAnswer{DNS: answer})
		asked := q.name + " " + dns.TypeToString[q.qtype]
		here, there := b.turns(asked, b.agent.DNSAddr, bare)
		fmt.Fprintf(w, "%s\t%s /s\t%s /s\t%.0f %%\t%d\t\n", q.what, number(here.rate), number(there.rate), 100*here.rate/there.rate, here.lost)
		rate = cmp.Or(rate, here.rate)
	}
	for _, writes := range []int{0, perfWrites} {
		b.underWay(w, "web.service.consul. A", int(rate/2), writes)
	}
	w.Flush()
	fmt.Println(out.String())
}

// turns has dnsperf ask two servers in turns, and returns the median of each.
func (b *benchmark) turns(asked, here, there string) (h, t perf) {
	var all [2][]perf
	for range perfRounds {
		for i, at := range []string{here, there} {
			all[i] = append(all[i], b.dnsperf(asked, at))
		}
	}
	for i, p := range []*perf{&h, &t} {
		slices.SortFunc(all[i], func(a, b perf) int { return cmp.Compare(a.rate, b.rate) })
		*p = all[i][perfRounds/2]
	}
	return h, t
}

// underWay measures how long answers take at so many queries a second.
func (b *benchmark) underWay(w *tabwriter.Writer, asked string, rate, writes int) {
	ctx, end := context.WithCancel(b.t.Context())
	var all sync.WaitGroup
	var registered atomic.Int64
	const clients = 50
	if writes > 0 {
		for i := range clients {
			all.Go(func() { registered.Add(b.churn(ctx, i, writes/clients, perfOwn/clients)) })
		}
	}
	got := b.dnsperf(asked, b.agent.DNSAddr, "-Q", fmt.Sprint(rate), "-v")
	end()
	all.Wait()
	slices.Sort(got.took)
	if len(got.took) == 0 {
		b.t.Fatal("dnsperf has told of no answer")
	}
	fmt.Fprintf(w, "%s at half load, %s /s\t%.0f registrations/s\tp50 %v\tp99 %v\t%d\t\n", asked, number(got.rate),
		float64(registered.Load())/perfLasting.Seconds(), got.took[len(got.took)/2], got.took[len(got.took)*99/100], got.lost)
}

// churn registers nodes with services at so many a second until ctx ends, of which
// some change whether an instance of the service that is asked for is there.
func (b *benchmark) churn(ctx context.Context, who, perSecond, own int) (n int64) {
	client := b.agent.Client().Catalog()
	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	defer tick.Stop()
	for ; ; n++ {
		select {
		case <-ctx.Done():
			return n
		case <-tick.C:
		}
		reg := &api.CatalogRegistration{Node: fmt.Sprintf("churn-%d-%d", who, n), Address: "10.4.0.1", Service: &api.AgentService{Service: "churn", Port: 80}}
		if n%int64(perSecond/own) == 0 {
			reg = &api.CatalogRegistration{Node: "node-00", Address: "10.1.0.1", SkipNodeUpdate: true,
				Service: &api.AgentService{ID: "web-node-00", Service: "web", Port: 8000 + int(n%1000)}}
		}
		if _, err := client.Register(reg, nil); err != nil && ctx.Err() == nil {
			b.t.Error(err)
			return n
		}
	}
}

// perf is what dnsperf has found.
type perf struct {
	rate float64 // queries a second
	lost int
	took []time.Duration // of each query, with -v
}

var (
	perfRate = regexp.MustCompile(`Queries per second:\s+([0-9.]+)`)
	perfLost = regexp.MustCompile(`Queries lost:\s+(\d+)`)
	perfTook = regexp.MustCompile(`(?m)^> \S+ \S+ \S+ ([0-9.]+)$`)
)

// dnsperf asks a server the same question all the time.
func (b *benchmark) dnsperf(asked, at string, more ...string) perf {
	b.t.Helper()
	file := filepath.Join(b.t.TempDir(), "questions")
	if err := os.WriteFile(file, []byte(asked+"\n"), 0o600); err != nil {
		b.t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(at)
	if err != nil {
		b.t.Fatal(err)
	}
	args := []string{"-s", host, "-p", port, "-d", file, "-l", fmt.Sprint(perfLasting.Seconds()), "-c", "8", "-T", "1", "-e"}
	text, err := exec.Command("dnsperf", append(args, more...)...).CombinedOutput()
	rate := perfRate.FindSubmatch(text)
	lost := perfLost.FindSubmatch(text)
	if err != nil || rate == nil || lost == nil {
		b.t.Fatalf("dnsperf: %v\n%.2000s", err, text)
	}
	var p perf
	p.rate, _ = strconv.ParseFloat(string(rate[1]), 64)
	p.lost, _ = strconv.Atoi(string(lost[1]))
	for _, m := range perfTook.FindAllSubmatch(text, -1) {
		seconds, _ := strconv.ParseFloat(string(m[1]), 64)
		p.took = append(p.took, time.Duration(seconds*float64(time.Second)).Round(10*time.Microsecond))
	}
	return p
}
