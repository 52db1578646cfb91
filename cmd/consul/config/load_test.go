package config

import (
	"errors"
	"flag"
	"io"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// host is a machine with one private address.
func host() Host {
	addrs := func(texts ...string) func() ([]netip.Addr, error) {
		var list []netip.Addr
		for _, t := range texts {
			list = append(list, netip.MustParseAddr(t))
		}
		return func() ([]netip.Addr, error) { return list, nil }
	}
	return Host{
		Hostname:    func() (string, error) { return "web1", nil },
		PrivateIPv4: addrs("10.1.10.38"),
		GlobalIPv6:  addrs("2001:db8::38"),
		Expand: func(text string) (string, error) {
			answers := map[string]string{
				"{{ GetPrivateIP }}":  "10.1.10.38",
				"{{ GetAllPrivate }}": "10.1.10.38 172.17.0.1",
				"{{ GetNothing }}":    " ",
			}
			if a, ok := answers[text]; ok {
				return a, nil
			}
			return "", errors.New("no such function")
		},
		GOMAXPROCS: 2,
	}
}

// args parses a command line for that machine.
func args(t *testing.T, line ...string) Args {
	t.Helper()
	fs := flag.NewFlagSet("agent", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	v := Flags(fs)
	if err := fs.Parse(line); err != nil {
		t.Fatal(err)
	}
	return Args{Flags: v, Host: host()}
}

// load is Load of a command line that must be right.
func load(t *testing.T, line ...string) *Runtime {
	t.Helper()
	rt, _, err := Load(args(t, line...))
	if err != nil {
		t.Fatalf("Load(%q): %v", line, err)
	}
	return rt
}

// loadError is Load of a command line that must be wrong.
func loadError(t *testing.T, line ...string) string {
	t.Helper()
	rt, _, err := Load(args(t, line...))
	if err == nil {
		t.Fatalf("Load(%q) took it", line)
	}
	if rt != nil {
		t.Errorf("Load(%q) gave a Runtime beside the error", line)
	}
	return err.Error()
}

func warningsOf(t *testing.T, line ...string) []string {
	t.Helper()
	_, warnings, _ := Load(args(t, line...))
	texts := []string{}
	for _, w := range warnings {
		texts = append(texts, w.String())
	}
	return texts
}

// write makes files in a fresh directory.
func write(t *testing.T, files map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestMergeOrder(t *testing.T) {
	dir := write(t, map[string]string{
		"a.hcl":  `log_level = "warn"  retry_join = ["a"]  node_meta { k = "a" x = "a" }  datacenter = "file"`,
		"b.json": `{"log_level": "err", "retry_join": ["b"], "node_meta": {"k": "b"}, "raft_trailing_logs": 7}`,
	})
	a, b := filepath.Join(dir, "a.hcl"), filepath.Join(dir, "b.json")
	rt := load(t, "-dev", "-config-file", a, "-config-file", b,
		"-retry-join", "flag1", "-retry-join", "flag2", "-datacenter", "flag", "-node-meta", "k:flag", "-node", "flag",
		"-hcl", `node_name = "hcl" retry_join = ["hcl"]`)

	check := func(what string, got, want any) {
		t.Helper()
		if !same(got, want) {
			t.Errorf("%s is %v, want %v", what, got, want)
		}
	}
	check("a default", rt.RaftSnapshotThreshold, 16384)
	check("-dev over a default", rt.Performance.RaftMultiplier, 1)
	check("a file over -dev", rt.LogLevel, "err")
	check("a file over a default", rt.RaftTrailingLogs, 7)
	check("a flag over a file", rt.Datacenter, "flag")
	check("-hcl over a flag", rt.NodeName, "hcl")
	check("a list", rt.RetryJoin, []string{"flag1", "flag2", "a", "b", "hcl"})
	check("a map", rt.NodeMeta, map[string]string{"k": "flag", "x": "a"})

	check("origin of a default", rt.Origin("raft_snapshot_threshold"), "")
	check("origin in -dev", rt.Origin("performance.raft_multiplier"), "-dev")
	check("origin in a file", rt.Origin("log_level"), b+":1")
	check("origin in a flag", rt.Origin("datacenter"), "-datacenter")
	check("origin in -hcl", rt.Origin("node_name"), "-hcl:1")
}

func TestOrderOfFiles(t *testing.T) {
	dir := write(t, map[string]string{"one.hcl": `node_name = "one"`, "two.hcl": `node_name = "two"`, "d/three.hcl": `node_name = "three"`})
	one, two, d := filepath.Join(dir, "one.hcl"), filepath.Join(dir, "two.hcl"), filepath.Join(dir, "d")
	tests := map[string]struct {
		line []string
		want string
	}{
		"as_given":       {[]string{"-config-file", two, "-config-file", one}, "one"},
		"file_after_dir": {[]string{"-config-dir", d, "-config-file", one}, "one"},
		"dir_after_file": {[]string{"-config-file", one, "-config-dir", d}, "three"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := load(t, append([]string{"-dev"}, tt.line...)...).NodeName; got != tt.want {
				t.Errorf("node_name is %q, want %q", got, tt.want)
			}
		})
	}
}

func TestDirectory(t *testing.T) {
	dir := write(t, map[string]string{
		"20.hcl":     `retry_join = ["20"]`,
		"10.json":    `{"retry_join": ["10"]}`,
		"30.hcl":     ``,
		"40.json":    "\n",
		"README":     `not a configuration`,
		"sub/50.hcl": `retry_join = ["50"]`,
	})
	if err := os.Symlink(filepath.Join(dir, "20.hcl"), filepath.Join(dir, "60.hcl")); err != nil {
		t.Fatal(err)
	}
	if got, want := load(t, "-dev", "-config-dir", dir).RetryJoin, []string{"10", "20", "20"}; !slices.Equal(got, want) {
		t.Errorf("retry_join is %q, want %q", got, want)
	}
	want := filepath.Join(dir, "README") + ": skipped: the name must end in .hcl or .json, or -config-format must be given"
	if got := warningsOf(t, "-dev", "-config-dir", dir); !slices.Equal(got, []string{want}) {
		t.Errorf("warnings are %q, want %q", got, want)
	}
}

func TestFormat(t *testing.T) {
	dir := write(t, map[string]string{"agent.conf": `{"node_name": "conf"}`})
	conf := filepath.Join(dir, "agent.conf")
	if got := load(t, "-dev", "-config-format", "json", "-config-file", conf).NodeName; got != "conf" {
		t.Errorf("node_name is %q", got)
	}
	if got := load(t, "-dev", "-config-file", conf).NodeName; got != "web1" {
		t.Errorf("node_name is %q: a file of unknown format was read", got)
	}
}

func TestUnreadableFiles(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "missing.hcl")
	if got := loadError(t, "-dev", "-config-file", missing); !strings.Contains(got, missing) || !strings.Contains(got, "no such file") {
		t.Errorf("error is %q", got)
	}
	large := filepath.Join(dir, "large.hcl")
	if err := os.WriteFile(large, make([]byte, MaxFileSize+1), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, want := loadError(t, "-dev", "-config-file", large), large+": the file has more than 8388608 bytes"; got != want {
		t.Errorf("error is %q, want %q", got, want)
	}
}

// TestConfigFail has the cases of Consul's test of that name: the whole error, word for word.
func TestConfigFail(t *testing.T) {
	dir := t.TempDir()
	tests := map[string]struct {
		line []string
		want string
	}{
		"empty_datacenter": {[]string{"-server", "-bind=10.0.0.1", "-datacenter="}, "datacenter cannot be empty"},
		"extra_argument":   {[]string{"-server", "-bind=10.0.0.1", "-datacenter=foo", "some-other-arg"}, "Unexpected extra arguments: [some-other-arg]"},
		"no_data_dir":      {[]string{"-server", "-bind=10.0.0.1"}, "data_dir cannot be empty"},
		"advertise_any_4":  {[]string{"-server", "-data-dir", dir, "-advertise", "0.0.0.0", "-bind", "10.0.0.1"}, "Advertise address cannot be 0.0.0.0, :: or [::]"},
		"advertise_any_6":  {[]string{"-server", "-data-dir", dir, "-advertise", "::", "-bind", "10.0.0.1"}, "Advertise address cannot be 0.0.0.0, :: or [::]"},
		"advertise_any_b":  {[]string{"-server", "-data-dir", dir, "-advertise", "[::]", "-bind", "10.0.0.1"}, "Advertise address cannot be 0.0.0.0, :: or [::]"},
		"wan_any_4":        {[]string{"-server", "-data-dir", dir, "-advertise-wan", "0.0.0.0", "-bind", "10.0.0.1"}, "Advertise WAN address cannot be 0.0.0.0, :: or [::]"},
		"wan_any_6":        {[]string{"-server", "-data-dir", dir, "-advertise-wan", "::", "-bind", "10.0.0.1"}, "Advertise WAN address cannot be 0.0.0.0, :: or [::]"},
		"wan_any_b":        {[]string{"-server", "-data-dir", dir, "-advertise-wan", "[::]", "-bind", "10.0.0.1"}, "Advertise WAN address cannot be 0.0.0.0, :: or [::]"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := loadError(t, tt.line...); got != tt.want {
				t.Errorf("error is %q, want %q", got, tt.want)
			}
		})
	}
}

// TestSDKConfig loads what the official SDK's test server writes.
func TestSDKConfig(t *testing.T) {
	rt := load(t, "-config-file", "testdata/sdk.json")
	if !rt.Server || !rt.Bootstrap || rt.NodeName != "node-11111111" || rt.Ports.DNS != 20001 || rt.AdvertiseAddr != "127.0.0.1" || !rt.SkipLeaveOnInterrupt {
		t.Errorf("loaded as %+v", rt)
	}
	want := []string{
		"Bootstrap mode enabled! Do not enable unless necessary",
		"accepted, but not acted upon yet: acl.default_policy, acl.enabled, acl.tokens.agent, acl.tokens.initial_management, " +
			"peering.enabled, ports.grpc, ports.grpc_tls",
	}
	if got := slices.Sorted(slices.Values(warningsOf(t, "-config-file", "testdata/sdk.json"))); !slices.Equal(got, want) {
		t.Errorf("warnings are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestPage starts the agent of the "Run the Agent" page.
func TestPage(t *testing.T) {
	line := []string{"-server", "-bootstrap", "-data-dir", "/tmp/consul"}
	rt := load(t, line...)
	if rt.NodeName != "web1" || rt.Datacenter != "dc1" || rt.AdvertiseAddr != "10.1.10.38" || rt.EncryptKey != nil || !rt.Server || !rt.ElectsItself() {
		t.Errorf("loaded as %+v", rt)
	}
	for name, got := range map[string][]Listener{"127.0.0.1:8400": rt.RPCListeners, "127.0.0.1:8500": rt.HTTPListeners, "127.0.0.1:8600": rt.DNSListeners} {
		if !slices.Equal(got, []Listener{{"tcp", name}}) {
			t.Errorf("listens at %v, want %s", got, name)
		}
	}
	if rt.SkipLeaveOnInterrupt || rt.LeaveOnTerminate {
		t.Error("Ctrl-C must leave, SIGTERM must not")
	}
	a := args(t, line...)
	a.Host.GOMAXPROCS = 1
	_, warnings, _ := Load(a)
	want := []Warning{{Text: "Bootstrap mode enabled! Do not enable unless necessary"}, {Text: "It is highly recommended to set GOMAXPROCS higher than 1"}}
	if !slices.Equal(warnings, want) {
		t.Errorf("warnings are %v, want %v", warnings, want)
	}
}

func TestDev(t *testing.T) {
	rt := load(t, "-dev", "-data-dir", "/var/consul")
	if !rt.Dev || !rt.Server || !rt.ElectsItself() || rt.Bootstrap || rt.DataDir != "" || rt.BindAddr != "127.0.0.1" || rt.AdvertiseAddr != "127.0.0.1" ||
		rt.Performance.RaftMultiplier != 1 || rt.LogLevel != "debug" || !rt.EnableDebug || !rt.DisableKeyringFile {
		t.Errorf("loaded as %+v", rt)
	}
	if got, want := warningsOf(t, "-dev", "-data-dir", "/var/consul"), []string{"-data-dir: -dev keeps everything in memory: data_dir is not used"}; !slices.Equal(got, want) {
		t.Errorf("warnings are %q, want %q", got, want)
	}
	if got := warningsOf(t, "-dev"); len(got) > 0 {
		t.Errorf("-dev alone warns: %q", got)
	}
}

// TestEveryKeyTogether loads a file with every key of the table, but those of Consul Enterprise.
func TestEveryKeyTogether(t *testing.T) {
	rt := load(t, "-config-file", "testdata/full.hcl")
	for _, k := range Keys() {
		if !k.Is(Enterprise) && !strings.HasPrefix(rt.Origin(k.Path), "testdata/full.hcl:") {
			t.Errorf("full.hcl does not set %s", k.Path)
		}
	}
	if want := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}; !slices.Equal(rt.WriteNetworks, want) {
		t.Errorf("may write: %v, want %v", rt.WriteNetworks, want)
	}
	warned := map[string]bool{}
	for _, w := range warningsOf(t, "-config-file", "testdata/full.hcl") {
		if keys, ok := strings.CutPrefix(w, "accepted, but not acted upon yet: "); ok {
			for k := range strings.SplitSeq(keys, ", ") {
				warned[k] = true
			}
		}
	}
	var want []string
	for _, k := range Keys() {
		if k.Use == 0 {
			want = append(want, k.Path)
		}
	}
	slices.Sort(want)
	if got := slices.Sorted(maps.Keys(warned)); !slices.Equal(got, want) {
		t.Errorf("full.hcl sets the keys\n%q\nthe table does not act upon\n%q", got, want)
	}
}

// TestFreeForm merges keys whose values are kept as they are.
func TestFreeForm(t *testing.T) {
	rt := load(t, "-dev",
		"-hcl", `watches = [{ type = "key" }] connect { ca_config { a = 1 b = { c = 2.5 } } } ui_config { metrics_proxy { base_url = "x" add_headers { n = "1" } add_headers { n = "2" } } }`,
		"-hcl", `{"watches": [{"type": "services", "args": ["a"]}], "connect": {"ca_config": {"a": true}}, "ui_config": {"metrics_proxy": {"path_allowlist": null}}}`)
	for path, want := range map[string]any{
		"watches":           []any{map[string]any{"type": "key"}, map[string]any{"type": "services", "args": []any{"a"}}},
		"connect.ca_config": map[string]any{"a": true, "b": map[string]any{"c": 2.5}},
		"ui_config.metrics_proxy": map[string]any{"base_url": "x", "path_allowlist": nil,
			"add_headers": []any{map[string]any{"n": "1"}, map[string]any{"n": "2"}}},
	} {
		if got := rt.Value(path); !same(got, want) {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
}

// TestThisHost resolves an agent with what the machine says.
func TestThisHost(t *testing.T) {
	a := args(t, "-dev", "-hcl", `client_addr = "{{ GetAllInterfaces | include \"flags\" \"loopback\" | include \"type\" \"IPv4\" | join \"address\" \" \" }}"`)
	a.Host = ThisHost()
	rt, _, err := Load(a)
	if err != nil {
		t.Fatal(err)
	}
	if rt.NodeName == "" || rt.ClientAddr != "127.0.0.1" {
		t.Errorf("node_name is %q, client_addr %q", rt.NodeName, rt.ClientAddr)
	}
	for what, list := range map[string]func() ([]netip.Addr, error){"private IPv4": a.Host.PrivateIPv4, "global IPv6": a.Host.GlobalIPv6} {
		addrs, err := list()
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		for _, addr := range addrs {
			if addr.IsLoopback() || addr.Is6() != (what == "global IPv6") {
				t.Errorf("%s lists %s", what, addr)
			}
		}
	}
}
