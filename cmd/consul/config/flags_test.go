package config

import (
	"bytes"
	"flag"
	"io"
	"strings"
	"testing"
)

// TestFlags holds the list of flags: those of Consul 1.19, and those of the "Run the Agent" page's time.
func TestFlags(t *testing.T) {
	consul := `advertise advertise-wan bind server-port bootstrap bootstrap-expect client check_output_max_size config-dir config-file config-format
		data-dir datacenter default-query-time dev disable-host-node-id disable-keyring-file dns-port domain alt-domain enable-script-checks
		enable-local-script-checks allow-write-http-from encrypt grpc-port grpc-tls-port http-port https-port join join-wan log-level log-json log-file
		log-rotate-bytes log-rotate-duration log-rotate-max-files max-query-time node node-id node-meta pid-file protocol raft-protocol recursor
		primary-gateway rejoin auto-reload-config retry-interval retry-interval-wan retry-join retry-join-wan retry-max retry-max-wan
		serf-lan-allowed-cidrs serf-wan-allowed-cidrs serf-lan-bind serf-lan-port segment serf-wan-bind serf-wan-port server syslog ui ui-content-path
		ui-dir hcl read-replica non-voting-server`
	page := `dc rpc-addr rpc-port`
	fs := flag.NewFlagSet("agent", flag.ContinueOnError)
	Flags(fs)
	want := map[string]bool{}
	for _, name := range strings.Fields(consul + " " + page) {
		if want[name] = true; fs.Lookup(name) == nil {
			t.Errorf("there is no flag -%s", name)
		}
	}
	fs.VisitAll(func(f *flag.Flag) {
		if !want[f.Name] {
			t.Errorf("flag -%s is not on the list", f.Name)
		}
		if f.Usage == "" {
			t.Errorf("flag -%s has no usage", f.Name)
		}
	})
}

func TestFlagMistakes(t *testing.T) {
	tests := map[string]struct{ arg, want string }{
		"number":   {"-http-port=x", `invalid value "x" for flag -http-port: want a port number`},
		"port":     {"-http-port=70000", `invalid value "70000" for flag -http-port: cannot be 70000. Must be a port from 1 to 65535, or -1 to disable it`},
		"bool":     {"-server=perhaps", `invalid boolean value "perhaps" for -server: want true or false`},
		"duration": {"-retry-interval=1", `invalid value "1" for flag -retry-interval: want a duration such as "10s"`},
		"zero":     {"-retry-interval=0s", `invalid value "0s" for flag -retry-interval: cannot be 0s. Must be greater than zero`},
		"pair":     {"-node-meta=x", `invalid value "x" for flag -node-meta: want an object whose values are texts (as a flag: key:value)`},
		"format":   {"-config-format=yaml", `invalid value "yaml" for flag -config-format: must be json or hcl`},
		"rpc_addr": {"-rpc-addr=a:b", `invalid value "a:b" for flag -rpc-addr: "b" is not a port`},
		"rpc_port": {"-rpc-addr=127.0.0.1:0", `invalid value "127.0.0.1:0" for flag -rpc-addr: cannot be 0. Must be a port from 1 to 65535, or -1 to disable it`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			fs := flag.NewFlagSet("agent", flag.ContinueOnError)
			fs.SetOutput(io.Discard)
			Flags(fs)
			if err := fs.Parse([]string{tt.arg}); err == nil || err.Error() != tt.want {
				t.Errorf("error is %v, want %s", err, tt.want)
			}
		})
	}
}

// TestFlagForms parses the ways to write a flag.
func TestFlagForms(t *testing.T) {
	rt := load(t, "-dev", "--dc", "east", "-retry-join=a", "-retry-join", "b", "-node-meta", "a:b:c", "-node-meta", "d:", "-rejoin", "-bootstrap=false", "-retry-max", "3", "-retry-max", "4")
	if rt.Datacenter != "east" || !same(rt.RetryJoin, []string{"a", "b"}) || !same(rt.NodeMeta, map[string]string{"a": "b:c", "d": ""}) || !rt.RejoinAfterLeave || rt.RetryMax != 4 {
		t.Errorf("parsed as %+v", rt)
	}
}

func TestUsage(t *testing.T) {
	fs := flag.NewFlagSet("agent", flag.ContinueOnError)
	var out bytes.Buffer
	fs.SetOutput(&out)
	Flags(fs)
	fs.PrintDefaults()
	for _, want := range []string{
		"  -server\n    \tserver: takes part in consensus and answers for the datacenter\n",
		"  -http-port port\n    \tHTTP (port; 8500 unless set)\n",
		"  -retry-join value\n    \tagents to join, again and again until one answers (value; may repeat)\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("usage lacks %q", want)
		}
	}
}
