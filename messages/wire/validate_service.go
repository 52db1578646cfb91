package wire

import (
	"errors"
	"fmt"
	"strings"
)

// The faults that ValidateService finds. Clients match the texts.
var (
	errNoDestination       = errors.New("Proxy.DestinationServiceName must be non-empty for Connect proxy services")
	errWildcardDestination = errors.New("Proxy.DestinationServiceName must not be a wildcard for Connect proxy services")
	errNativeProxy         = errors.New("A Proxy cannot also be Connect Native, only typical services")
	errNativePort          = errors.New("Port or SocketPath must be set for a Connect native service.")
	errSidecarID           = errors.New("A SidecarService cannot specify an ID as this is managed by the agent")
	errNestedSidecar       = errors.New("A SidecarService cannot have a nested SidecarService")
)

// ValidateService checks what a service says about proxies and gateways. Agents
// ask it before they register one, and servers before they take one on.
func ValidateService(s *NodeService) error {
	var errs []error
	switch s.Kind {
	case ServiceKindTypical:
	case ServiceKindConnectProxy:
		errs = proxyFaults(s)
	case ServiceKindMeshGateway, ServiceKindTerminatingGateway, ServiceKindIngressGateway, ServiceKindAPIGateway:
		errs = gatewayFaults(s)
	}
	if side := s.Connect.SidecarService; side != nil {
		if side.ID != "" {
			errs = append(errs, errSidecarID)
		}
		if side.Connect != nil && side.Connect.SidecarService != nil {
			errs = append(errs, errNestedSidecar)
		}
	}
	if s.Connect.Native && s.Port == 0 && s.SocketPath == "" {
		errs = append(errs, errNativePort)
	}
	return joinFaults(errs)
}

func proxyFaults(s *NodeService) []error {
	var errs []error
	if s.Port == 0 && s.SocketPath == "" {
		errs = append(errs, fmt.Errorf("Port or SocketPath must be set for a %s", s.Kind))
	}
	switch strings.TrimSpace(s.Proxy.DestinationServiceName) {
	case "":
		errs = append(errs, errNoDestination)
	case "*":
		errs = append(errs, errWildcardDestination)
	}
	if s.Connect.Native {
		errs = append(errs, errNativeProxy)
	}
	for _, u := range s.Proxy.Upstreams {
		if err := upstreamFault(&u); err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

func upstreamFault(u *Upstream) error {
	switch {
	case u.DestinationType != "" && u.DestinationType != "service" && u.DestinationType != "prepared_query":
		return fmt.Errorf("unknown upstream destination type: %q", u.DestinationType)
	case u.DestinationName == "":
		return errors.New("upstream destination name cannot be empty")
	case u.CentrallyConfigured:
		return nil
	case u.DestinationName == "*":
		return errors.New("upstream destination name cannot be a wildcard")
	case u.LocalBindPort == 0 && u.LocalBindSocketPath == "":
		return errors.New("upstream local bind port or local socket path must be defined and nonzero")
	case u.LocalBindPort != 0 && u.LocalBindSocketPath != "":
		return errors.New("only one of upstream local bind port or local socket path can be defined and nonzero")
	default:
		return nil
	}
}

func gatewayFaults(s *NodeService) []error {
	var errs []error
	if s.Port == 0 && s.Kind != ServiceKindIngressGateway && s.Kind != ServiceKindAPIGateway {
		errs = append(errs, fmt.Errorf("Port must be non-zero for a %s", s.Kind))
	}
	if s.Connect.SidecarService != nil {
		errs = append(errs, fmt.Errorf("A %s cannot have a sidecar service defined", s.Kind))
	}
	for _, has := range []struct {
		what string
		set  bool
	}{
		{"DestinationServiceName", s.Proxy.DestinationServiceName != ""},
		{"DestinationServiceID", s.Proxy.DestinationServiceID != ""},
		{"LocalServiceAddress", s.Proxy.LocalServiceAddress != ""},
		{"LocalServicePort", s.Proxy.LocalServicePort != 0},
		{"LocalServiceSocketPath", s.Proxy.LocalServiceSocketPath != ""},
		{"Upstreams", len(s.Proxy.Upstreams) != 0},
	} {
		if has.set {
			errs = append(errs, fmt.Errorf("The Proxy.%s configuration is invalid for a %s", has.what, s.Kind))
		}
	}
	return errs
}

// joinFaults writes faults as a list.
func joinFaults(errs []error) error {
	switch len(errs) {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("1 error occurred:\n\t* %w\n\n", errs[0])
	}
	var list strings.Builder
	for _, err := range errs {
		fmt.Fprintf(&list, "\t* %v\n", err)
	}
	return fmt.Errorf("%d errors occurred:\n%s\n", len(errs), list.String())
}
