package endpoint

import "github.com/actor-consul/consul/messages/wire"

// ValidateService checks what a service says about proxies and gateways.
func ValidateService(s *wire.NodeService) error { return wire.ValidateService(s) }
