package main

import (
	"net/netip"
	"strings"

	"github.com/actor-consul/consul/cmd/consul/config"
)

// debugConfig is what /v1/agent/self shows of the configuration, by Consul's names.
// It has no secrets.
func debugConfig(rt *config.Runtime) map[string]any {
	return map[string]any{
		"ACLsEnabled":          false,
		"AdvertiseAddrLAN":     rt.AdvertiseAddr,
		"AdvertiseAddrWAN":     rt.AdvertiseAddrWAN,
		"BindAddr":             rt.BindAddr,
		"Bootstrap":            rt.Bootstrap,
		"BootstrapExpect":      rt.BootstrapExpect,
		"ClientAddrs":          rt.ClientAddr,
		"DNSAddrs":             tagged("dns", rt.DNSListeners),
		"DNSDomain":            rt.Domain,
		"DNSPort":              rt.Ports.DNS,
		"DataDir":              rt.DataDir,
		"Datacenter":           rt.Datacenter,
		"DevMode":              rt.Dev,
		"EnableDebug":          rt.EnableDebug,
		"EncryptKey":           hidden(rt.Encrypt),
		"HTTPAddrs":            tagged("tcp", rt.HTTPListeners),
		"HTTPPort":             rt.Ports.HTTP,
		"HTTPSAddrs":           tagged("tcp", rt.HTTPSListeners),
		"HTTPSPort":            rt.Ports.HTTPS,
		"LeaveOnTerm":          rt.LeaveOnTerminate,
		"Logging":              map[string]any{"LogLevel": rt.LogLevel, "LogJSON": rt.LogJSON, "LogFilePath": rt.LogFile},
		"NodeMeta":             rt.NodeMeta,
		"NodeName":             rt.NodeName,
		"PrimaryDatacenter":    rt.PrimaryDatacenter,
		"RaftProtocol":         rt.RaftProtocol,
		"RetryJoinLAN":         rt.RetryJoin,
		"RetryJoinWAN":         rt.RetryJoinWAN,
		"SerfAdvertiseAddrLAN": tcp(rt.SerfLANAdvertise),
		"SerfAdvertiseAddrWAN": tcp(rt.SerfWANAdvertise),
		"SerfBindAddrLAN":      tcp(rt.SerfLANBind),
		"SerfBindAddrWAN":      tcp(rt.SerfWANBind),
		"SerfPortLAN":          rt.Ports.SerfLAN,
		"SerfPortWAN":          rt.Ports.SerfWAN,
		"ServerMode":           rt.Server,
		"ServerPort":           rt.Ports.Server,
		"SkipLeaveOnInt":       rt.SkipLeaveOnInterrupt,
		"TaggedAddresses":      rt.TaggedAddresses,
	}
}

func tcp(addr string) string {
	if _, err := netip.ParseAddrPort(addr); err != nil {
		return ""
	}
	return "tcp://" + addr
}

func tagged(scheme string, all []config.Listener) []string {
	out := []string{}
	for _, addr := range addresses(all) {
		if !strings.Contains(addr, "://") {
			addr = scheme + "://" + addr
		}
		out = append(out, addr)
	}
	return out
}

// hidden says that there is a secret without saying it.
func hidden(secret string) string {
	if secret == "" {
		return ""
	}
	return "hidden"
}
