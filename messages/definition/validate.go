package definition

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/actor-consul/consul/messages/wire"
)

// The faults of a service with several ports.
var (
	errPortName    = errors.New("Ports.Name cannot be empty")
	errPortNumber  = errors.New("Ports.Port must be non-zero")
	errPortDefault = errors.New("exactly one of the Ports must be marked as Default")
)

// validate holds a service to the rules of the catalog, which would refuse it later.
func validate(s *wire.NodeService) error {
	if err := wire.ValidateWeights(s.Weights); err != nil {
		return fmt.Errorf("Invalid Weights: %w", err)
	}
	if err := wire.ValidateServiceMeta(s.Kind, s.Meta); err != nil {
		return fmt.Errorf("Invalid Service Meta: %w", err)
	}
	if err := wire.ValidateService(s); err != nil {
		return fmt.Errorf("Validation failed: %w", err)
	}
	if err := validatePorts(s.Ports); err != nil {
		return err
	}
	return validateTagged(s.TaggedAddresses)
}

func validatePorts(ports wire.ServicePorts) error {
	if len(ports) == 0 {
		return nil
	}
	names, defaults := map[string]bool{}, 0
	for _, p := range ports {
		switch {
		case strings.TrimSpace(p.Name) == "":
			return errPortName
		case p.Port <= 0:
			return errPortNumber
		case names[p.Name]:
			return fmt.Errorf("Ports.Name %q has to be unique", p.Name)
		}
		names[p.Name] = true
		if p.Default {
			defaults++
		}
	}
	if defaults != 1 {
		return errPortDefault
	}
	return nil
}

// validateTagged wants the addresses of a family to be of it.
func validateTagged(tagged map[string]wire.ServiceAddress) error {
	for _, t := range []struct {
		tag, family string
		fits        func(netip.Addr) bool
	}{
		{wire.TaggedAddressLANIPv4, "ipv4", isIPv4},
		{wire.TaggedAddressWANIPv4, "ipv4", isIPv4},
		{wire.TaggedAddressLANIPv6, "ipv6", isIPv6},
		{wire.TaggedAddressWANIPv6, "ipv6", isIPv6},
	} {
		a, there := tagged[t.tag]
		if !there {
			continue
		}
		if addr, err := netip.ParseAddr(a.Address); err != nil || !t.fits(addr) {
			return fmt.Errorf("Service tagged address %q must be a valid %s address", t.tag, t.family)
		}
	}
	return nil
}

func isIPv4(a netip.Addr) bool { return a.Unmap().Is4() }

func isIPv6(a netip.Addr) bool { return a.Is6() && !a.Is4In6() }

// isAny says whether the address is one that means every address of a machine,
// where nobody can connect to.
func isAny(address string) bool {
	addr, err := netip.ParseAddr(strings.Trim(address, "[]"))
	return err == nil && addr.IsUnspecified()
}

func joinHostPort(host string, port int) string {
	if addr, err := netip.ParseAddr(host); err == nil && addr.Is6() {
		host = "[" + host + "]"
	}
	return host + ":" + strconv.Itoa(port)
}

// Odd says what is odd about a service that may be registered nevertheless: a name or
// tags that no DNS query can have, or that not everybody asks for.
func Odd(s *wire.NodeService) (all []string) {
	if odd := oddName(s.Service, strings.Contains(s.Service, ".")); odd != "" {
		all = append(all, fmt.Sprintf("service name %q %s", s.Service, odd))
	}
	for _, tag := range s.Tags {
		if odd := oddName(tag, false); odd != "" {
			all = append(all, fmt.Sprintf("tag %q of service %q %s", tag, s.Service, odd))
		}
	}
	return all
}

// OddNode says what is odd about the name of a node in the same way; it is empty if
// nothing is, or there is none.
func OddNode(name string) string {
	if odd := oddName(name, false); odd != "" && name != "" {
		return fmt.Sprintf("node name %q %s", name, odd)
	}
	return ""
}

// maxLabel is how long a part of a DNS name may be (RFC 1035).
const maxLabel = 63

// oddName says what is odd about a name, which may be several labels unless it has a
// dot too many. An agent answers what DNS can carry; but names of hosts are made of less,
// and many programs and resolvers refuse others (RFC 1123).
func oddName(name string, dotted bool) string {
	if dotted {
		return "cannot be found in DNS: what is before a dot is taken for a tag"
	}
	plain := true
	for label := range strings.SplitSeq(name, ".") {
		switch {
		case label == "":
			return "cannot be found in DNS: it has a part that is empty"
		case len(label) > maxLabel:
			return fmt.Sprintf("cannot be found in DNS: it is longer than %d bytes", maxLabel)
		}
		plain = plain && !strings.ContainsFunc(label, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-'
		})
	}
	if !plain {
		return "is found in DNS, but not by everybody: names of hosts have letters, digits and dashes only"
	}
	return ""
}
