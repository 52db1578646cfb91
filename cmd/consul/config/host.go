package config

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"

	"github.com/hashicorp/go-sockaddr/template"
)

// Host is what the configuration must know of the machine: everything that is not in flags and files. Tests give their
// own.
type Host struct {
	// Hostname is the default of node_name. Required.
	Hostname func() (string, error)
	// PrivateIPv4 lists the private IPv4 addresses of the interfaces that are up, for bind_addr 0.0.0.0. Required.
	PrivateIPv4 func() ([]netip.Addr, error)
	// GlobalIPv6 lists the global IPv6 addresses of the interfaces that are up, for bind_addr ::. Required.
	GlobalIPv6 func() ([]netip.Addr, error)
	// Expand evaluates a go-sockaddr template, as in `{{ GetPrivateIP }}`. Required.
	Expand func(text string) (string, error)
	// GOMAXPROCS is how many threads run Go code at once; for 1 there is a warning.
	GOMAXPROCS int
}

// ThisHost asks the machine that the program runs on.
func ThisHost() Host {
	return Host{
		Hostname:    os.Hostname,
		PrivateIPv4: func() ([]netip.Addr, error) { return interfaceAddrs(isPrivateIPv4) },
		GlobalIPv6:  func() ([]netip.Addr, error) { return interfaceAddrs(isGlobalIPv6) },
		Expand:      template.Parse,
		GOMAXPROCS:  runtime.GOMAXPROCS(0),
	}
}

// carrierGrade is the range that providers share between customers (RFC 6598): private for our purpose.
var carrierGrade = netip.MustParsePrefix("100.64.0.0/10")

func isPrivateIPv4(a netip.Addr) bool {
	return a.Is4() && (a.IsPrivate() || carrierGrade.Contains(a))
}

func isGlobalIPv6(a netip.Addr) bool { return a.Is6() && a.IsGlobalUnicast() }

func interfaceAddrs(keep func(netip.Addr) bool) ([]netip.Addr, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list the network interfaces: %w", err)
	}
	var found []netip.Addr
	for _, i := range interfaces {
		if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagLoopback != 0 {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			return nil, fmt.Errorf("list the addresses of interface %s: %w", i.Name, err)
		}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil && keep(p.Addr().Unmap()) && !slices.Contains(found, p.Addr().Unmap()) {
				found = append(found, p.Addr().Unmap())
			}
		}
	}
	return found, nil
}
