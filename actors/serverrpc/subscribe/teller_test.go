package subscribe

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/actor-consul/consul/messages/wire"
)

// view is what a client of Consul's makes of events: it takes them together until the
// end of the snapshot, and then as they come.
type view struct {
	index uint64
	has   map[string]string // the update, by what it is about
	ready bool
	woken int // who waits for a greater index
}

func (v *view) hear(t *testing.T, event []byte) {
	t.Helper()
	var index uint64
	var updates [][]byte
	end := false
	err := fields(event, func(n protowire.Number, f value) error {
		switch n {
		case 1:
			index = f.varint
		case 2:
			end = true
		case 3:
			*v = view{has: map[string]string{}, woken: v.woken}
		case 4:
			return fields(f.bytes, func(_ protowire.Number, f value) error {
				return fields(f.bytes, func(n protowire.Number, f value) error {
					if n == healthField {
						updates = append(updates, f.bytes)
					}
					return nil
				})
			})
		case healthField:
			updates = append(updates, f.bytes)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range updates {
		v.update(t, u)
	}
	if v.ready = v.ready || end; v.ready {
		if index < v.index {
			t.Errorf("the index goes back from %d to %d", v.index, index)
		}
		if index > v.index {
			v.woken++
		}
		v.index = index
	}
}

func (v *view) update(t *testing.T, u []byte) {
	t.Helper()
	var gone bool
	var node, id string
	err := fields(u, func(n protowire.Number, f value) error {
		if n == 1 {
			gone = true
			return nil
		}
		return fields(f.bytes, func(n protowire.Number, f value) error {
			part := n
			return fields(f.bytes, func(n protowire.Number, f value) error {
				switch {
				case part == 1 && n == 2:
					node = string(f.bytes)
				case part == 2 && n == 2:
					id = string(f.bytes)
				}
				return nil
			})
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	if key := node + "/" + id; gone {
		delete(v.has, key)
	} else {
		v.has[key] = string(u)
	}
}

func reply(index uint64, nodes ...wire.CheckServiceNode) *wire.IndexedCheckServiceNodes {
	return &wire.IndexedCheckServiceNodes{QueryMeta: wire.QueryMeta{Index: index}, Nodes: nodes}
}

func instance(node, output string) wire.CheckServiceNode {
	return wire.CheckServiceNode{
		Node: &wire.Node{Node: node}, Service: &wire.NodeService{ID: "w", Service: "web"},
		Checks: wire.HealthChecks{{Node: node, CheckID: "c", Output: output}},
	}
}

// TestTellers: whatever happens, a client that hears all events has what the last
// listing has, and is woken once for each that is another.
func TestTellers(t *testing.T) {
	for seed := range uint64(60) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		client := &view{has: map[string]string{"n9/w": "from before"}}
		teller := Teller{Outdated: true}
		var was *Listing
		now := map[string]wire.CheckServiceNode{}
		index := uint64(10000)
		for range 50 {
			for range rnd.IntN(4) {
				name := fmt.Sprint("n", rnd.IntN(6))
				if rnd.IntN(3) == 0 {
					delete(now, name)
				} else {
					now[name] = instance(name, fmt.Sprint(rnd.IntN(3)))
				}
			}
			index += uint64(rnd.IntN(3))
			if rnd.IntN(10) == 0 {
				index -= uint64(rnd.IntN(50)) // a snapshot was restored
			}
			var nodes wire.CheckServiceNodes
			for _, n := range now { // in any order
				nodes = append(nodes, n)
			}
			l := Health(reply(index, nodes...), was)
			before, woken := strings.Join(keys(client.has), " "), client.woken
			had := fmt.Sprint(client.has)
			for event := range teller.Tell(l) {
				client.hear(t, event)
			}
			want := map[string]string{}
			for _, n := range nodes {
				want[n.Node.Node+"/w"] = string(registered(&n))
			}
			if fmt.Sprint(client.has) != fmt.Sprint(want) {
				t.Fatalf("seed %d: the client had %s and has %s, want %s", seed, before, keys(client.has), keys(want))
			}
			if news := was == nil || had != fmt.Sprint(want); (client.woken > woken) != news || client.woken > woken+1 {
				t.Fatalf("seed %d: woken %d times, news: %v", seed, client.woken-woken, news)
			}
			was = l
		}
	}
}

func keys(m map[string]string) []string {
	var all []string
	for k := range m {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}

// TestLargeChange comes in events that a client takes, and wakes it with the last.
func TestLargeChange(t *testing.T) {
	client := &view{has: map[string]string{}}
	var teller Teller
	for event := range teller.Tell(Health(reply(1), nil)) {
		client.hear(t, event)
	}
	var nodes wire.CheckServiceNodes
	for i := range 50 {
		nodes = append(nodes, instance(fmt.Sprint("n", i), strings.Repeat("x", 100<<10)))
	}
	events := 0
	for event := range teller.Tell(Health(reply(2, nodes...), nil)) {
		events++
		if len(event) > maxBatch+200<<10 {
			t.Errorf("an event of %d bytes", len(event))
		}
		client.hear(t, event)
		if all := len(client.has) == 50; all != (client.index == 2) {
			t.Errorf("at index %d the client has %d instances", client.index, len(client.has))
		}
	}
	if events < 5 || len(client.has) != 50 {
		t.Errorf("%d instances in %d events", len(client.has), events)
	}
}

// TestEncodedOnce: what has not changed is not encoded again, and what was written
// again without a change is not told again.
func TestEncodedOnce(t *testing.T) {
	a, b := instance("a", "1"), instance("b", "1")
	first := Health(reply(1, a, b), nil)
	b2 := instance("b", "1")
	second := Health(reply(2, a, b2), first)
	if &first.items[0].update[0] != &second.items[0].update[0] {
		t.Error("an instance that is the same was encoded again")
	}
	var teller Teller
	events(&teller, first)
	if got := events(&teller, second); got != nil {
		t.Errorf("told %q", got)
	}
	c := instance("b", "2")
	c.Node, c.Service = b.Node, b.Service
	if third := Health(reply(3, a, c), first); string(third.items[1].update) == string(first.items[1].update) {
		t.Error("a check has changed, and nobody saw it")
	}
}
