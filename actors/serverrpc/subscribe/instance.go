package subscribe

import (
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/actor-consul/consul/messages/wire"
)

// instance appends a CheckServiceNode.
func (m *message) instance(n *wire.CheckServiceNode) {
	m.part(1, func(m *message) { m.node(n.Node) })
	m.part(2, func(m *message) { m.service(n.Service) })
	for _, c := range n.Checks {
		m.part(3, func(m *message) { m.check(c) })
	}
}

// former appends a CheckServiceNode with no more than tells it from others: one that is
// gone.
func (m *message) former(k key) {
	m.part(1, func(m *message) { m.text(2, k.node) })
	m.part(2, func(m *message) {
		m.text(2, k.id)
		m.text(3, k.service)
		m.enterprise(16)
	})
}

// enterprise appends namespace and partition, of which there are none.
func (m *message) enterprise(field protowire.Number) { m.part(field, func(*message) {}) }

func (m *message) index(field protowire.Number, at wire.RaftIndex) {
	m.part(field, func(m *message) {
		m.number(1, at.CreateIndex)
		m.number(2, at.ModifyIndex)
	})
}

func (m *message) locality(field protowire.Number, l *wire.Locality) {
	if l == nil {
		return
	}
	m.part(field, func(m *message) {
		m.text(1, l.Region)
		m.text(2, l.Zone)
	})
}

func (m *message) node(n *wire.Node) {
	m.text(1, n.ID)
	m.text(2, n.Node)
	m.text(3, n.Address)
	m.text(4, n.Datacenter)
	m.pairs(5, n.TaggedAddresses)
	m.pairs(6, n.Meta)
	m.index(7, n.RaftIndex)
	m.text(8, n.Partition)
	m.text(9, n.PeerName)
	m.locality(10, n.Locality)
}

// service appends a NodeService. A sidecar that is defined with its service is another
// service by the time that it is in the catalog, so there is none within.
func (m *message) service(s *wire.NodeService) {
	m.text(1, string(s.Kind))
	m.text(2, s.ID)
	m.text(3, s.Service)
	m.texts(4, s.Tags)
	m.text(5, s.Address)
	m.pairs(6, s.Meta)
	m.int(7, s.Port)
	if w := s.Weights; w != nil {
		m.part(8, func(m *message) {
			m.int(1, w.Passing)
			m.int(2, w.Warning)
		})
	}
	m.flag(9, s.EnableTagOverride)
	m.part(11, func(m *message) { m.proxy(&s.Proxy) })
	m.part(12, func(m *message) { m.connect(&s.Connect) })
	m.flag(13, s.LocallyRegisteredAsSidecar)
	m.index(14, s.RaftIndex)
	each(m, 15, s.TaggedAddresses, func(m *message, a wire.ServiceAddress) {
		m.part(2, func(m *message) {
			m.text(1, a.Address)
			m.int(2, a.Port)
		})
	})
	m.enterprise(16)
	m.text(17, s.SocketPath)
	m.text(18, s.PeerName)
	m.locality(19, s.Locality)
}

func (m *message) connect(c *wire.ServiceConnect) {
	m.flag(1, c.Native)
	if p := c.PeerMeta; p != nil {
		m.part(4, func(m *message) {
			m.texts(1, p.SNI)
			m.texts(2, p.SpiffeID)
			m.text(3, p.Protocol)
		})
	}
}

func (m *message) check(c *wire.HealthCheck) {
	m.text(1, c.Node)
	m.text(2, c.CheckID)
	m.text(3, c.Name)
	m.text(4, c.Status)
	m.text(5, c.Notes)
	m.text(6, c.Output)
	m.text(7, c.ServiceID)
	m.text(8, c.ServiceName)
	m.texts(9, c.ServiceTags)
	m.part(10, func(m *message) { m.definition(&c.Definition) })
	m.index(11, c.RaftIndex)
	m.text(12, c.Type)
	m.enterprise(13)
	m.int(14, c.ExposedPort)
	m.text(15, c.Interval)
	m.text(16, c.Timeout)
	m.text(17, c.PeerName)
}

func (m *message) definition(d *wire.HealthCheckDefinition) {
	m.text(1, d.HTTP)
	m.flag(2, d.TLSSkipVerify)
	each(m, 3, d.Header, func(m *message, values []string) {
		m.part(2, func(m *message) { m.texts(1, values) })
	})
	m.text(4, d.Method)
	m.text(5, d.TCP)
	m.duration(6, d.Interval)
	m.duration(7, d.Timeout)
	m.duration(8, d.DeregisterCriticalServiceAfter)
	m.number(9, uint64(uint32(d.OutputMaxSize)))
	m.texts(10, d.ScriptArgs)
	m.text(11, d.DockerContainerID)
	m.text(12, d.Shell)
	m.text(13, d.GRPC)
	m.flag(14, d.GRPCUseTLS)
	m.text(15, d.AliasNode)
	m.text(16, d.AliasService)
	m.duration(17, d.TTL)
	m.text(18, d.Body)
	m.text(19, d.TLSServerName)
	m.text(20, d.H2PING)
	m.flag(21, d.H2PingUseTLS)
	m.flag(22, d.DisableRedirects)
	m.text(23, d.UDP)
	m.text(24, d.OSService)
	m.flag(25, d.TCPUseTLS)
}

// duration appends a google.protobuf.Duration. Both parts have the sign of the whole.
func (m *message) duration(field protowire.Number, d time.Duration) {
	m.maybe(field, func(m *message) {
		m.number(1, uint64(d/time.Second))
		m.int(2, int(d%time.Second))
	})
}
