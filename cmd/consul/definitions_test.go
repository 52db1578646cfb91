package main

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/consul/api"

	"github.com/actor-consul/consul/cmd/consul/agenttest"
	"github.com/actor-consul/consul/cmd/consul/config"
	"github.com/actor-consul/consul/messages"
)

// defined returns what a configuration says is to be registered.
func defined(t *testing.T, hcl string) ([]*messages.RegisterService, []*messages.RegisterCheck, error) {
	t.Helper()
	flags := flag.NewFlagSet("agent", flag.ContinueOnError)
	values := config.Flags(flags)
	if err := flags.Parse([]string{"-dev", "-hcl", hcl}); err != nil {
		t.Fatal(err)
	}
	rt, _, err := config.Load(config.Args{Flags: values, Host: config.ThisHost()})
	if err != nil {
		t.Fatal(err)
	}
	return definitions(rt)
}

func TestDefinitions(t *testing.T) {
	services, checks, err := defined(t, `
		service {
			name = "web" id = "w1" port = 80 tags = ["a"] token = "t" address = "10.0.0.1"
			tagged_addresses { wan { address = "192.0.2.1" port = 8080 } }
			weights { passing = 3 }
			locality { region = "r" }
			check { http = "http://10.0.0.1/" interval = "10s" }
			check { id = "ttl" ttl = "30s" status = "warning" }
			connect { sidecar_service { proxy { upstreams { destination_name = "db" local_bind_port = 9 } } } }
		}
		service { name = "multi" ports = [{ name = "a" port = 1 default = true }, { name = "b" port = 2 }] }
		service {
			name = "proxy" kind = "connect-proxy" port = 9
			proxy { destination_service_name = "web" mode = "transparent" }
		}
		check { id = "disk" script = "df /" interval = "1m" service_id = "w1" }
		check { name = "ping" h2ping = "x:1" interval = "1m" }
	`)
	if err != nil {
		t.Fatal(err)
	}
	shown, err := json.Marshal(services[0].Service)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"ID":"w1","Service":"web","Tags":["a"],"Address":"10.0.0.1","TaggedAddresses":{"lan_ipv4":{"Address":"10.0.0.1","Port":80},"wan":{"Address":"192.0.2.1","Port":8080},"wan_ipv4":{"Address":"10.0.0.1","Port":80}},` +
		`"Meta":null,"Port":80,"Weights":{"Passing":3,"Warning":1},"EnableTagOverride":false,"Locality":{"Region":"r"},"Proxy":{"Mode":"","MeshGateway":{},"Expose":{}},"Connect":{},"PeerName":"","CreateIndex":0,"ModifyIndex":0}`
	if string(shown) != want {
		t.Errorf("service\n%s\nwant\n%s", shown, want)
	}
	web := services[0]
	if web.Token != "t" || !web.FromConfig || len(web.Checks) != 2 || web.Checks[0].Check.CheckID != "service:w1:1" || web.Checks[1].Check.Status != "warning" {
		t.Errorf("registration %+v", web)
	}
	if side := web.Sidecar; side == nil || !side.FromConfig || side.Service.Proxy.Upstreams[0].DestinationName != "db" || side.Token != "t" {
		t.Errorf("sidecar %+v", web.Sidecar)
	}
	if ports := services[1].Service.Ports; len(ports) != 2 || ports[1].Port != 2 {
		t.Errorf("ports %+v", ports)
	}
	if p := services[2].Service.Proxy; p.DestinationServiceName != "web" || p.Mode != "transparent" {
		t.Errorf("proxy %+v", p)
	}
	if disk := checks[0]; disk.Check.ServiceID != "w1" || disk.Check.Name != "disk" || !disk.FromConfig || !slices.Equal(disk.Run.ScriptArgs, []string{"/bin/sh", "-c", "df /"}) {
		t.Errorf("check %+v %+v", checks[0].Check, checks[0].Run)
	}
	if !checks[1].Run.H2PingUseTLS {
		t.Error("a ping of HTTP/2 does without TLS although nobody said so")
	}
}

func TestDefinitionsRefused(t *testing.T) {
	_, _, err := defined(t, `
		service { name = "a" meta { "b c" = "d" } }
		service { name = "b" proxy { upstreams = "x" } }
		check { name = "c" http = "http://x" ttl = "1s" }
	`)
	if err == nil {
		t.Fatal("nothing is wrong")
	}
	for _, want := range []string{
		`service "a" of the configuration cannot be registered: Invalid Service Meta: `,
		`service "b" of the configuration cannot be registered: proxy: `,
		`check "c" of the configuration cannot be registered: Invalid check: `,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("err = %v, want also %q", err, want)
		}
	}
}

// TestDefinitionsOfAnAgent starts an agent with definitions, changes them and has
// them read again: what stays keeps the result of its check.
func TestDefinitionsOfAnAgent(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "services.json")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"services": [{"name": "web", "check": {"id": "c", "ttl": "1h"}}, {"name": "old"}]}`)
	a := agenttest.Start(t, agenttest.Options{Name: "defs", Args: agenttest.Bootstrap("-config-file", file)})
	agent := a.Client().Agent()
	names := func() (all []string) {
		services, err := agent.Services()
		if err != nil {
			t.Fatal(err)
		}
		for id := range services {
			all = append(all, id)
		}
		slices.Sort(all)
		return all
	}
	if got := names(); !slices.Equal(got, []string{"old", "web"}) {
		t.Errorf("at the start there are %q", got)
	}
	if err := agent.PassTTL("c", "fine"); err != nil {
		t.Fatal(err)
	}
	if err := agent.ServiceRegister(&api.AgentServiceRegistration{Name: "http"}); err != nil {
		t.Fatal(err)
	}
	write(`{"services": [{"name": "web", "port": 81, "check": {"id": "c", "ttl": "1h"}}, {"name": "new"}]}`)
	if _, errs, status := a.Consul("reload"); status != 0 {
		t.Fatal(errs)
	}
	if got := names(); !slices.Equal(got, []string{"http", "new", "web"}) {
		t.Errorf("after the reload there are %q", got)
	}
	checks, err := agent.Checks()
	if err != nil || checks["c"].Status != api.HealthPassing || checks["c"].Output != "fine" {
		t.Errorf("checks %+v, %v", checks["c"], err)
	}
	write(`{"services": [{"name": "web", "meta": {"a b": "c"}}]}`)
	if _, errs, status := a.Consul("reload"); status == 0 || !strings.Contains(errs, "Invalid Service Meta") {
		t.Errorf("a reload of what is wrong: %d %s", status, errs)
	}
	if got := names(); !slices.Equal(got, []string{"http", "new", "web"}) {
		t.Errorf("after it there are %q", got)
	}
	write(`{"service": {"name": "web"}}`)
	a.Restart()
	if got := names(); !slices.Equal(got, []string{"http", "web"}) {
		t.Errorf("after a restart there are %q", got)
	}
}
