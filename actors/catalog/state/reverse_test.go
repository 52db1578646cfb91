package state

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-memdb"

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
			if n := s.View().NodeAt(nil, addr); n != nil {
				node = n.Node
			}
			if svc := s.View().ServiceAt(nil, addr); svc != nil {
				service = svc.Service
			}
			if node != tc.node || service != tc.service {
				t.Errorf("found node %q and service %q, want %q and %q", node, service, tc.node, tc.service)
			}
		})
	}
}

// TestReverseWatch wants a question about an address to be answered anew when somebody
// comes there or goes, and not at other writes, however many nodes there are.
func TestReverseWatch(t *testing.T) {
	f := newFixture(t)
	move := func(node, to string) *fixture {
		return f.must(func(tx *Tx) error { return tx.EnsureNode(&wire.Node{Node: node, Address: to}) })
	}
	serve := func(id, at string) *fixture {
		return f.must(func(tx *Tx) error {
			return tx.EnsureService("a", &wire.NodeService{ID: id, Service: id, Address: at})
		})
	}
	move("a", "10.0.0.1") // the first neighbour of an address wakes, as a branch of the tree divides
	move("z", "10.0.0.3")
	serve("s", "10.1.0.1")
	serve("y", "192.0.2.9")
	watch := func(at string) memdb.WatchSet {
		ws := memdb.NewWatchSet()
		addr := netip.MustParseAddr(at)
		if f.View().NodeAt(ws, addr) == nil {
			f.View().ServiceAt(ws, addr)
		}
		if len(ws) > 2 {
			t.Errorf("%d channels are watched for %s", len(ws), at)
		}
		return ws
	}
	gone := func() { f.do(func(tx *Tx) { tx.DeleteService("a", "s") }) }
	for _, tc := range []struct {
		name, at string
		write    func()
		wakes    bool
	}{
		{"other_node", "10.0.0.1", func() { move("b", "10.0.0.2") }, false},
		{"its_node_goes", "10.0.0.1", func() { move("a", "10.0.0.9") }, true},
		{"other_service", "10.1.0.1", func() { serve("t", "192.0.2.1") }, false},
		{"service_without_an_address", "10.1.0.1", func() { serve("u", "") }, false},
		{"node_comes_to_a_service", "10.1.0.1", func() { move("c", "10.1.0.1") }, true},
		{"service_comes_to_nobody", "10.9.9.9", func() { serve("v", "10.9.9.9") }, true},
		{"node_comes_to_nobody", "203.0.113.1", func() { move("d", "203.0.113.1") }, true},
		{"nobody_and_another", "203.0.113.77", func() { move("e", "198.51.100.1") }, false},
		{"a_service_goes", "10.1.0.1", func() { move("c", "10.0.0.7") }, true},
		{"its_service_goes", "10.1.0.1", gone, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ws := watch(tc.at)
			tc.write()
			woken := false
			for ch := range ws {
				select {
				case <-ch:
					woken = true
				default:
				}
			}
			if woken != tc.wakes {
				t.Errorf("woken %t, want %t", woken, tc.wakes)
			}
		})
	}
}

func TestNodeEndsIn(t *testing.T) {
	f := newFixture(t)
	for _, name := range []string{"rack.1", "Host.Example.Com", "plain", "many" + strings.Repeat(".x", 20), strings.Repeat("y.", 500) + "y"} {
		f.must(func(tx *Tx) error { return tx.EnsureNode(&wire.Node{Node: name, Address: "10.0.0.1"}) })
	}
	check := func(name string, want bool) {
		t.Helper()
		if got := f.View().NodeEndsIn(nil, name); got != want {
			t.Errorf("%q: %t, want %t", name, got, want)
		}
	}
	for name, want := range map[string]bool{
		"1": true, "rack.1": false, "rack": false, "com": true, "example.com": true, "EXAMPLE.com": true, "ample.com": false, "host.example.com": false,
		"plain": false, "": false, "x": true, "x.x.x": true, "y": false,
	} {
		check(name, want)
	}
	ws := memdb.NewWatchSet()
	f.View().NodeEndsIn(ws, "2")
	f.must(func(tx *Tx) error { return tx.EnsureNode(&wire.Node{Node: "rack.2", Address: "10.0.0.1"}) })
	if ws.Watch(time.After(0)) {
		t.Error("nobody is woken by a node whose name has the ending")
	}
	check("2", true)
	f.do(func(tx *Tx) { tx.DeleteNode("rack.1") })
	check("1", false)
}
