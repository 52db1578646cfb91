package main

import (
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/miekg/dns"

	"github.com/actor-consul/consul/cmd/consul/agenttest"
)

var askResolvers = flag.Bool("resolvers", false, "let TestResolvers ask through other programs, which must be installed")

// peer is a program that passes questions about our zone on to the agent.
type peer struct {
	name, program string
	args          string // a template of arguments, like config of its file
	config        string
}

// site is what the templates of a peer are filled with.
type site struct {
	Dir, File, Host, Port string // of the peer
	Agent, AgentPort      string // where DNS of the agent is
}

// strict are resolvers in the ways in which people put them before an agent.
var strict = []peer{
	{"unbound_forward", "unbound", "-d -p -c {{.File}}", unboundHead + `
forward-zone:
  name: "consul."
  forward-addr: {{.Agent}}@{{.AgentPort}}
forward-zone:
  name: "10.in-addr.arpa."
  forward-addr: {{.Agent}}@{{.AgentPort}}
`},
	{"unbound_stub", "unbound", "-d -p -c {{.File}}", unboundHead + `
stub-zone:
  name: "consul."
  stub-addr: {{.Agent}}@{{.AgentPort}}
stub-zone:
  name: "10.in-addr.arpa."
  stub-addr: {{.Agent}}@{{.AgentPort}}
`},
	{"bind9", "named", "-g -c {{.File}} -n 1", `
options {
  directory "{{.Dir}}"; pid-file none; session-keyfile none; managed-keys-directory "{{.Dir}}"; lock-file none;
  listen-on port {{.Port}} { {{.Host}}; }; listen-on-v6 { none; };
  recursion yes; dnssec-validation no; empty-zones-enable no; qname-minimization strict;
  max-records-per-type 0;
};
controls {};
zone "consul" { type forward; forward only; forwarders { {{.Agent}} port {{.AgentPort}}; }; };
zone "10.in-addr.arpa" { type forward; forward only; forwarders { {{.Agent}} port {{.AgentPort}}; }; };
`},
	{"dnsmasq", "dnsmasq", "-k -C /dev/null --user=root --pid-file= -p {{.Port}} -a {{.Host}} --bind-interfaces --no-resolv --no-hosts --server=/consul/{{.Agent}}#{{.AgentPort}} --server=/10.in-addr.arpa/{{.Agent}}#{{.AgentPort}}", ""},
}

// unboundHead makes unbound as suspicious as it can be: it spells names at random,
// minimizes them, and believes nothing below a name that does not exist.
const unboundHead = `
server:
  interface: {{.Host}}@{{.Port}}
  username: ""
  chroot: ""
  directory: "{{.Dir}}"
  pidfile: ""
  use-syslog: no
  do-not-query-localhost: no
  module-config: "validator iterator"
  domain-insecure: "consul."
  domain-insecure: "10.in-addr.arpa."
  local-zone: "10.in-addr.arpa." nodefault
  use-caps-for-id: yes
  qname-minimisation-strict: yes
  harden-below-nxdomain: yes
  harden-referral-path: yes
  harden-large-queries: yes
  harden-short-bufsize: yes
  access-control: 127.0.0.0/8 allow
remote-control:
  control-enable: no
`

// TestResolvers asks strict resolvers for what the agent knows, and lets a proxy find
// its servers with SRV records.
func TestResolvers(t *testing.T) {
	if !*askResolvers {
		return
	}
	a := agenttest.Start(t, agenttest.Options{Name: "gold", Args: agenttest.Bootstrap("-hcl", "dns_config { enable_truncate = true }")})
	a.AwaitLeader()
	populate(t, a)
	for _, p := range strict {
		t.Run(p.name, func(t *testing.T) { p.check(t, a) })
	}
	t.Run("haproxy", func(t *testing.T) { checkProxy(t, a) })
}

// populate registers nodes n1 to n300 with an instance each of crowd, of which the
// first three have one of web, too; and names with dots.
func populate(t *testing.T, a *agenttest.Agent) {
	t.Helper()
	client := a.Client()
	for i := 1; i <= 300; i++ {
		reg := &api.CatalogRegistration{Node: fmt.Sprintf("n%d", i), Address: fmt.Sprintf("10.0.%d.%d", i/200, i%200+1), NodeMeta: map[string]string{"rack": "r1"}}
		for _, service := range []string{"crowd", "web"} {
			if service == "web" && i > 3 {
				continue
			}
			reg.Service = &api.AgentService{Service: service, Port: 8000 + i, Tags: []string{"v1"}}
			if _, err := client.Catalog().Register(reg, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	dotted := &api.CatalogRegistration{Node: "rack.1", Address: "10.0.9.9", Service: &api.AgentService{Service: "dotted", Port: 1, Tags: []string{"a.b"}}}
	if _, err := client.Catalog().Register(dotted, nil); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"qw", "with.dots"} {
		query := &api.PreparedQueryDefinition{Name: name, Service: api.ServiceQuery{Service: "dotted"}}
		if _, _, err := client.PreparedQuery().Create(query, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// launch starts the peer with its configuration, and kills it when the test ends.
// What it has said is shown if the test failed.
func (p peer) launch(t *testing.T, a *agenttest.Agent) site {
	t.Helper()
	host, port, err := net.SplitHostPort(a.DNSAddr)
	if err != nil {
		t.Fatal(err)
	}
	s := site{Dir: t.TempDir(), Host: "127.0.0.1", Port: fmt.Sprint(agenttest.Reserve(t, "127.0.0.1").DNS), Agent: host, AgentPort: port}
	s.File = filepath.Join(s.Dir, "config")
	if err := os.WriteFile(s.File, []byte(fill(t, p.config, s)), 0o600); err != nil {
		t.Fatal(err)
	}
	said, err := os.Create(filepath.Join(s.Dir, "output"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(p.program, strings.Fields(fill(t, p.args, s))...)
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v; make interop installs it", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = said.Close()
		if text, err := os.ReadFile(said.Name()); t.Failed() && err == nil {
			t.Logf("%s said:\n%s", p.program, text[max(0, len(text)-2000):])
		}
	})
	return s
}

func fill(t *testing.T, text string, s site) string {
	t.Helper()
	var b strings.Builder
	if err := template.Must(template.New("").Parse(text)).Execute(&b, s); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// check wants the peer to accept what the agent answers.
func (p peer) check(t *testing.T, a *agenttest.Agent) {
	s := p.launch(t, a)
	at := net.JoinHostPort(s.Host, s.Port)
	a.Await(p.name+" to answer", func() bool {
		m, _, err := new(dns.Client).Exchange(new(dns.Msg).SetQuestion("web.service.consul.", dns.TypeA), at)
		return err == nil && m.Rcode == dns.RcodeSuccess
	})
	for _, tc := range []struct {
		question string
		rcode    int
		answers  int
		some     string // in one of the answers
	}{
		{"web.service.consul A", dns.RcodeSuccess, 3, "10.0.0.2"},
		{"WEB.serVICE.Consul A", dns.RcodeSuccess, 3, "10.0.0.3"},
		{"v1.web.service.consul A", dns.RcodeSuccess, 3, "10.0.0.4"},
		{"web.service.dc1.consul A", dns.RcodeSuccess, 3, "10.0.0.4"},
		{"web.service.consul SRV", dns.RcodeSuccess, 3, "1 1 8001 n1.node.dc1.consul."},
		{"_web._tcp.service.consul SRV", dns.RcodeSuccess, 3, "1 1 8002 n2.node.dc1.consul."},
		{"web.service.consul AAAA", dns.RcodeSuccess, 0, ""},
		{"n1.node.consul A", dns.RcodeSuccess, 1, "10.0.0.2"},
		{"n1.node.consul TXT", dns.RcodeSuccess, 1, "rack=r1"},
		{"n1.node.consul AAAA", dns.RcodeSuccess, 0, ""},
		{"0a000001.addr.consul A", dns.RcodeSuccess, 1, "10.0.0.1"},
		{"nope.service.consul A", dns.RcodeNameError, 0, ""},
		{"nope.node.consul A", dns.RcodeNameError, 0, ""},
		{"consul SOA", dns.RcodeSuccess, 1, "hostmaster.consul."},
		{"consul NS", dns.RcodeSuccess, 1, "gold.node.dc1.consul."},
		{"2.0.0.10.in-addr.arpa PTR", dns.RcodeSuccess, 1, "n1.node.dc1.consul."},
		{"_web._tcp.dc1.consul SRV", dns.RcodeSuccess, 3, "1 1 8003 n3.node.dc1.consul."},
		{"_qw._tcp.query.consul SRV", dns.RcodeSuccess, 1, "1 1 1 rack.1.node.dc1.consul."},
		{"with.dots.query.consul A", dns.RcodeSuccess, 1, "10.0.9.9"},
		{"rack.1.node.consul A", dns.RcodeSuccess, 1, "10.0.9.9"},
		{"a.b.dotted.service.consul A", dns.RcodeSuccess, 1, "10.0.9.9"},
		{"nope.1.node.consul A", dns.RcodeNameError, 0, ""},
		{"crowd.service.consul A", dns.RcodeSuccess, 300, "10.0.1.101"},
		{"crowd.service.consul SRV", dns.RcodeSuccess, 300, "1 1 8300 n300.node.dc1.consul."},
	} {
		name, qtype, _ := strings.Cut(tc.question, " ")
		req := new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.StringToType[qtype])
		m, _, err := (&dns.Client{Net: "tcp", Timeout: 10 * time.Second}).Exchange(req, at)
		if err != nil {
			t.Errorf("%s: %v", tc.question, err)
			continue
		}
		found := tc.some == "" || slices.ContainsFunc(m.Answer, func(rr dns.RR) bool { return strings.Contains(rr.String(), tc.some) })
		if m.Rcode != tc.rcode || len(m.Answer) != tc.answers || !found {
			t.Errorf("%s: %s with %d answers, want %s with %d and %q", tc.question,
				dns.RcodeToString[m.Rcode], len(m.Answer), dns.RcodeToString[tc.rcode], tc.answers, tc.some)
		}
	}
}

// checkProxy lets haproxy fill the servers of a backend from SRV records, and take
// one out when its check turns critical.
func checkProxy(t *testing.T, a *agenttest.Agent) {
	p := peer{"haproxy", "haproxy", "-db -f {{.File}}", `
global
  stats socket {{.Dir}}/stats level admin
defaults
  mode tcp
  timeout connect 1s
  timeout client 1s
  timeout server 1s
resolvers consul
  nameserver agent {{.Agent}}:{{.AgentPort}}
  accepted_payload_size 8192
  hold valid 100ms
  hold obsolete 100ms
  timeout resolve 100ms
frontend in
  bind {{.Host}}:{{.Port}}
  default_backend web
backend web
  server-template web 5 _web._tcp.service.consul resolvers consul resolve-prefer ipv4 init-addr none
`}
	s := p.launch(t, a)
	servers := func(want ...string) func() bool {
		return func() bool { return slices.Equal(proxied(filepath.Join(s.Dir, "stats")), want) }
	}
	a.Await("be found by haproxy", servers("10.0.0.2:8001", "10.0.0.3:8002", "10.0.0.4:8003"))
	ill := &api.CatalogRegistration{Node: "n2", SkipNodeUpdate: true, Check: &api.AgentCheck{Node: "n2", CheckID: "c", Name: "c", Status: api.HealthCritical}}
	if _, err := a.Client().Catalog().Register(ill, nil); err != nil {
		t.Fatal(err)
	}
	a.Await("lose a server of haproxy", servers("10.0.0.2:8001", "10.0.0.4:8003"))
}

// proxied returns the addresses of the servers that haproxy sends somebody to.
func proxied(socket string) (found []string) {
	c, err := net.Dial("unix", socket)
	if err != nil {
		return nil
	}
	defer c.Close()
	if _, err := io.WriteString(c, "show servers state web\n"); err != nil {
		return nil
	}
	text, err := io.ReadAll(c)
	if err != nil {
		return nil
	}
	const address, state, port, up = 4, 5, 18, "2" // columns of the answer
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) > port && f[1] == "web" && f[state] == up {
			found = append(found, net.JoinHostPort(f[address], f[port]))
		}
	}
	slices.Sort(found)
	return found
}
