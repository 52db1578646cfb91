package state

import (
	"net/netip"
	"testing"
	"time"

	"github.com/actor-consul/consul/messages/wire"
)

func TestReverse(t *testing.T) {
	s := NewStore()
	err := s.Update(1, time.Unix(0, 0), func(tx *Tx) error {
		for _, n := range []*wire.Node{
			{Node: "b", Address: "10.0.0.1"},
			{Node: "a", Address: "::ffff:10.0.0.1"},
			{Node: "six", Address: "2001:DB8:0::5"},
			{Node: "tagged", Address: "10.0.0.2", TaggedAddresses: map[string]string{"wan": "10.0.0.3"}},
			{Node: "host", Address: "db.example.com"},
		} {
			if err := tx.EnsureNode(n); err != nil {
				return err
			}
		}
		for _, svc := range []*wire.NodeService{
			{ID: "2", Service: "second", Address: "10.0.0.9"},
			{ID: "1", Service: "first", Address: "10.0.0.9"},
			{ID: "0", Service: "none"},
		} {
			if err := tx.EnsureService("b", svc); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ name, addr, node, service string }{
		{"first_of_two", "10.0.0.1", "a", ""},
		{"other_spelling", "2001:db8::5", "six", ""},
		{"tagged_address", "10.0.0.3", "", ""},
		{"service", "10.0.0.9", "", "first"},
		{"nobody", "10.0.0.4", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			addr := netip.MustParseAddr(tc.addr)
			node, service := "", ""
			if n := s.View().NodeAt(addr); n != nil {
				node = n.Node
			}
			if svc := s.View().ServiceAt(addr); svc != nil {
				service = svc.Service
			}
			if node != tc.node || service != tc.service {
				t.Errorf("found node %q and service %q, want %q and %q", node, service, tc.node, tc.service)
			}
		})
	}
}
