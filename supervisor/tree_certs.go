package supervisor

import (
	"context"
	"crypto/tls"
	"slices"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/actors/certs"
	"github.com/actor-consul/consul/messages"
)

func (p *plot) certs() actor.Producer {
	return certs.New(certs.Config{Logger: p.cfg.Logger, TLS: p.cfg.TLS, Keychain: p.keys, Server: p.cfg.Server})
}

// reloadCertificates has the files read again, and returns those that are others than
// before; when they cannot be used, the old ones stay in force.
func (p *plot) reloadCertificates(ctx context.Context, config messages.TLSConfig) (files []string, err error) {
	loaded, err := ask.Do(ctx, p.at(certs.Name), &messages.LoadCertificates{TLS: config})
	return loaded.Anew, err
}

// outgoingTLS returns how to speak TLS to the port 8300 of a server.
func (p *plot) outgoingTLS(address string) (*tls.Config, error) {
	return p.keys.Outgoing(p.datacenterOf(address))
}

// datacenterOf returns in which datacenter a server is: ours, unless it is known to be
// in another.
func (p *plot) datacenterOf(address string) string {
	if r := p.routes.Load(); r != nil {
		for dc, servers := range r.Servers {
			if dc != p.cfg.Node.Datacenter && slices.ContainsFunc(servers, func(s messages.Server) bool { return s.Addr.String() == address }) {
				return dc
			}
		}
	}
	return p.cfg.Node.Datacenter
}
