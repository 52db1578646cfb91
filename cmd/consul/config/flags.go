package config

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
)

// agentFlags says which key each flag sets. A flag takes what its key takes; those of lists and maps may repeat.
var agentFlags = []struct{ flag, key string }{
	{"advertise", "advertise_addr"},
	{"advertise-wan", "advertise_addr_wan"},
	{"allow-write-http-from", "http_config.allow_write_http_from"},
	{"alt-domain", "alt_domain"},
	{"auto-reload-config", "auto_reload_config"},
	{"bind", "bind_addr"},
	{"bootstrap", "bootstrap"},
	{"bootstrap-expect", "bootstrap_expect"},
	{"check_output_max_size", "check_output_max_size"},
	{"client", "client_addr"},
	{"data-dir", "data_dir"},
	{"datacenter", "datacenter"},
	{"dc", "datacenter"},
	{"default-query-time", "default_query_time"},
	{"disable-host-node-id", "disable_host_node_id"},
	{"disable-keyring-file", "disable_keyring_file"},
	{"dns-port", "ports.dns"},
	{"domain", "domain"},
	{"enable-local-script-checks", "enable_local_script_checks"},
	{"enable-script-checks", "enable_script_checks"},
	{"encrypt", "encrypt"},
	{"grpc-port", "ports.grpc"},
	{"grpc-tls-port", "ports.grpc_tls"},
	{"http-port", "ports.http"},
	{"https-port", "ports.https"},
	{"join", "start_join"},
	{"join-wan", "start_join_wan"},
	{"log-file", "log_file"},
	{"log-json", "log_json"},
	{"log-level", "log_level"},
	{"log-rotate-bytes", "log_rotate_bytes"},
	{"log-rotate-duration", "log_rotate_duration"},
	{"log-rotate-max-files", "log_rotate_max_files"},
	{"max-query-time", "max_query_time"},
	{"node", "node_name"},
	{"node-id", "node_id"},
	{"node-meta", "node_meta"},
	{"non-voting-server", "read_replica"},
	{"pid-file", "pid_file"},
	{"primary-gateway", "primary_gateways"},
	{"protocol", "protocol"},
	{"raft-protocol", "raft_protocol"},
	{"read-replica", "read_replica"},
	{"recursor", "recursors"},
	{"rejoin", "rejoin_after_leave"},
	{"retry-interval", "retry_interval"},
	{"retry-interval-wan", "retry_interval_wan"},
	{"retry-join", "retry_join"},
	{"retry-join-wan", "retry_join_wan"},
	{"retry-max", "retry_max"},
	{"retry-max-wan", "retry_max_wan"},
	{"rpc-port", "ports.rpc"},
	{"segment", "segment"},
	{"serf-lan-allowed-cidrs", "serf_lan_allowed_cidrs"},
	{"serf-lan-bind", "serf_lan"},
	{"serf-lan-port", "ports.serf_lan"},
	{"serf-wan-allowed-cidrs", "serf_wan_allowed_cidrs"},
	{"serf-wan-bind", "serf_wan"},
	{"serf-wan-port", "ports.serf_wan"},
	{"server", "server"},
	{"server-port", "ports.server"},
	{"syslog", "enable_syslog"},
	{"ui", "ui_config.enabled"},
	{"ui-content-path", "ui_config.content_path"},
	{"ui-dir", "ui_config.dir"},
}

// FlagValues is what the command line said. It is filled by parsing the flag set given to [Flags].
type FlagValues struct {
	Dev    bool     // -dev
	Paths  []string // -config-file and -config-dir, in the order given
	Format string   // -config-format: "", "json" or "hcl"
	HCL    []string // -hcl, in the order given

	fs  *flag.FlagSet
	set settings // the keys that flags said something about
}

// Flags defines the flags of `consul agent` on fs. Parse fs, then hand the result to [Load].
func Flags(fs *flag.FlagSet) *FlagValues {
	v := &FlagValues{fs: fs, set: settings{}}
	fs.BoolVar(&v.Dev, "dev", false, "run a development agent: a server in memory, for this host only")
	path := func(s string) error { v.Paths = append(v.Paths, s); return nil }
	fs.Func("config-file", "`path` of a configuration file in JSON or HCL; may repeat", path)
	fs.Func("config-dir", "`path` of a directory of configuration files; may repeat", path)
	fs.Func("config-format", "`format` of every configuration file, whatever its name: json or hcl", v.setFormat)
	fs.Func("hcl", "`fragment` of configuration, over all files and flags; may repeat", func(s string) error { v.HCL = append(v.HCL, s); return nil })
	fs.Func("rpc-addr", "`address` of the RPC listener, as ip:port, ip, or a unix:// path", v.setRPCAddr)
	for _, f := range agentFlags {
		k := mustKey(f.key)
		fs.Var(&keyFlag{name: f.flag, key: k, values: v}, f.flag, usage(k))
	}
	return v
}

// usage is the row of the table in the form of the flag package.
func usage(k *Key) string {
	switch {
	case k.Kind == Bool:
		return k.Doc
	case k.Kind == Texts || k.Kind == TextMap:
		return fmt.Sprintf("%s (`value`; may repeat)", k.Doc)
	case k.Default != "" && k.Default != "0":
		return fmt.Sprintf("%s (`%s`; %s unless set)", k.Doc, k.Kind, k.Default)
	}
	return fmt.Sprintf("%s (`%s`)", k.Doc, k.Kind)
}

func (v *FlagValues) setFormat(s string) error {
	if s != formatJSON && s != formatHCL {
		return fmt.Errorf("must be %s or %s", formatJSON, formatHCL)
	}
	v.Format = s
	return nil
}

// setRPCAddr serves the page's -rpc-addr, which names address and port in one.
func (v *FlagValues) setRPCAddr(s string) error {
	const name = "rpc-addr"
	if host, port, err := net.SplitHostPort(s); err == nil && !strings.HasPrefix(s, unixScheme) {
		if _, err := strconv.Atoi(port); err != nil {
			return fmt.Errorf("%q is not a port", port)
		}
		if err := v.put(name, mustKey("ports.rpc"), port); err != nil {
			return err
		}
		if s = host; s == "" {
			return nil // ":8401" says nothing of the address
		}
	}
	return v.put(name, mustKey("addresses.rpc"), s)
}

func (v *FlagValues) put(name string, k *Key, text string) error {
	value, err := k.Kind.info().text(text)
	if errors.Is(err, errMismatch) {
		return fmt.Errorf("want %s", k.Kind.info().want)
	}
	if err == nil && k.Is(Positive) {
		err = positive(value)
	}
	if err != nil {
		return err
	}
	v.set.put(setting{key: k, value: value, at: place{source: "-" + name}})
	return nil
}

// lists are the settings that go under the files, so that what flags list comes first; others are the rest, which go on
// top.
func (v *FlagValues) lists() settings  { return v.those(true) }
func (v *FlagValues) others() settings { return v.those(false) }

func (v *FlagValues) those(lists bool) settings {
	some := maps.Clone(v.set)
	maps.DeleteFunc(some, func(_ string, s setting) bool { return (s.key.Kind == Texts) != lists })
	return some
}

// rest are the arguments after the flags.
func (v *FlagValues) rest() []string { return slices.Clone(v.fs.Args()) }

// keyFlag sets a key from the command line.
type keyFlag struct {
	name   string
	key    *Key
	values *FlagValues
}

// Set implements flag.Value.
func (f *keyFlag) Set(s string) error { return f.values.put(f.name, f.key, s) }

// String implements flag.Value. The flag package shows it as the default, which the usage tells in its own words.
func (f *keyFlag) String() string { return "" }

// IsBoolFlag lets -server stand for -server=true.
func (f *keyFlag) IsBoolFlag() bool { return f.key != nil && f.key.Kind == Bool }
