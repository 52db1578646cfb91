package subscribe

import (
	"math"
	"reflect"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/actor-consul/consul/messages/wire"
)

// proxy appends a ConnectProxyConfig.
func (m *message) proxy(p *wire.ConnectProxyConfig) {
	m.text(1, p.DestinationServiceName)
	m.text(2, p.DestinationServiceID)
	m.text(3, p.LocalServiceAddress)
	m.int(4, p.LocalServicePort)
	m.dict(5, p.Config)
	for i := range p.Upstreams {
		m.part(6, func(m *message) { m.upstream(&p.Upstreams[i]) })
	}
	m.maybe(7, func(m *message) { m.text(1, p.MeshGateway.Mode) })
	m.maybe(8, func(m *message) { m.expose(&p.Expose) })
	m.text(9, p.Mode)
	m.maybe(10, func(m *message) {
		m.int(1, p.TransparentProxy.OutboundListenerPort)
		m.flag(2, p.TransparentProxy.DialedDirectly)
	})
	m.text(11, p.LocalServiceSocketPath)
	for i := range p.EnvoyExtensions {
		m.part(12, func(m *message) { m.extension(&p.EnvoyExtensions[i]) })
	}
	m.maybe(13, func(m *message) { m.accessLogs(&p.AccessLogs) })
}

func (m *message) upstream(u *wire.Upstream) {
	m.text(1, u.DestinationType)
	m.text(2, u.DestinationNamespace)
	m.text(3, u.DestinationName)
	m.text(4, u.Datacenter)
	m.text(5, u.LocalBindAddress)
	m.int(6, u.LocalBindPort)
	m.dict(7, u.Config)
	m.maybe(8, func(m *message) { m.text(1, u.MeshGateway.Mode) })
	m.flag(9, u.CentrallyConfigured)
	m.text(10, u.LocalBindSocketPath)
	m.text(11, u.LocalBindSocketMode)
	m.text(12, u.DestinationPartition)
	m.text(13, u.DestinationPeer)
}

func (m *message) expose(e *wire.ExposeConfig) {
	m.flag(1, e.Checks)
	for _, p := range e.Paths {
		m.part(2, func(m *message) {
			m.int(1, p.ListenerPort)
			m.text(2, p.Path)
			m.int(3, p.LocalPathPort)
			m.text(4, p.Protocol)
			m.flag(5, p.ParsedFromCheck)
		})
	}
}

func (m *message) extension(e *wire.EnvoyExtension) {
	m.text(1, e.Name)
	m.flag(2, e.Required)
	m.dict(3, e.Arguments)
	m.text(4, e.ConsulVersion)
	m.text(5, e.EnvoyVersion)
}

func (m *message) accessLogs(l *wire.AccessLogsConfig) {
	m.flag(1, l.Enabled)
	m.flag(2, l.DisableListenerLogs)
	m.text(3, l.Type)
	m.text(4, l.Path)
	m.text(5, l.JSONFormat)
	m.text(6, l.TextFormat)
}

// deepest is how deep what people configure may go. Nobody's does; but it comes from
// clients, and each level costs stack, and a copy of all that is below it.
const deepest = 64

// dict appends what somebody has configured, as a google.protobuf.Struct.
func (m *message) dict(field protowire.Number, all map[string]any) {
	if all != nil {
		m.part(field, func(m *message) { m.entries(reflect.ValueOf(all), deepest) })
	}
}

// entries appends the fields of a Struct: those of a map that have a name.
func (m *message) entries(all reflect.Value, levels int) {
	named := map[string]reflect.Value{}
	for k, v := range all.Seq2() {
		if k = bare(k); k.Kind() == reflect.String {
			named[k.String()] = v
		}
	}
	each(m, 1, named, func(m *message, v reflect.Value) {
		m.part(2, func(m *message) { m.value(v, levels-1) })
	})
}

// value appends a google.protobuf.Value, which says what it is, so zeros are not left
// out. What it has no word for, or is too deep, is null.
func (m *message) value(v reflect.Value, levels int) {
	v = bare(v)
	switch kind := v.Kind(); {
	case kind == reflect.Bool:
		m.anyNumber(4, protowire.EncodeBool(v.Bool()))
	case kind == reflect.String:
		m.anyText(3, v.String())
	case v.CanInt():
		m.real(float64(v.Int()))
	case v.CanUint():
		m.real(float64(v.Uint()))
	case v.CanFloat():
		m.real(v.Float())
	case kind == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8:
		m.anyText(3, string(v.Bytes()))
	case kind == reflect.Map && levels > 0:
		m.part(5, func(m *message) { m.entries(v, levels) })
	case kind == reflect.Slice && levels > 0:
		m.part(6, func(m *message) {
			for i := range v.Len() {
				m.part(1, func(m *message) { m.value(v.Index(i), levels-1) })
			}
		})
	default:
		m.anyNumber(1, 0)
	}
}

// real appends a number as a Value has it.
func (m *message) real(f float64) {
	*m = protowire.AppendTag(*m, 2, protowire.Fixed64Type)
	*m = protowire.AppendFixed64(*m, math.Float64bits(f))
}

// bare returns what an interface holds.
func bare(v reflect.Value) reflect.Value {
	for v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	return v
}
