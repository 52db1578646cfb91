package wire

import (
	"cmp"
	"strings"

	"github.com/hashicorp/consul/api"
)

// GatewayService is a service that a gateway of the mesh leads to, by the config entry
// of the gateway.
type GatewayService struct {
	Gateway      ServiceName
	Service      ServiceName
	GatewayKind  ServiceKind
	Port         int      `json:",omitempty"` // of the listener of an ingress gateway
	Protocol     string   `json:",omitempty"` // the same
	Hosts        []string `json:",omitempty"` // that an ingress gateway takes for the service
	CAFile       string   `json:",omitempty"` // this and the following: how a terminating gateway speaks TLS
	CertFile     string   `json:",omitempty"`
	KeyFile      string   `json:",omitempty"`
	SNI          string   `json:",omitempty"`
	FromWildcard bool     `json:",omitempty"` // the entry names every service, and this one not by itself
	RaftIndex
}

// IndexedGatewayServices answers Catalog.GatewayServices.
type IndexedGatewayServices struct {
	Services []*GatewayService
	QueryMeta
}

// GatewayServices returns the services that the entry of a gateway names, the wildcard
// among them, in its order; none for what is no such entry.
func GatewayServices(e ConfigEntry) []*GatewayService {
	switch e := e.(type) {
	case *api.IngressGatewayConfigEntry:
		return ingressServices(e)
	case *api.TerminatingGatewayConfigEntry:
		return terminatingServices(e)
	default:
		return nil
	}
}

func ingressServices(e *api.IngressGatewayConfigEntry) []*GatewayService {
	var services []*GatewayService
	for _, l := range e.Listeners {
		for _, s := range l.Services {
			services = append(services, &GatewayService{
				Gateway: ServiceName{Name: e.Name}, GatewayKind: ServiceKindIngressGateway,
				Service: ServiceName{Name: s.Name}, Port: l.Port,
				Protocol: strings.ToLower(cmp.Or(l.Protocol, "tcp")), Hosts: s.Hosts,
				RaftIndex: RaftIndex{CreateIndex: e.CreateIndex, ModifyIndex: e.ModifyIndex},
			})
		}
	}
	return services
}

func terminatingServices(e *api.TerminatingGatewayConfigEntry) []*GatewayService {
	var services []*GatewayService
	for _, s := range e.Services {
		services = append(services, &GatewayService{
			Gateway: ServiceName{Name: e.Name}, GatewayKind: ServiceKindTerminatingGateway,
			Service: ServiceName{Name: s.Name},
			CAFile:  s.CAFile, CertFile: s.CertFile, KeyFile: s.KeyFile, SNI: s.SNI,
			RaftIndex: RaftIndex{CreateIndex: e.CreateIndex, ModifyIndex: e.ModifyIndex},
		})
	}
	return services
}
