package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/miekg/dns"

	"github.com/actor-consul/consul/cmd/consul/agenttest"
)

// manyNodes is how many nodes there are when a server is killed: reading the log takes
// it a while then.
const manyNodes = 2000

// TestReplay kills a server that has a long log, and asks it for the newest entry from
// the first moment of its next start on. While it still reads its log it may refuse to
// answer; it must not say that there is no such thing.
func TestReplay(t *testing.T) {
	t.Parallel()
	a := agenttest.Start(t, agenttest.Options{Name: "replay", Args: agenttest.Bootstrap("-log-level", "warn")})
	a.AwaitLeader()
	registerNodes(t, a, manyNodes)
	newest := fmt.Sprintf("n%d", manyNodes-1)
	a.Kill()

	var asking sync.WaitGroup
	client := a.HTTPClient()
	for how, ask := range map[string]func() (verdict, string){
		"DNS":  func() (verdict, string) { return askDNS(a, newest) },
		"HTTP": func() (verdict, string) { return askStale(client, a, newest) },
	} {
		asking.Go(func() {
			for end := time.Now().Add(agenttest.Patience); time.Now().Before(end); {
				switch v, said := ask(); v {
				case known:
					return
				case denied:
					t.Errorf("%s says of %s: %s", how, newest, said)
					return
				}
			}
			t.Errorf("%s does not know %s again", how, newest)
		})
	}
	a.Restart()
	asking.Wait()
}

// verdict is what an agent says of a node.
type verdict int

const (
	unanswered verdict = iota
	known
	denied
)

func askDNS(a *agenttest.Agent, node string) (verdict, string) {
	m, err := dns.Exchange(new(dns.Msg).SetQuestion(node+".node.consul.", dns.TypeA), a.DNSAddr)
	switch {
	case err != nil, m.Rcode == dns.RcodeServerFailure:
		return unanswered, ""
	case len(m.Answer) > 0:
		return known, ""
	default:
		return denied, m.String()
	}
}

func askStale(client *http.Client, a *agenttest.Agent, node string) (verdict, string) {
	resp, err := client.Get("http://" + a.HTTPAddr + "/v1/catalog/node/" + node + "?stale")
	if err != nil {
		return unanswered, ""
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	switch {
	case err != nil, resp.StatusCode >= http.StatusInternalServerError:
		return unanswered, ""
	case strings.Contains(string(text), `"`+node+`"`):
		return known, ""
	default:
		return denied, fmt.Sprint(resp.Status, " ", string(text))
	}
}

// registerNodes puts so many nodes into the catalog, from several clients.
func registerNodes(t *testing.T, a *agenttest.Agent, nodes int) {
	t.Helper()
	const clients = 16
	var all sync.WaitGroup
	for c := range clients {
		all.Go(func() {
			catalog := a.Client().Catalog()
			for i := c; i < nodes; i += clients {
				node := &api.CatalogRegistration{Node: fmt.Sprintf("n%d", i), Address: fmt.Sprintf("10.9.%d.%d", i/250, 1+i%250)}
				if _, err := catalog.Register(node, nil); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	if t.Failed() {
		t.FailNow()
	}
}
