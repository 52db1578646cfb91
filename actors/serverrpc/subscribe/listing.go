package subscribe

import (
	"bytes"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/actor-consul/consul/messages/wire"
)

// The fields of an Event in which updates are.
const (
	healthField protowire.Number = 10
	listField   protowire.Number = 12
)

// Listing is an answer as those see it who have subscribed to it. Nobody changes it.
type Listing struct {
	// Index is when the answer last changed.
	Index uint64

	field protowire.Number
	items []item
}

// item is something that can come, change and go.
type item struct {
	key
	of     wire.CheckServiceNode // which it was made of; nothing for the name of a service
	update []byte                // the update that registers it
}

// key is what a client tells an item from others by.
type key struct{ node, service, id string }

// Health lists the instances of a service. Those that are as they were in last, which
// may be nil, are not encoded again.
func Health(reply *wire.IndexedCheckServiceNodes, last *Listing) *Listing {
	l := &Listing{Index: reply.Index, field: healthField, items: make([]item, 0, len(reply.Nodes))}
	known := last.byService()
	for _, n := range reply.Nodes {
		it, ok := known[n.Service]
		if !ok || !same(&it.of, &n) {
			it = item{key: key{n.Node.Node, n.Service.Service, n.Service.ID}, of: n, update: registered(&n)}
		}
		l.items = append(l.items, it)
	}
	return l
}

// byService returns the instances, which are the state's own, so that those that are
// the same are known by where they are.
func (l *Listing) byService() map[*wire.NodeService]item {
	if l == nil {
		return nil
	}
	all := make(map[*wire.NodeService]item, len(l.items))
	for _, it := range l.items {
		all[it.of.Service] = it
	}
	return all
}

// same says whether two instances are made of the same node, service and checks. Those
// that are not may still be equal.
func same(a, b *wire.CheckServiceNode) bool {
	return a.Node == b.Node && a.Service == b.Service && len(a.Checks) == len(b.Checks) &&
		(len(a.Checks) == 0 || &a.Checks[0] == &b.Checks[0])
}

func registered(n *wire.CheckServiceNode) []byte {
	var m message
	m.part(2, func(m *message) { m.instance(n) })
	return m
}

// Services lists the names of services.
func Services(reply *wire.IndexedServiceList, _ *Listing) *Listing {
	l := &Listing{Index: reply.Index, field: listField, items: make([]item, 0, len(reply.Services))}
	for _, s := range reply.Services {
		var m message
		m.named(s.Name)
		l.items = append(l.items, item{key: key{service: s.Name}, update: m})
	}
	return l
}

func (m *message) named(service string) {
	m.text(2, service)
	m.enterprise(3)
}

// Size returns how many bytes a listing takes, about.
func (l *Listing) Size() int {
	const overhead = 128 // of an item
	size := 0
	for _, it := range l.items {
		size += overhead + len(it.update)
	}
	return size
}

// since returns the items that are not as they were in from, and those that were there
// and are not any more. Most have neither moved nor changed, wherever they are.
func (l *Listing) since(from *Listing) (changed []item, gone []key) {
	was, is := from.items, l.items
	compare := func(a, b item) {
		if !bytes.Equal(a.update, b.update) {
			changed = append(changed, b)
		}
	}
	for len(was) > 0 && len(is) > 0 && was[0].key == is[0].key {
		compare(was[0], is[0])
		was, is = was[1:], is[1:]
	}
	for len(was) > 0 && len(is) > 0 && was[len(was)-1].key == is[len(is)-1].key {
		compare(was[len(was)-1], is[len(is)-1])
		was, is = was[:len(was)-1], is[:len(is)-1]
	}
	left := make(map[key]item, len(was))
	for _, it := range was {
		left[it.key] = it
	}
	for _, it := range is {
		compare(left[it.key], it) // what was not there has no update
		delete(left, it.key)
	}
	for _, it := range was {
		if _, ok := left[it.key]; ok {
			gone = append(gone, it.key)
		}
	}
	return changed, gone
}

// deregistered returns the update that takes an item away.
func (l *Listing) deregistered(k key) []byte {
	var m message
	m.anyNumber(1, 1)
	if l.field == listField {
		m.named(k.service)
	} else {
		m.part(2, func(m *message) { m.former(k) })
	}
	return m
}
