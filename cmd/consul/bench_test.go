package main

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/miekg/dns"

	"github.com/actor-consul/consul/cmd/consul/agenttest"
)

var (
	bench        = flag.Bool("bench", false, "let TestBench measure")
	benchBinary  = flag.String("bench-binary", "../../bin/consul", "the program that it measures")
	benchProfile = flag.String("bench-profile", "", "directory for profiles of the agent: of the CPU for each figure, and of the heap")
)

// TestBench measures a server of its own: how soon it leads, what it weighs, and
// how much it answers, beside a bare server that answers the same bytes, or beside
// the disk. Load and server are two processes on one machine, as in the figures of
// Consul that are printed beside ours. Nothing is asserted; docs/BENCH.md says how
// to read it.
func TestBench(t *testing.T) {
	if !*bench {
		return // it takes a minute, and measures nothing on a machine that is busy
	}
	b := &benchmark{t: t}
	b.start()
	b.fill()
	b.reads()
	b.writes()
	b.add(figure{work: "memory after this load", unit: "MiB", here: b.memory(), consul: 220, aim: "80 MiB"})
	if *benchProfile != "" {
		b.keep("heap", "heap")
	}
	fmt.Println(b.table())
}

// figure is one line of the table.
type figure struct {
	work, unit    string
	here, ceiling float64 // no ceiling: 0
	cost, least   float64 // CPU time of the server for each, in µs: ours, and at the ceiling
	consul, there float64 // Consul 1.19.2 on another machine, and the ceiling there; 0: not measured
	aim           string
}

// benchmark is an agent under measurement.
type benchmark struct {
	t       *testing.T
	agent   *agenttest.Agent
	figures []figure
}

func (b *benchmark) add(f figure) {
	b.figures = append(b.figures, f)
	b.t.Logf("%-40s %10.1f %s", f.work, f.here, f.unit)
}

// start measures the program and its start, and leaves an agent that leads.
func (b *benchmark) start() {
	binary, err := filepath.Abs(*benchBinary)
	if err != nil {
		b.t.Fatal(err)
	}
	size, err := os.Stat(binary)
	if err != nil {
		b.t.Fatalf("%v; make build makes it", err)
	}
	opts := agenttest.Options{Name: "bench", Binary: binary, Args: agenttest.Bootstrap("-log-level", "warn", "-hcl", "enable_debug = true")}
	var took []time.Duration
	for range 5 {
		if b.agent != nil {
			b.agent.Kill()
		}
		began := time.Now()
		b.agent = agenttest.Launch(b.t, opts)
		b.awaitLeader()
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.add(figure{work: "start to leader", unit: "ms", here: float64(took[len(took)/2].Microseconds()) / 1000, consul: 1470, aim: "300 ms"})
	<-time.After(2 * time.Second) // until what a start leaves is collected
	b.add(figure{work: "memory, idle", unit: "MiB", here: b.memory(), consul: 114, aim: "40 MiB"})
	b.add(figure{work: "binary, stripped", unit: "MB", here: float64(size.Size()) / 1e6, consul: 183, aim: "30 MB"})
}

// awaitLeader asks without a pause: a pause would be part of the figure.
func (b *benchmark) awaitLeader() {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for deadline := time.Now().Add(agenttest.Patience); time.Now().Before(deadline); <-time.After(time.Millisecond) {
		resp, err := client.Get("http://" + b.agent.HTTPAddr + "/v1/status/leader")
		if err != nil {
			continue
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK && len(body) > len(`""`) {
			return
		}
	}
	b.t.Fatalf("no leader: %s", b.agent.Output())
}

// memory returns the resident memory of the agent in MiB; 0 where the system does
// not tell.
func (b *benchmark) memory() float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", b.agent.Pid()))
	if err != nil {
		return 0
	}
	var kib float64
	for line := range strings.Lines(string(status)) {
		fmt.Sscanf(line, "VmRSS: %f kB", &kib)
	}
	return kib / 1024
}

// fill registers a service with 20 instances and some more, and writes keys.
func (b *benchmark) fill() {
	client := b.agent.Client()
	for i := range 20 {
		node := fmt.Sprintf("node-%02d", i)
		_, err := client.Catalog().Register(&api.CatalogRegistration{
			Node: node, Address: fmt.Sprintf("10.1.0.%d", i+1),
			Service: &api.AgentService{ID: "web-" + node, Service: "web", Tags: []string{"v1", "primary"}, Port: 8000 + i},
			Checks: api.HealthChecks{
				{Node: node, CheckID: "service:web", Name: "Service 'web' check", Status: "passing", ServiceID: "web-" + node, Output: "HTTP GET http://localhost:8080/health: 200 OK"},
			},
		}, nil)
		if err != nil {
			b.t.Fatal(err)
		}
	}
	for i := range 30 {
		_, err := client.Catalog().Register(&api.CatalogRegistration{
			Node: "node-00", Address: "10.1.0.1", SkipNodeUpdate: true,
			Service: &api.AgentService{Service: fmt.Sprintf("service-%02d", i), Tags: []string{"a", "b"}, Port: 9000 + i},
		}, nil)
		if err != nil {
			b.t.Fatal(err)
		}
	}
	if _, err := client.KV().Put(&api.KVPair{Key: "bench/key", Value: []byte(strings.Repeat("v", 100))}, nil); err != nil {
		b.t.Fatal(err)
	}
}

func (b *benchmark) reads() {
	for _, q := range []struct {
		work, name string
		qtype      uint16
		records    int
		consul     float64
		there      float64
		aim        string
	}{
		{"DNS A, 20 instances", "web.service.consul.", dns.TypeA, 20, 6300, 54000, "5x"},
		{"DNS SRV, 20 instances", "web.service.consul.", dns.TypeSRV, 20, 5300, 54000, "5x"},
		{"DNS A, one node", "node-07.node.consul.", dns.TypeA, 1, 15000, 60000, "3x"},
	} {
		packet, answer := question(b.t, b.agent.DNSAddr, q.name, q.qtype, q.records)
		bare, pid := startBare(b.t, bareAnswer{DNS: answer})
		b.compare(figure{work: q.work, consul: q.consul, there: q.there, aim: q.aim},
			func() pace { return drive(b.t, b.agent.Pid(), benchReaders, overDNS(b.t, b.agent.DNSAddr, packet)) },
			func() pace { return drive(b.t, pid, benchReaders, overDNS(b.t, bare, packet)) })
	}
	for _, q := range []struct {
		work, path string
		consul     float64
		there      float64
		aim        string
	}{
		{"HTTP health/service, 20 instances", "/v1/health/service/web?passing", 4900, 44000, "6x"},
		{"HTTP catalog/services", "/v1/catalog/services", 5200, 0, "6x"},
		{"KV GET", "/v1/kv/bench/key", 25000, 74000, "2x"},
	} {
		answer := answerOf(b.t, "http://"+b.agent.HTTPAddr+q.path)
		bare, pid := startBare(b.t, answer)
		work := q.work
		if len(answer.Body) > 1000 {
			work += fmt.Sprintf(" (%d KB)", len(answer.Body)/1000)
		}
		b.compare(figure{work: work, consul: q.consul, there: q.there, aim: q.aim},
			func() pace {
				return drive(b.t, b.agent.Pid(), benchReaders, overHTTP(b.t, b.agent.HTTPAddr, getting(q.path)))
			},
			func() pace { return drive(b.t, pid, benchReaders, overHTTP(b.t, bare, getting(q.path))) })
	}
}

func (b *benchmark) writes() {
	const syncsThere = 11800 // a second, of the disk that Consul had
	disk := syncs(b.t, b.agent.DataDir)
	value := strings.Repeat("v", 100)
	turn := 0 // each writes new keys
	putKeys := func(clients int) func() pace {
		return func() pace {
			turn++
			path := func(client, n int) string { return fmt.Sprintf("/v1/kv/bench/%d/%d/%d", turn, client, n) }
			return drive(b.t, b.agent.Pid(), clients, overHTTP(b.t, b.agent.HTTPAddr, putting(path, func(int, int) string { return value })))
		}
	}
	b.compare(figure{work: "KV PUT, 1 client (ceiling: fsync)", consul: 2300, there: syncsThere, aim: "2x"}, putKeys(1), disk)
	b.compare(figure{work: "KV PUT, 64 clients (ceiling: fsync)", consul: 8800, there: syncsThere, aim: "3x"}, putKeys(64), disk)
	register := func() pace {
		turn++
		return drive(b.t, b.agent.Pid(), 16, overHTTP(b.t, b.agent.HTTPAddr, putting(
			func(int, int) string { return "/v1/catalog/register" },
			func(client, n int) string {
				return fmt.Sprintf(`{"Node":"r-%d-%d-%d","Address":"10.2.3.4","Service":{"Service":"bulk","Port":80},"Check":{"CheckID":"service:bulk","Name":"c","Status":"passing","ServiceID":"bulk"}}`, turn, client, n)
			})))
	}
	b.compare(figure{work: "catalog/register, 16 clients (ceiling: fsync)", consul: 730, there: syncsThere, aim: "10x"}, register, disk)
}

// compare measures the agent and its ceiling in turns.
func (b *benchmark) compare(f figure, here, ceiling func() pace) {
	b.t.Helper()
	stop := b.profile(f.work)
	got := median(here, ceiling)
	stop()
	f.unit, f.here, f.ceiling, f.cost, f.least = "/s", got[0].rate, got[1].rate, got[0].cost, got[1].cost
	b.add(f)
}

// profile keeps a CPU profile of the agent until the function it returns is called.
func (b *benchmark) profile(work string) (stop func()) {
	if *benchProfile == "" {
		return func() {}
	}
	name := strings.Map(func(r rune) rune {
		if strings.ContainsRune(" ,/():", r) {
			return '-'
		}
		return r
	}, work)
	var done sync.WaitGroup
	seconds := int(benchRounds * 2 * (benchFor + benchWarmUp) / time.Second)
	done.Go(func() { b.keep(fmt.Sprintf("profile?seconds=%d", seconds), name) })
	return done.Wait
}

// keep writes a profile of the agent to a file.
func (b *benchmark) keep(profile, name string) {
	resp, err := http.Get("http://" + b.agent.HTTPAddr + "/debug/pprof/" + profile)
	if err != nil {
		b.t.Error(err)
		return
	}
	defer resp.Body.Close()
	f, err := os.Create(filepath.Join(*benchProfile, name+".pprof"))
	if err != nil {
		b.t.Error(err)
		return
	}
	defer f.Close()
	io.Copy(f, resp.Body) //nolint:errcheck // a profile that is cut says so
}

// table returns the figures, with what they are compared with.
func (b *benchmark) table() string {
	var out strings.Builder
	fmt.Fprintf(&out, "\n%d CPUs, %s; load and server share them. Each figure is the median of %d runs of %v.\nCPU is the server's time for each piece of work: of the agent, and of the bare server.\nConsul 1.19.2 was measured on another machine with 2 CPUs. What can be compared is how near each came to\nthe ceiling of its machine: that is the last ratio.\n\n",
		runtime.NumCPU(), runtime.Version(), benchRounds, benchFor)
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "work\there\tceiling\tof it\tCPU\tceiling\tConsul\tratio\tby ceiling\taim\t")
	for _, f := range b.figures {
		ceiling, share, cost, least, fair := "", "", "", "", ""
		if f.ceiling > 0 {
			ceiling, share = number(f.ceiling)+" /s", fmt.Sprintf("%.0f %%", 100*f.here/f.ceiling)
		}
		if f.there > 0 {
			fair = fmt.Sprintf("%.2fx", f.here/f.ceiling/(f.consul/f.there))
		}
		if f.cost > 0 {
			cost = fmt.Sprintf("%.0f µs", f.cost)
		}
		if f.least > 0 {
			least = fmt.Sprintf("%.0f µs", f.least)
		}
		fmt.Fprintf(w, "%s\t%s %s\t%s\t%s\t%s\t%s\t%s\t%.2fx\t%s\t%s\t\n",
			f.work, number(f.here), f.unit, ceiling, share, cost, least, number(f.consul), f.here/f.consul, fair, f.aim)
	}
	w.Flush()
	return out.String()
}

func number(x float64) string {
	switch {
	case x >= 10000:
		return fmt.Sprintf("%.1fk", x/1000)
	case x >= 100:
		return fmt.Sprintf("%.0f", x)
	default:
		return fmt.Sprintf("%.1f", x)
	}
}
