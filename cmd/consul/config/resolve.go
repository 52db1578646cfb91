package config

import (
	"encoding/base64"
	"errors"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	defs "github.com/actor-consul/consul/messages/definition"
)

// Errors that scripts know word for word from Consul.
var (
	errNoDatacenter    = errors.New("datacenter cannot be empty")
	errNoDataDir       = errors.New("data_dir cannot be empty")
	errAdvertiseAny    = errors.New("Advertise address cannot be 0.0.0.0, :: or [::]")
	errAdvertiseWANAny = errors.New("Advertise WAN address cannot be 0.0.0.0, :: or [::]")
	errRecursorAny     = errors.New("DNS recursor address cannot be 0.0.0.0, :: or [::]")
	errBootstrapTwice  = errors.New("'bootstrap_expect > 0' and 'bootstrap = true' are mutually exclusive")
	errBootstrapClient = errors.New("'bootstrap = true' requires 'server = true'")
	errExpectClient    = errors.New("'bootstrap_expect > 0' requires 'server = true'")
	errExpectInDev     = errors.New("'bootstrap_expect > 0' not allowed in dev mode")
)

// resolver turns merged keys into a Runtime. Its steps run in order, each leaving its fields canonical for the next.
type resolver struct {
	*Runtime
	host     Host
	problems Problems
	warnings []Warning
}

// resolve makes the Runtime of settings, which hold every layer.
func resolve(all settings, dev bool, host Host) (*Runtime, []Warning, error) {
	r := &resolver{Runtime: &Runtime{Dev: dev, settings: all}, host: host}
	inheritTLS(all)
	fill(r.Runtime, runtimeFields, all)
	if err := r.required(); err != nil {
		return nil, r.warnings, err
	}
	for _, step := range []func(){
		r.names, r.meta, r.election, r.bind, r.advertise, r.servers, r.listeners, r.ports,
		r.joins, r.leaving, r.encryption, r.security, r.sockets, r.consensus, r.logging, r.domains, r.recursors, r.queries, r.access, r.telemetry, r.definitions, r.mesh,
	} {
		step()
	}
	if err := r.problems.err(); err != nil {
		return nil, r.warnings, err
	}
	return r.Runtime, r.warnings, nil
}

// required are the mistakes that stand alone: where one of them is made, what else is wrong is a consequence. It answers
// the first, as Consul does.
func (r *resolver) required() error {
	if r.Datacenter == "" {
		return Problems{{Text: errNoDatacenter.Error()}}
	}
	if r.Dev {
		if r.DataDir != "" {
			r.warn("data_dir", "-dev keeps everything in memory: data_dir is not used")
			r.DataDir = ""
		}
		return nil
	}
	if r.DataDir == "" {
		return Problems{{Text: errNoDataDir.Error()}}
	}
	return nil
}

// bad reports a mistake in the value of a key, with the place where it was set.
func (r *resolver) bad(key, format string, args ...any) {
	r.problems.add(r.at(key), key+" "+format, args...)
}

// known reports a mistake in Consul's own words.
func (r *resolver) known(err error) { r.problems = append(r.problems, Problem{Text: err.Error()}) }

func (r *resolver) warn(key, format string, args ...any) {
	r.warnings = append(r.warnings, warn(r.at(key), format, args...))
}

// advise is a warning that belongs to no place.
func (r *resolver) advise(format string, args ...any) {
	r.warnings = append(r.warnings, warn(place{}, format, args...))
}

var (
	datacenterPattern = regexp.MustCompile(`^[a-z0-9_-]+$`)
	uuidPattern       = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
)

func (r *resolver) names() {
	r.Datacenter = strings.ToLower(r.Datacenter)
	if r.PrimaryDatacenter = strings.ToLower(r.PrimaryDatacenter); r.PrimaryDatacenter == "" {
		r.PrimaryDatacenter = r.Datacenter
	}
	r.datacenterName("datacenter", r.Datacenter)
	if r.PrimaryDatacenter != r.Datacenter {
		r.datacenterName("primary_datacenter", r.PrimaryDatacenter)
	}
	if !r.isSet("node_name") {
		name, err := r.host.Hostname()
		if err != nil {
			r.bad("node_name", "was not given, and this host does not tell its name (%v): pass it with -node", err)
			return
		}
		r.NodeName = name
	}
	if r.NodeName = strings.TrimSpace(r.NodeName); r.NodeName == "" {
		r.bad("node_name", "cannot be empty")
	}
	if odd := defs.OddNode(r.NodeName); odd != "" {
		r.warn("node_name", "%s", odd)
	}
	r.NodeID = strings.ToLower(r.NodeID)
	if r.NodeID != "" && !uuidPattern.MatchString(r.NodeID) {
		r.bad("node_id", "cannot be %q. Must be a UUID, as in 0b6c9d3e-54a0-4b9d-8e0f-0f8d8f3c2a11", r.NodeID)
	}
}

func (r *resolver) datacenterName(key, name string) {
	if !datacenterPattern.MatchString(name) {
		r.bad(key, "cannot be %q. Please use only [a-z0-9-_]", name)
	}
}

// Bounds on node_meta, which every member of the catalog carries.
const (
	maxMetaPairs = 64
	maxMetaKey   = 128
	maxMetaValue = 512
	ownMeta      = "consul-" // keys with this prefix are Consul's own
)

var metaKeyPattern = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func (r *resolver) meta() {
	if n := len(r.NodeMeta); n > maxMetaPairs {
		r.bad("node_meta", "has %d pairs, more than %d", n, maxMetaPairs)
		return
	}
	for _, k := range sortedKeys(r.NodeMeta) {
		switch {
		case len(k) > maxMetaKey || !metaKeyPattern.MatchString(k):
			r.bad("node_meta", "has key %q. A key has 1 to %d letters, digits, dashes and underscores", k, maxMetaKey)
		case strings.HasPrefix(k, ownMeta):
			r.bad("node_meta", "has key %q. Keys that start with %q are reserved", k, ownMeta)
		case len(r.NodeMeta[k]) > maxMetaValue:
			r.bad("node_meta", "has a value of %d bytes for key %q, more than %d", len(r.NodeMeta[k]), k, maxMetaValue)
		}
	}
}

// election settles how the first leader comes about.
func (r *resolver) election() {
	const table = "https://www.consul.io/docs/internals/consensus.html#deployment-table"
	expect := r.BootstrapExpect
	switch {
	case expect < 0:
		r.bad("bootstrap_expect", "cannot be %d. Must be greater than or equal to zero", expect)
		return
	case expect > 0 && r.Dev:
		r.known(errExpectInDev)
	case expect > 0 && r.Bootstrap:
		r.known(errBootstrapTwice)
	case expect > 0 && !r.Server:
		r.known(errExpectClient)
	case r.Bootstrap && !r.Server:
		r.known(errBootstrapClient)
	}
	switch {
	case expect == 1:
		r.advise("BootstrapExpect is set to 1; this is the same as Bootstrap mode.")
		r.Bootstrap, r.BootstrapExpect = true, 0
	case expect == 2:
		r.advise("A cluster with 2 servers will provide no failure tolerance. See %s", table)
	case expect > 0 && expect%2 == 0:
		r.advise("A cluster with an even number of servers does not achieve optimum fault tolerance. See %s", table)
	}
	if r.BootstrapExpect > 0 {
		r.advise("Expect Mode enabled, expecting %d servers", r.BootstrapExpect)
	}
	if r.Bootstrap {
		r.advise("Bootstrap mode enabled! Do not enable unless necessary")
	}
	if r.host.GOMAXPROCS == 1 {
		r.advise("It is highly recommended to set GOMAXPROCS higher than 1")
	}
}

// shortestReconnect is Consul's lower bound: less would forget agents before anybody can repair an outage.
const shortestReconnect = 8 * time.Hour

func (r *resolver) leaving() {
	if !r.isSet("leave_on_terminate") {
		r.LeaveOnTerminate = !r.Server
	}
	r.reconnect("reconnect_timeout", &r.ReconnectTimeout)
	r.reconnect("reconnect_timeout_wan", &r.ReconnectTimeoutWAN)
	switch key, after := "advertise_reconnect_timeout", r.AdvertiseReconnectTimeout; {
	case after != 0 && r.Server:
		r.bad(key, "can only be used on a client")
	case after < 0:
		r.bad(key, "cannot be %s. Must be greater than or equal to zero", after)
	}
}

func (r *resolver) reconnect(key string, after *time.Duration) {
	if *after == 0 {
		*after = standard[time.Duration](key)
	}
	if *after < shortestReconnect {
		r.bad(key, "cannot be %s. Must be at least %s", *after, shortestReconnect)
	}
}

// standard is the default of a key, for those that take zero to mean it.
func standard[T any](key string) T { return defaults()[key].value.(T) }

func (r *resolver) encryption() {
	if r.Encrypt == "" {
		return
	}
	const advice = `a key is 16, 24 or 32 bytes in base64: make one with "consul keygen"`
	key, err := base64.StdEncoding.DecodeString(r.Encrypt)
	if err != nil {
		r.bad("encrypt", "has invalid key: it is not base64; %s", advice)
		return
	}
	if !slices.Contains([]int{16, 24, 32}, len(key)) {
		r.bad("encrypt", "has invalid key: it decodes to %d bytes; %s", len(key), advice)
		return
	}
	r.EncryptKey = key
}

func (r *resolver) consensus() {
	if m := r.Performance.RaftMultiplier; m < 1 || m > 10 {
		r.bad("performance.raft_multiplier", "cannot be %d. Must be between 1 and 10", m)
	}
	if m := r.RaftLogstore.WAL.SegmentSizeMB; m < 1 || m > 1024 {
		r.bad("raft_logstore.wal.segment_size_mb", "cannot be %d. Must be between 1 and 1024", m)
	}
	if p := r.Protocol; p < 2 || p > 3 {
		r.bad("protocol", "cannot be %d. Must be 2 or 3", p)
	}
	if p := r.RaftProtocol; p != 3 {
		r.bad("raft_protocol", "cannot be %d. Must be 3", p)
	}
}

func (r *resolver) logging() {
	levels := map[string]string{"trace": "trace", "debug": "debug", "info": "info", "warn": "warn", "warning": "warn", "err": "err", "error": "err"}
	level, ok := levels[strings.ToLower(r.LogLevel)]
	if !ok {
		r.bad("log_level", "cannot be %q. Must be trace, debug, info, warn or err", r.LogLevel)
		return
	}
	r.LogLevel = level
}

func (r *resolver) queries() {
	if r.SessionTTLMin == 0 {
		r.SessionTTLMin = standard[time.Duration]("session_ttl_min")
	}
	r.DefaultQueryTime = min(r.DefaultQueryTime, r.MaxQueryTime)
	if s := r.DNS.RecursorStrategy; s != "sequential" && s != "random" {
		r.bad("dns_config.recursor_strategy", "cannot be %q. Must be sequential or random", s)
	}
	for _, name := range sortedKeys(r.HTTP.ResponseHeaders) {
		if !headerPattern.MatchString(name) || strings.ContainsAny(r.HTTP.ResponseHeaders[name], "\r\n\x00") {
			r.bad("http_config.response_headers", "has header %q, which cannot be sent: a name is letters, digits and dashes, a value is one line", name)
		}
	}
}

// networks reads those of a key.
func (r *resolver) networks(key string, texts []string) (all []netip.Prefix) {
	for _, text := range texts {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			r.bad(key, "has %q. Must be networks, such as 10.0.0.0/8", text)
			continue
		}
		all = append(all, network.Masked())
	}
	return all
}

// access judges who may be a member, and who may ask for what over HTTP.
func (r *resolver) access() {
	r.WriteNetworks = r.networks("http_config.allow_write_http_from", r.HTTP.AllowWriteFrom)
	r.SerfLANNetworks = r.networks("serf_lan_allowed_cidrs", r.SerfLANAllowedCIDRs)
	r.SerfWANNetworks = r.networks("serf_wan_allowed_cidrs", r.SerfWANAllowedCIDRs)
	for _, path := range r.HTTP.BlockEndpoints {
		if !strings.HasPrefix(path, "/") {
			r.bad("http_config.block_endpoints", "has %q, which no path begins with. Must begin with /, as in \"/v1/acl\"", path)
		}
	}
}

// telemetry judges the rules about metrics.
func (r *resolver) telemetry() {
	for _, rule := range r.Telemetry.PrefixFilter {
		if len(rule) < 2 || rule[0] != '+' && rule[0] != '-' {
			r.bad("telemetry.prefix_filter", "has rule %q. Must begin with + for metrics to keep or - for metrics to drop, as in \"-consul.runtime\"", rule)
		}
	}
}

// headerPattern is a field name of RFC 9110.
var headerPattern = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

// definitions judges what depends on where a definition stands. (The rest is judged where it is decoded, or by the agent.)
func (r *resolver) definitions() {
	for i, c := range r.Checks {
		if c.Name == "" && c.ID == "" {
			r.bad("checks", "[%d]: a check outside of a service needs a name", i)
		}
	}
}

// mesh judges what is said of the certificate authority.
func (r *resolver) mesh() {
	if r.Connect.Enabled && r.Connect.CAProvider != "consul" {
		r.bad("connect.ca_provider", "cannot be %q. This agent has the authority that is built in, consul", r.Connect.CAProvider)
	}
}

func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}
