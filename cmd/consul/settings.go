package main

import (
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/actor-consul/consul/actors/logs"
	"github.com/actor-consul/consul/cmd/consul/config"
	"github.com/actor-consul/consul/cmd/consul/version"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
	"github.com/actor-consul/consul/supervisor"
)

// settings turns a resolved configuration into what the supervisor takes. The
// logger and the reloader are added by who has them.
func settings(rt *config.Runtime, nodeID string) supervisor.Config { //nolint:funlen // a table
	build := version.ReadBuild()
	return supervisor.Config{
		Node: supervisor.Node{
			Name:              rt.NodeName,
			ID:                nodeID,
			Datacenter:        rt.Datacenter,
			PrimaryDatacenter: rt.PrimaryDatacenter,
			Address:           rt.AdvertiseAddr,
			TaggedAddresses:   rt.TaggedAddresses,
			Meta:              nodeMeta(rt),
		},
		Server:  rt.Server,
		DataDir: rt.DataDir,
		LAN: supervisor.Pool{
			Bind: addrPort(rt.SerfLANBind), Advertise: addrPort(rt.SerfLANAdvertise),
			Join: rt.StartJoin, RetryJoin: rt.RetryJoin, RetryInterval: rt.RetryInterval, RetryMax: rt.RetryMax,
			ReconnectTimeout: rt.ReconnectTimeout, AdvertiseReconnectTimeout: rt.AdvertiseReconnectTimeout,
			Gossip: gossip(rt.GossipLAN), AllowedCIDRs: rt.SerfLANNetworks,
		},
		WAN: supervisor.Pool{
			Bind: addrPort(rt.SerfWANBind), Advertise: addrPort(rt.SerfWANAdvertise),
			Join: rt.StartJoinWAN, RetryJoin: rt.RetryJoinWAN, RetryInterval: rt.RetryIntervalWAN, RetryMax: rt.RetryMaxWAN,
			ReconnectTimeout: rt.ReconnectTimeoutWAN, Gossip: gossip(rt.GossipWAN), AllowedCIDRs: rt.SerfWANNetworks,
		},
		Encrypt: supervisor.Encrypt{
			Key: rt.Encrypt, VerifyIncoming: rt.EncryptVerifyIncoming, VerifyOutgoing: rt.EncryptVerifyOutgoing,
			DisableKeyringFile: rt.DisableKeyringFile,
		},
		TLS:     tlsConfig(rt),
		Sockets: supervisor.UnixSockets(rt.UnixSockets),
		ServerRPC: supervisor.ServerRPC{
			Bind: rt.ServerBind, Advertise: rt.ServerAdvertise,
			MaxConnsPerClient: rt.Limits.RPCMaxConnsPerClient, HandshakeTimeout: rt.Limits.RPCHandshakeTimeout,
		},
		Raft: supervisor.Raft{
			Bootstrap:         rt.ElectsItself(),
			BootstrapExpect:   rt.BootstrapExpect,
			Multiplier:        raftMultiplier(rt),
			SnapshotThreshold: uint64(rt.RaftSnapshotThreshold),
			SnapshotInterval:  rt.RaftSnapshotInterval,
			TrailingLogs:      uint64(rt.RaftTrailingLogs),
			SegmentSize:       rt.RaftLogstore.WAL.SegmentSizeMB << 20,
		},
		Autopilot: wire.AutopilotConfig{
			CleanupDeadServers:      rt.Autopilot.CleanupDeadServers,
			LastContactThreshold:    rt.Autopilot.LastContactThreshold,
			MaxTrailingLogs:         uint64(rt.Autopilot.MaxTrailingLogs),
			MinQuorum:               uint(rt.Autopilot.MinQuorum),
			ServerStabilizationTime: rt.Autopilot.ServerStabilizationTime,
		},
		Queries: supervisor.Queries{
			DefaultTime: rt.DefaultQueryTime, MaxTime: rt.MaxQueryTime,
			Hold: rt.Performance.RPCHoldTimeout, SessionTTLMin: rt.SessionTTLMin,
		},
		Services: supervisor.Services{
			ScriptChecks:        rt.EnableScriptChecks,
			LocalScriptChecks:   rt.EnableScriptChecks || rt.EnableLocalScriptChecks,
			CheckUpdateInterval: rt.CheckUpdateInterval,
			DiscardCheckOutput:  rt.DiscardCheckOutput,
			OutputMaxSize:       rt.CheckOutputMaxSize,
			SidecarMinPort:      rt.Ports.SidecarMin,
			SidecarMaxPort:      rt.Ports.SidecarMax,
			DockerHost:          os.Getenv("DOCKER_HOST"),
			AgentTLS:            rt.EnableAgentTLSForChecks,
		},
		Connect: connect(rt.Connect),
		DNS:     supervisor.DNS{Addrs: addresses(rt.DNSListeners), Domain: rt.Domain, AltDomain: rt.AltDomain, Config: dnsConfig(rt)},
		HTTP: supervisor.HTTP{
			Addrs:             addresses(rt.HTTPListeners),
			TLSAddrs:          addresses(rt.HTTPSListeners),
			ResponseHeaders:   rt.HTTP.ResponseHeaders,
			AllowWriteFrom:    rt.WriteNetworks,
			BlockEndpoints:    rt.HTTP.BlockEndpoints,
			DiscoveryMaxStale: rt.DiscoveryMaxStale,
			MaxConnsPerClient: rt.Limits.HTTPMaxConnsPerClient,
			MaxHeaderBytes:    rt.HTTP.MaxHeaderBytes,
			HandshakeTimeout:  rt.Limits.HTTPSHandshakeTimeout,
			KVMaxValueSize:    int64(rt.Limits.KVMaxValueSize),
			TxnMaxReqLen:      int64(rt.Limits.TxnMaxReqLen),
			EnableDebug:       rt.EnableDebug,
			DebugConfig:       debugConfig(rt),
			Metrics:           newMetrics(rt),
		},
		RPC:     supervisor.RPC{Listeners: listeners(rt.RPCListeners), Explicit: rt.RPCRequired},
		Version: supervisor.Version{Compat: version.Compat, Own: version.Version, Revision: build.Revision, Date: build.Date},
		Coordinates: supervisor.Coordinates{
			Disabled: rt.DisableCoordinates, RateTarget: rt.SyncCoordinateRateTarget, IntervalMin: rt.SyncCoordinateIntervalMin,
		},
		TranslateWANAddrs: rt.TranslateWANAddrs,
		RejoinAfterLeave:  rt.RejoinAfterLeave,
	}
}

// connect returns the settings of the certificate authority, whose keys may be
// written in two ways.
func connect(c config.Connect) supervisor.Connect {
	s := supervisor.Connect{Enabled: c.Enabled, Config: map[string]any{}}
	for key, value := range c.CAConfig {
		switch strings.ToLower(strings.ReplaceAll(key, "_", "")) {
		case "clusterid":
			s.ClusterID, _ = value.(string)
		case "leafcertttl":
			s.Config["LeafCertTTL"] = value
		case "rootcertttl":
			s.Config["RootCertTTL"] = value
		case "intermediatecertttl":
			s.Config["IntermediateCertTTL"] = value
		default:
			s.Config[key] = value
		}
	}
	return s
}

func tlsConfig(rt *config.Runtime) messages.TLSConfig {
	return messages.TLSConfig{RPC: tlsSection(&rt.TLS.InternalRPC), HTTPS: tlsSection(rt.TLS.HTTPS.Section())}
}

func tlsSection(s *config.TLSSection) messages.TLSSection {
	return messages.TLSSection{
		CAFile: s.CAFile, CAPath: s.CAPath, CertFile: s.CertFile, KeyFile: s.KeyFile,
		MinVersion: s.MinVersionID(), CipherSuites: s.CipherSuiteIDs(),
		VerifyIncoming: s.VerifyIncoming, VerifyOutgoing: s.VerifyOutgoing, VerifyServerHostname: s.VerifyServerHostname,
	}
}

func gossip(g config.Gossip) messages.GossipConfig {
	return messages.GossipConfig{
		GossipInterval: g.GossipInterval, ProbeInterval: g.ProbeInterval, ProbeTimeout: g.ProbeTimeout,
		GossipNodes: g.GossipNodes, RetransmitMult: g.RetransmitMult, SuspicionMult: g.SuspicionMult,
	}
}

// nodeMeta is the metadata that the user gave and what every Consul node says.
func nodeMeta(rt *config.Runtime) map[string]string {
	meta := map[string]string{"consul-network-segment": "", "consul-version": version.Compat}
	for k, v := range rt.NodeMeta {
		meta[k] = v
	}
	return meta
}

// raftMultiplier is 0, our own timing, unless somebody asked for another.
func raftMultiplier(rt *config.Runtime) int {
	if rt.Origin("performance.raft_multiplier") == "" {
		return 0
	}
	return rt.Performance.RaftMultiplier
}

func dnsConfig(rt *config.Runtime) messages.DNSConfig {
	d := rt.DNS
	return messages.DNSConfig{
		AllowStale:        d.AllowStale,
		MaxStale:          d.MaxStale,
		UseCache:          d.UseCache,
		CacheMaxAge:       d.CacheMaxAge,
		NodeTTL:           d.NodeTTL,
		ServiceTTL:        d.ServiceTTL,
		OnlyPassing:       d.OnlyPassing,
		UDPAnswerLimit:    d.UDPAnswerLimit,
		ARecordLimit:      d.ARecordLimit,
		UDPResponseRate:   d.UDPResponseRate,
		EnableTruncate:    d.EnableTruncate,
		DisableCompress:   d.DisableCompression,
		NodeMetaTXT:       d.NodeMetaTXT,
		SOA:               messages.SOAConfig{Refresh: uint32(d.SOA.Refresh), Retry: uint32(d.SOA.Retry), Expire: uint32(d.SOA.Expire), MinTTL: uint32(d.SOA.MinTTL)},
		Recursors:         rt.Recursors,
		RecursorTimeout:   d.RecursorTimeout,
		RecursorsAtRandom: d.RecursorStrategy == "random",
		RecurseForAll:     d.RecurseForAll,
	}
}

func logFile(rt *config.Runtime) logs.FileOptions {
	return logs.FileOptions{Path: rt.LogFile, MaxBytes: int64(rt.LogRotateBytes), MaxAge: rt.LogRotateDuration, MaxFiles: rt.LogRotateMaxFiles}
}

// addrPort reads an address that the configuration has checked; the zero value for
// a listener that is disabled.
func addrPort(s string) netip.AddrPort {
	addr, err := netip.ParseAddrPort(s)
	if err != nil {
		return netip.AddrPort{}
	}
	return addr
}

func addresses(all []config.Listener) []string {
	var addrs []string
	for _, l := range all {
		if l.Network == "unix" {
			addrs = append(addrs, "unix://"+l.Address)
			continue
		}
		addrs = append(addrs, l.Address)
	}
	return addrs
}

func listeners(all []config.Listener) []supervisor.Listener {
	out := make([]supervisor.Listener, len(all))
	for i, l := range all {
		out[i] = supervisor.Listener(l)
	}
	return out
}

// banner is what the page prints of an agent that runs.
func banner(rt *config.Runtime) string {
	joined := func(all []config.Listener) string {
		if len(all) == 0 {
			return "disabled"
		}
		return "'" + strings.Join(addresses(all), " ") + "'"
	}
	server := "false"
	if rt.Server {
		server = fmt.Sprintf("true (bootstrap: %t)", rt.ElectsItself())
	}
	rows := [][2]string{
		{"Node name", "'" + rt.NodeName + "'"},
		{"Datacenter", "'" + rt.Datacenter + "'"},
		{"Advertise addr", "'" + rt.AdvertiseAddr + "'"},
		{"RPC addr", joined(rt.RPCListeners)},
		{"HTTP addr", joined(rt.HTTPListeners)},
		{"HTTPS addr", joined(rt.HTTPSListeners)},
		{"DNS addr", joined(rt.DNSListeners)},
		{"Encrypted", fmt.Sprint(rt.Encrypt != "")},
		{"Server", server},
	}
	var b strings.Builder
	for _, r := range rows {
		if r[0] == "HTTPS addr" && len(rt.HTTPSListeners) == 0 {
			continue // the page does not know it
		}
		fmt.Fprintf(&b, "%18s: %s\n", r[0], r[1])
	}
	return b.String()
}

// farewells says, at the start, what will end this agent and how.
func farewells(rt *config.Runtime) string {
	leaves := map[bool]string{true: "leaves the cluster and stops", false: "stops without leaving"}
	return fmt.Sprintf("Ctrl-C (INT) %s, TERM %s, `consul leave` %s; a second signal ends the process at once",
		leaves[!rt.SkipLeaveOnInterrupt], leaves[rt.LeaveOnTerminate], leaves[true])
}
