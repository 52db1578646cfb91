package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// client and server are the shortest command lines that start one.
func client(more ...string) []string {
	return append([]string{"-data-dir", "/tmp/consul", "-bind", "10.1.10.38"}, more...)
}
func server(more ...string) []string { return client(append([]string{"-server"}, more...)...) }

// TestRefused gives whole errors of configurations that decode and still make no sense.
func TestRefused(t *testing.T) {
	short := base64.StdEncoding.EncodeToString([]byte("short"))
	tests := map[string]struct {
		line []string
		want string
	}{
		"datacenter":         {client("-datacenter", "my dc"), `-datacenter: datacenter cannot be "my dc". Please use only [a-z0-9-_]`},
		"primary_datacenter": {client("-hcl", `primary_datacenter = "a.b"`), `-hcl:1: primary_datacenter cannot be "a.b". Please use only [a-z0-9-_]`},
		"node_name":          {client("-node", " "), `-node: node_name cannot be empty`},
		"node_id":            {client("-node-id", "7"), `-node-id: node_id cannot be "7". Must be a UUID, as in 0b6c9d3e-54a0-4b9d-8e0f-0f8d8f3c2a11`},
		"meta_key":           {client("-node-meta", "a b:c"), `-node-meta: node_meta has key "a b". A key has 1 to 128 letters, digits, dashes and underscores`},
		"meta_reserved":      {client("-node-meta", "consul-x:c"), `-node-meta: node_meta has key "consul-x". Keys that start with "consul-" are reserved`},
		"meta_pairs":         {client(slices.Collect(manyPairs)...), `-node-meta: node_meta has 65 pairs, more than 64`},
		"meta_value":         {client("-node-meta", "a:"+strings.Repeat("x", 513)), `-node-meta: node_meta has a value of 513 bytes for key "a", more than 512`},

		"bootstrap_client": {client("-bootstrap"), `'bootstrap = true' requires 'server = true'`},
		"bootstrap_twice":  {server("-bootstrap", "-bootstrap-expect", "3"), `'bootstrap_expect > 0' and 'bootstrap = true' are mutually exclusive`},
		"expect_client":    {client("-bootstrap-expect", "3"), `'bootstrap_expect > 0' requires 'server = true'`},
		"expect_negative":  {server("-bootstrap-expect", "-1"), `-bootstrap-expect: bootstrap_expect cannot be -1. Must be greater than or equal to zero`},
		"expect_dev":       {[]string{"-dev", "-bootstrap-expect", "3"}, `'bootstrap_expect > 0' not allowed in dev mode`},

		"bind_text":        {client("-bind", "web1"), `-bind: bind_addr cannot be "web1". Must be an IP address`},
		"bind_empty":       {client("-bind", ""), `-bind: bind_addr cannot be empty`},
		"bind_several":     {client("-bind", "{{ GetAllPrivate }}"), `-bind: bind_addr cannot be several addresses (10.1.10.38, 172.17.0.1). Must be one`},
		"bind_no_template": {client("-bind", "{{ Foo }}"), `-bind: bind_addr has a template that does not evaluate: no such function`},
		"bind_no_result":   {client("-bind", "{{ GetNothing }}"), `-bind: bind_addr has a template that gives no address on this host: {{ GetNothing }}`},
		"advertise_family": {client("-hcl", `advertise_addr_ipv4 = "::1"`), `-hcl:1: advertise_addr_ipv4 cannot be ::1, which is of the other family`},
		"serf_lan":         {client("-serf-lan-bind", "x"), `-serf-lan-bind: serf_lan cannot be "x". Must be an IP address`},
		"client_empty":     {client("-client", ""), `-client: client_addr cannot be empty`},
		"client_name":      {client("-client", "localhost"), `-client: client_addr has "localhost". Must be IP addresses or unix:// paths`},
		"dns_socket":       {client("-hcl", `addresses { dns = "unix:///a" }`), `-hcl:1: addresses.dns cannot be the unix socket /a. Must be IP addresses`},
		"client_socket":    {client("-client", "127.0.0.1 unix:///a"), `-client: client_addr has the unix socket /a, which DNS cannot use. Set addresses.dns to IP addresses, too`},
		"socket_without":   {client("-hcl", `addresses { http = "unix://" }`), `-hcl:1: addresses.http has "unix://", which names no file`},
		"no_serf":          {client("-serf-lan-port", "-1"), `-serf-lan-port: ports.serf_lan cannot be disabled: every agent gossips`},
		"no_server_port":   {client("-server-port", "-1"), `-server-port: ports.server cannot be disabled: it is how agents reach the servers`},

		"same_ports":           {client("-http-port", "8600"), `-http-port: ports.dns and ports.http are both 8600 on 127.0.0.1. Give one of them another port, or -1 to disable it`},
		"same_ports_any":       {client("-client", "0.0.0.0", "-http-port", "8301"), `-http-port: ports.serf_lan and ports.http are both 8301 on 10.1.10.38. Give one of them another port, or -1 to disable it`},
		"same_ports_rpc":       {client("-rpc-addr", "127.0.0.1:8500"), `-rpc-addr: ports.http and ports.rpc are both 8500 on 127.0.0.1. Give one of them another port, or -1 to disable it`},
		"same_ports_of_server": {server("-serf-wan-port", "8301"), `-serf-wan-port: ports.serf_lan and ports.serf_wan are both 8301 on 10.1.10.38. Give one of them another port, or -1 to disable it`},

		"encrypt_text":     {client("-encrypt", "*"), `-encrypt: encrypt has invalid key: it is not base64; a key is 16, 24 or 32 bytes in base64: make one with "consul keygen"`},
		"encrypt_size":     {client("-encrypt", short), `-encrypt: encrypt has invalid key: it decodes to 5 bytes; a key is 16, 24 or 32 bytes in base64: make one with "consul keygen"`},
		"segment_size":     {server("-hcl", `raft_logstore { wal { segment_size_mb = 2048 } }`), `-hcl:1: raft_logstore.wal.segment_size_mb cannot be 2048. Must be between 1 and 1024`},
		"raft_multiplier":  {server("-hcl", `performance { raft_multiplier = 11 }`), `-hcl:1: performance.raft_multiplier cannot be 11. Must be between 1 and 10`},
		"protocol":         {server("-protocol", "9"), `-protocol: protocol cannot be 9. Must be 2 or 3`},
		"raft_protocol":    {server("-raft-protocol", "2"), `-raft-protocol: raft_protocol cannot be 2. Must be 3`},
		"log_level":        {client("-log-level", "loud"), `-log-level: log_level cannot be "loud". Must be trace, debug, info, warn or err`},
		"reconnect":        {client("-hcl", `reconnect_timeout = "1h"`), `-hcl:1: reconnect_timeout cannot be 1h0m0s. Must be at least 8h0m0s`},
		"empty_join":       {client("-retry-join", " "), `-retry-join: retry_join has an empty address`},
		"domain":           {client("-domain", "a b"), `-domain: domain cannot be "a b". Must be a DNS name`},
		"no_domain":        {client("-domain", ""), `-domain: domain cannot be empty`},
		"alt_domain":       {client("-alt-domain", "dc1.corp"), `-alt-domain: alt_domain cannot start with {service,connect,node,query,addr,dc1}`},
		"recursor":         {client("-recursor", "dns.google"), `-recursor: recursors has "dns.google". Must be ip or ip:port`},
		"recursor_any":     {client("-recursor", "0.0.0.0"), `DNS recursor address cannot be 0.0.0.0, :: or [::]`},
		"strategy":         {client("-hcl", `dns_config { recursor_strategy = "x" }`), `-hcl:1: dns_config.recursor_strategy cannot be "x". Must be sequential or random`},
		"response_headers": {client("-hcl", `http_config { response_headers { X = "a\nb" } }`), `-hcl:1: http_config.response_headers has header "X", which cannot be sent: a name is letters, digits and dashes, a value is one line`},
		"write_from":       {client("-allow-write-http-from", "10.0.0.1"), `-allow-write-http-from: http_config.allow_write_http_from has "10.0.0.1". Must be networks, such as 10.0.0.0/8`},
		"allowed_cidrs":    {client("-serf-lan-allowed-cidrs", "x"), `-serf-lan-allowed-cidrs: serf_lan_allowed_cidrs has "x". Must be networks, such as 10.0.0.0/8`},
		"block_endpoints":  {client("-hcl", `http_config { block_endpoints = ["v1/acl"] }`), `-hcl:1: http_config.block_endpoints has "v1/acl", which no path begins with. Must begin with /, as in "/v1/acl"`},
		"nameless_check":   {client("-hcl", `check { ttl = "1s" }`), `-hcl:1: checks [0]: a check outside of a service needs a name`},
		"several_mistakes": {client("-log-level", "loud", "-protocol", "9"), "-protocol: protocol cannot be 9. Must be 2 or 3\n-log-level: log_level cannot be \"loud\". Must be trace, debug, info, warn or err"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := loadError(t, tt.line...); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

// manyPairs are more -node-meta flags than a node may have.
func manyPairs(yield func(string) bool) {
	for i := range maxMetaPairs + 1 {
		if !yield(fmt.Sprintf("-node-meta=k%d:v", i)) {
			return
		}
	}
}

func TestSecretsStaySecret(t *testing.T) {
	const key = "bm90IGEga2V5"
	if got := loadError(t, client("-encrypt", key)...); strings.Contains(got, key) || strings.Contains(got, "not a key") {
		t.Errorf("the error shows the key: %s", got)
	}
	cloud := "provider=aws secret_access_key=hush"
	for _, w := range warningsOf(t, client("-retry-join", cloud)...) {
		if strings.Contains(w, "hush") {
			t.Errorf("the warning shows a credential: %s", w)
		}
	}
}

func TestAdvertise(t *testing.T) {
	addrs := func(texts ...string) func() ([]netip.Addr, error) {
		list := []netip.Addr{}
		for _, s := range texts {
			list = append(list, netip.MustParseAddr(s))
		}
		return func() ([]netip.Addr, error) { return list, nil }
	}
	broken := func() ([]netip.Addr, error) { return nil, errors.New("no rights") }
	const advice = " with -advertise, or the one to listen at with -bind"
	tests := map[string]struct {
		line []string
		v4   func() ([]netip.Addr, error)
		v6   func() ([]netip.Addr, error)
		lan  string
		wan  string
		err  string
	}{
		"bound":     {line: []string{"-bind", "10.0.0.1"}, lan: "10.0.0.1", wan: "10.0.0.1"},
		"bound_6":   {line: []string{"-bind", "[2001:DB8::1]"}, lan: "2001:db8::1", wan: "2001:db8::1"},
		"template":  {line: []string{"-bind", "{{ GetPrivateIP }}"}, lan: "10.1.10.38", wan: "10.1.10.38"},
		"said":      {line: []string{"-advertise", "10.0.0.2", "-advertise-wan", "192.0.2.1"}, lan: "10.0.0.2", wan: "192.0.2.1"},
		"by_family": {line: []string{"-hcl", `advertise_addr_ipv4 = "10.0.0.3" advertise_addr_wan_ipv6 = "2001:db8::3"`}, lan: "10.0.0.3", wan: "2001:db8::3"},
		"private":   {v4: addrs("10.0.0.4"), lan: "10.0.0.4", wan: "10.0.0.4"},
		"none":      {v4: addrs(), err: "no private IPv4 address found; pass the address that other agents can reach" + advice},
		"several":   {v4: addrs("10.0.0.4", "172.17.0.1"), err: "multiple private IPv4 addresses found (10.0.0.4, 172.17.0.1); pass the one that other agents can reach" + advice},
		"broken":    {v4: broken, err: "this host does not tell its addresses (no rights); pass the address that other agents can reach" + advice},
		"global_6":  {line: []string{"-bind", "::"}, v6: addrs("2001:db8::5"), lan: "2001:db8::5", wan: "2001:db8::5"},
		"none_6":    {line: []string{"-bind", "[::]"}, v6: addrs(), err: "no global IPv6 address found; pass the address that other agents can reach" + advice},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a := args(t, append([]string{"-data-dir", "/tmp/consul"}, tt.line...)...)
			a.Host.PrivateIPv4, a.Host.GlobalIPv6 = tt.v4, tt.v6
			rt, _, err := Load(a)
			if tt.err != "" {
				if err == nil || err.Error() != tt.err {
					t.Errorf("error is %v, want %s", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if rt.AdvertiseAddr != tt.lan || rt.AdvertiseAddrWAN != tt.wan || rt.TaggedAddresses["lan"] != tt.lan || rt.TaggedAddresses["wan"] != tt.wan {
				t.Errorf("advertises %s and %s, tagged %v", rt.AdvertiseAddr, rt.AdvertiseAddrWAN, rt.TaggedAddresses)
			}
		})
	}
}

func TestAddressesOfServer(t *testing.T) {
	rt := load(t, "-server", "-data-dir", "/tmp/consul", "-bind", "2001:db8::1", "-advertise-wan", "192.0.2.1", "-serf-wan-bind", "10.0.0.1",
		"-hcl", `tagged_addresses { rack = "10.9.9.9" wan = "198.51.100.1" }`)
	got := []string{rt.ServerBind, rt.ServerAdvertise, rt.SerfLANBind, rt.SerfLANAdvertise, rt.SerfWANBind, rt.SerfWANAdvertise}
	want := []string{"[2001:db8::1]:8300", "[2001:db8::1]:8300", "[2001:db8::1]:8301", "[2001:db8::1]:8301", "10.0.0.1:8302", "192.0.2.1:8302"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	tags := map[string]string{"lan": "2001:db8::1", "lan_ipv6": "2001:db8::1", "wan": "198.51.100.1", "wan_ipv4": "192.0.2.1", "rack": "10.9.9.9"}
	if !same(rt.TaggedAddresses, tags) {
		t.Errorf("tagged %v, want %v", rt.TaggedAddresses, tags)
	}
	for _, rt := range []*Runtime{load(t, client()...), load(t, server("-serf-wan-port", "-1")...)} {
		if rt.SerfWANBind != "" || rt.SerfWANAdvertise != "" {
			t.Errorf("gossips over WAN at %q as %q", rt.SerfWANBind, rt.SerfWANAdvertise)
		}
	}
}

func TestListeners(t *testing.T) {
	tcp := func(addrs ...string) (list []Listener) {
		for _, a := range addrs {
			list = append(list, Listener{"tcp", a})
		}
		return list
	}
	tests := map[string]struct {
		line           []string
		dns, http, rpc []Listener
		required       bool
	}{
		"default":   {nil, tcp("127.0.0.1:8600"), tcp("127.0.0.1:8500"), tcp("127.0.0.1:8400"), false},
		"client":    {[]string{"-client", "127.0.0.1 [::1]"}, tcp("127.0.0.1:8600", "[::1]:8600"), tcp("127.0.0.1:8500", "[::1]:8500"), tcp("127.0.0.1:8400", "[::1]:8400"), false},
		"twice":     {[]string{"-client", "127.0.0.1 ::1 127.0.0.1"}, tcp("127.0.0.1:8600", "[::1]:8600"), tcp("127.0.0.1:8500", "[::1]:8500"), tcp("127.0.0.1:8400", "[::1]:8400"), false},
		"template":  {[]string{"-client", "{{ GetAllPrivate }}"}, tcp("10.1.10.38:8600", "172.17.0.1:8600"), tcp("10.1.10.38:8500", "172.17.0.1:8500"), tcp("10.1.10.38:8400", "172.17.0.1:8400"), false},
		"disabled":  {[]string{"-dns-port", "-1", "-http-port", "-1", "-rpc-port", "-1"}, nil, nil, nil, true},
		"own":       {[]string{"-hcl", `addresses { http = "127.0.0.2" }`}, tcp("127.0.0.1:8600"), tcp("127.0.0.2:8500"), tcp("127.0.0.1:8400"), false},
		"socket":    {[]string{"-http-port", "-1", "-hcl", `addresses { http = "unix:///run/a.sock 127.0.0.1" }`}, tcp("127.0.0.1:8600"), []Listener{{"unix", "/run/a.sock"}}, tcp("127.0.0.1:8400"), false},
		"rpc_addr":  {[]string{"-rpc-addr", "127.0.0.2:8401"}, tcp("127.0.0.1:8600"), tcp("127.0.0.1:8500"), tcp("127.0.0.2:8401"), true},
		"rpc_host":  {[]string{"-rpc-addr", "127.0.0.2"}, tcp("127.0.0.1:8600"), tcp("127.0.0.1:8500"), tcp("127.0.0.2:8400"), true},
		"rpc_port":  {[]string{"-rpc-addr", ":8401"}, tcp("127.0.0.1:8600"), tcp("127.0.0.1:8500"), tcp("127.0.0.1:8401"), true},
		"rpc_unix":  {[]string{"-rpc-addr", "unix:///run/rpc.sock"}, tcp("127.0.0.1:8600"), tcp("127.0.0.1:8500"), []Listener{{"unix", "/run/rpc.sock"}}, true},
		"rpc_steps": {[]string{"-http-port", "8400"}, tcp("127.0.0.1:8600"), tcp("127.0.0.1:8400"), nil, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			rt := load(t, client(tt.line...)...)
			for what, pair := range map[string][2][]Listener{"dns": {rt.DNSListeners, tt.dns}, "http": {rt.HTTPListeners, tt.http}, "rpc": {rt.RPCListeners, tt.rpc}} {
				if !slices.Equal(pair[0], pair[1]) {
					t.Errorf("%s listens at %v, want %v", what, pair[0], pair[1])
				}
			}
			if rt.RPCRequired != tt.required {
				t.Errorf("RPCRequired is %t", rt.RPCRequired)
			}
		})
	}
}

func TestResolved(t *testing.T) {
	rt := load(t, client("-datacenter", "East-1", "-node-id", "0B6C9D3E-54A0-4B9D-8E0F-0F8D8F3C2A11", "-domain", "Corp.Example", "-log-level", "ERROR",
		"-recursor", "8.8.8.8", "-recursor", "[2001:db8::2]:5353", "-recursor", "8.8.8.8:53", "-recursor", "2001:db8::3", "-max-query-time", "60s",
		"-retry-join", "{{ GetAllPrivate }}", "-retry-join", "web2:8301", "-encrypt", base64.StdEncoding.EncodeToString(make([]byte, 32)),
		"-hcl", `session_ttl_min = "0s" reconnect_timeout = "0s" ports { grpc_tls = 8503 }`)...)
	for what, pair := range map[string][2]any{
		"datacenter": {rt.Datacenter, "east-1"}, "primary_datacenter": {rt.PrimaryDatacenter, "east-1"}, "node_id": {rt.NodeID, "0b6c9d3e-54a0-4b9d-8e0f-0f8d8f3c2a11"},
		"domain": {rt.Domain, "corp.example."}, "log_level": {rt.LogLevel, "err"}, "recursors": {rt.Recursors, []string{"8.8.8.8:53", "[2001:db8::2]:5353", "[2001:db8::3]:53"}},
		"default_query_time": {rt.DefaultQueryTime, time.Minute}, "retry_join": {rt.RetryJoin, []string{"10.1.10.38", "172.17.0.1", "web2:8301"}},
		"key": {len(rt.EncryptKey), 32}, "session_ttl_min": {rt.SessionTTLMin, 10 * time.Second}, "reconnect_timeout": {rt.ReconnectTimeout, 72 * time.Hour}, "value without a field": {rt.Value("ports.grpc_tls"), 8503},
	} {
		if !same(pair[0], pair[1]) {
			t.Errorf("%s is %v, want %v", what, pair[0], pair[1])
		}
	}
}

// TestLeaving holds the defaults of leaving: Ctrl-C leaves, SIGTERM leaves on clients.
func TestLeaving(t *testing.T) {
	tests := map[string]struct {
		line                 []string
		onTerminate, skipInt bool
	}{
		"client":     {client(), true, false},
		"server":     {server(), false, false},
		"client_set": {client("-hcl", "leave_on_terminate = false skip_leave_on_interrupt = true"), false, true},
		"server_set": {server("-hcl", "leave_on_terminate = true skip_leave_on_interrupt = true"), true, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if rt := load(t, tt.line...); rt.LeaveOnTerminate != tt.onTerminate || rt.SkipLeaveOnInterrupt != tt.skipInt {
				t.Errorf("leave_on_terminate is %t, skip_leave_on_interrupt %t", rt.LeaveOnTerminate, rt.SkipLeaveOnInterrupt)
			}
		})
	}
}

func TestWarnings(t *testing.T) {
	const table = " See https://www.consul.io/docs/internals/consensus.html#deployment-table"
	tests := map[string]struct {
		line []string
		want string
	}{
		"nothing":   {server(), ``},
		"bootstrap": {server("-bootstrap"), `Bootstrap mode enabled! Do not enable unless necessary`},
		"expect_1":  {server("-bootstrap-expect", "1"), "BootstrapExpect is set to 1; this is the same as Bootstrap mode.\nBootstrap mode enabled! Do not enable unless necessary"},
		"expect_2":  {server("-bootstrap-expect", "2"), "A cluster with 2 servers will provide no failure tolerance." + table + "\nExpect Mode enabled, expecting 2 servers"},
		"expect_3":  {server("-bootstrap-expect", "3"), `Expect Mode enabled, expecting 3 servers`},
		"expect_4":  {server("-bootstrap-expect", "4"), "A cluster with an even number of servers does not achieve optimum fault tolerance." + table + "\nExpect Mode enabled, expecting 4 servers"},
		"node_name": {client("-node", "web_1"), `-node: node name "web_1" is found in DNS, but not by everybody: names of hosts have letters, digits and dashes only`},
		"long_name": {client("-node", strings.Repeat("x", 64)), `-node: node name "` + strings.Repeat("x", 64) + `" cannot be found in DNS: it is longer than 63 bytes`},
		"cloud":     {client("-retry-join", "provider=aws tag_key=x"), `-retry-join: retry_join[0]: cloud auto-join (provider=aws) is not supported; the entry is left out`},
		"unobeyed":  {client("-ui", "-hcl", `acl { enabled = true }`), `accepted, but not acted upon yet: acl.enabled, ui_config.enabled`},
		"quiet":     {client("-hcl", `disable_update_check = true version = "1.19.2"`), ``},
		"segment":   {client("-segment", "alpha"), `-segment: "segment" is a Consul Enterprise configuration and will have no effect`},
		"rpc_steps": {client("-client", "127.0.0.1 ::1", "-http-port", "8400"), `-http-port: ports.http is 8400, the default of ports.rpc: the RPC listener is off`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			load(t, tt.line...)
			if got := warningsOf(t, tt.line...); !slices.Equal(got, lines(tt.want)) {
				t.Errorf("warnings are\n%s\nwant\n%s", strings.Join(got, "\n"), tt.want)
			}
		})
	}
}

func TestHostWithoutName(t *testing.T) {
	a := args(t, client()...)
	a.Host.Hostname = func() (string, error) { return "", errors.New("no rights") }
	_, _, err := Load(a)
	if want := "node_name was not given, and this host does not tell its name (no rights): pass it with -node"; err == nil || err.Error() != want {
		t.Errorf("error is %v, want %s", err, want)
	}
}
