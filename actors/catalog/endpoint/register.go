package endpoint

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"strings"

	"github.com/hashicorp/go-uuid"

	"github.com/actor-consul/consul/messages/wire"
)

// Register puts a node, services and checks into the catalog.
var Register = Write[wire.RegisterRequest, struct{}]{
	"Catalog.Register", wire.RegisterRequestType, prepareRegister, resultErr[struct{}],
}

func prepareRegister(env *Env, args *wire.RegisterRequest, _ *struct{}) (bool, error) {
	if err := checkNode(args); err != nil {
		return false, err
	}
	if args.Service != nil {
		if err := prepareService(args.Service); err != nil {
			return false, err
		}
	}
	if args.Check != nil {
		args.Checks = append(args.Checks, args.Check)
		args.Check = nil
	}
	for _, check := range args.Checks {
		if check == nil {
			return false, errors.New("a check is null")
		}
		prepareCheck(args.Node, check)
		if !strings.EqualFold(check.Node, args.Node) {
			return false, fmt.Errorf("Node '%s' for check '%s' doesn't match register request node '%s'",
				check.Node, check.CheckID, args.Node)
		}
	}
	if err := mayRegister(env, args); err != nil {
		return false, err
	}
	return true, nil
}

func checkNode(args *wire.RegisterRequest) error {
	if args.PeerName != "" {
		return errors.New("services of peers are not supported")
	}
	if args.Node == "" {
		return errNoNode
	}
	if err := checkNodeID(args.ID); err != nil {
		return err
	}
	if args.Address == "" && !args.SkipNodeUpdate {
		return errors.New("Must provide address if SkipNodeUpdate is not set")
	}
	return nil
}

func checkNodeID(id string) error {
	if id == "" {
		return nil
	}
	if _, err := uuid.ParseUUID(id); err != nil {
		return fmt.Errorf("Bad node ID: %w", err)
	}
	return nil
}

func prepareService(s *wire.NodeService) error {
	if err := ValidateService(s); err != nil {
		return err
	}
	if s.ID == "" {
		s.ID = s.Service
	}
	if s.ID != "" && s.Service == "" {
		return errors.New("Must provide service name (Service.Service) when service ID is provided")
	}
	if addr, err := netip.ParseAddr(s.Address); err == nil && addr.IsUnspecified() {
		return errors.New("Invalid service address")
	}
	return nil
}

func prepareCheck(node string, c *wire.HealthCheck) {
	if c.Node == "" {
		c.Node = node
	}
	if c.CheckID == "" {
		c.CheckID = c.Name
	}
	if c.Type == "" {
		c.Type = c.Definition.Type()
	}
}

// mayRegister says whether the asker may write what args changes, and that every
// check of a service has one.
func mayRegister(env *Env, args *wire.RegisterRequest) error {
	_, known := env.View.NodeServices(nil, args.Node)
	if known != nil && !strings.EqualFold(known.Node.Node, args.Node) {
		known = nil // found by the start of its ID, which is not what was meant
	}
	if known == nil || !args.SkipNodeUpdate && changesNode(args, known.Node) {
		if err := env.may(func(a Authorizer) bool { return a.NodeWrite(args.Node) }); err != nil {
			return err
		}
	}
	ofNode := func(id string) *wire.NodeService {
		if known == nil {
			return nil
		}
		return known.Services[id]
	}
	mayWrite := func(s *wire.NodeService) error {
		return env.may(func(a Authorizer) bool {
			return a.ServiceWrite(s.Service) &&
				(s.Kind != wire.ServiceKindConnectProxy || a.ServiceWrite(s.Proxy.DestinationServiceName))
		})
	}
	if args.Service != nil {
		if err := mayWrite(args.Service); err != nil {
			return err
		}
		if other := ofNode(args.Service.ID); other != nil {
			if err := mayWrite(other); err != nil {
				return err
			}
		}
	}
	for _, check := range args.Checks {
		switch {
		case check.ServiceID == "":
			if err := env.may(func(a Authorizer) bool { return a.NodeWrite(args.Node) }); err != nil {
				return err
			}
		case args.Service != nil && args.Service.ID == check.ServiceID:
		case ofNode(check.ServiceID) == nil:
			return fmt.Errorf("Unknown service ID '%s' for check ID '%s'", check.ServiceID, check.CheckID)
		default:
			if err := mayWrite(ofNode(check.ServiceID)); err != nil {
				return err
			}
		}
	}
	return nil
}

// changesNode is a guess on the safe side: the state decides.
func changesNode(args *wire.RegisterRequest, n *wire.Node) bool {
	return args.ID != n.ID || args.Address != n.Address || args.Datacenter != n.Datacenter ||
		!maps.Equal(args.TaggedAddresses, n.TaggedAddresses) || !maps.Equal(args.NodeMeta, n.Meta)
}

// Deregister takes a service, a check or a node out of the catalog.
var Deregister = Write[wire.DeregisterRequest, struct{}]{
	"Catalog.Deregister", wire.DeregisterRequestType, prepareDeregister, resultErr[struct{}],
}

func prepareDeregister(env *Env, args *wire.DeregisterRequest, _ *struct{}) (bool, error) {
	if args.Node == "" {
		return false, errNoNode
	}
	if err := mayDeregister(env, args); err != nil {
		return false, err
	}
	return true, nil
}

func mayDeregister(env *Env, args *wire.DeregisterRequest) error {
	denied := env.may(func(a Authorizer) bool { return a.NodeWrite(args.Node) })
	if denied == nil {
		return nil
	}
	service := ""
	switch {
	case args.ServiceID != "":
		_, s := env.View.NodeService(nil, args.Node, args.ServiceID)
		if s == nil {
			return fmt.Errorf("Unknown service ID '%s'", args.ServiceID)
		}
		service = s.Service
	case args.CheckID != "":
		_, c := env.View.NodeCheck(nil, args.Node, args.CheckID)
		if c == nil {
			return fmt.Errorf("Unknown check ID '%s'", args.CheckID)
		}
		service = c.ServiceName
	}
	if service == "" {
		return denied
	}
	return env.may(func(a Authorizer) bool { return a.ServiceWrite(service) })
}
