package state

import (
	"fmt"
	"testing"

	"github.com/hashicorp/go-memdb"

	"github.com/actor-consul/consul/messages/wire"
)

// crowd is a catalog of 200 nodes with a service of 20 instances among others.
func crowd(b *testing.B) *fixture {
	f := newFixture(b)
	for i := range 200 {
		n := fmt.Sprintf("node-%03d", i)
		f.node(n, fmt.Sprintf("%08d-0000-0000-0000-000000000000", i), "passing")
		f.service(n, "s", fmt.Sprintf("service-%d", i%10), "a", "b").check(n, "c", "s", "passing")
	}
	return f
}

func BenchmarkCheckServiceNodes20(b *testing.B) {
	f := crowd(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, nodes := f.View().CheckServiceNodes(nil, "service-3"); len(nodes) != 20 {
			b.Fatal(len(nodes))
		}
	}
}

func BenchmarkCheckServiceNodes20Watched(b *testing.B) {
	f := crowd(b)
	b.ReportAllocs()
	for b.Loop() {
		f.View().CheckServiceNodes(memdb.NewWatchSet(), "service-3")
	}
}

func BenchmarkServices(b *testing.B) {
	f := crowd(b)
	b.ReportAllocs()
	for b.Loop() {
		f.View().Services(nil, nil)
	}
}

func BenchmarkKVSGet(b *testing.B) {
	f := newFixture(b)
	for i := range 10_000 {
		f.set(fmt.Sprintf("key/%d", i), "value")
	}
	b.ReportAllocs()
	for b.Loop() {
		f.View().KVSGet(nil, "key/5000")
	}
}

func BenchmarkKVSSet(b *testing.B) {
	f := newFixture(b)
	for i := range 10_000 {
		f.set(fmt.Sprintf("key/%d", i), "value")
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		f.set("key/5000", fmt.Sprint(i))
	}
}

func BenchmarkRegister(b *testing.B) {
	f := crowd(b)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		f.must(func(tx *Tx) error {
			return tx.EnsureRegistration(&wire.RegisterRequest{
				Node: "node-007", SkipNodeUpdate: true,
				Service: &wire.NodeService{ID: "s", Service: "service-7", Port: i},
				Check:   &wire.HealthCheck{Node: "node-007", CheckID: "c", ServiceID: "s", Status: "passing"},
			})
		})
	}
}
