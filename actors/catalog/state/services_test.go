package state

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/actor-consul/consul/messages/wire"
)

func TestEnsureService(t *testing.T) {
	ensure := func(s *wire.NodeService) func(*Tx) error {
		return func(tx *Tx) error { return tx.EnsureService("n1", s) }
	}
	tests := []struct {
		name string
		svc  wire.NodeService
		node string
		err  string
	}{
		{name: "good", svc: wire.NodeService{ID: "w", Service: "web"}},
		{name: "no_such_node", svc: wire.NodeService{ID: "w", Service: "web"}, node: "other", err: "Missing node registration"},
		{
			name: "bad_metadata", svc: wire.NodeService{ID: "w", Service: "web", Meta: map[string]string{"": "x"}},
			err: "Invalid Service Meta for node n1 and serviceID w: Couldn't load metadata pair ('', 'x'): Key cannot be blank",
		},
		{name: "nul_in_the_id", svc: wire.NodeService{ID: "w\x00", Service: "web"}, err: `service ID "w\x00" must not contain a NUL byte`},
		{name: "nul_in_the_name", svc: wire.NodeService{ID: "w", Service: "\x00"}, err: `service name "\x00" must not contain a NUL byte`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t).node("n1", "", "")
			node := "n1"
			if tt.node != "" {
				node = tt.node
			}
			errorIs(t, f.try(func(tx *Tx) error { return tx.EnsureService(node, &tt.svc) }), tt.err)
		})
	}

	t.Run("bad_weights_are_the_usual", func(t *testing.T) {
		f := newFixture(t).node("n1", "", "").must(ensure(&wire.NodeService{ID: "w", Service: "web", Weights: &wire.Weights{}}))
		_, s := f.View().NodeService(nil, "N1", "W")
		equal(t, "weights", *s.Weights, wire.Weights{Passing: 1, Warning: 1})
	})

	t.Run("change_moves_the_index", func(t *testing.T) {
		f := newFixture(t).node("n1", "", "").service("n1", "w", "web").service("n1", "w", "web", "tag")
		_, s := f.View().NodeService(nil, "n1", "w")
		equal(t, "CreateIndex", s.CreateIndex, 2)
		equal(t, "ModifyIndex", s.ModifyIndex, 3)
	})

	t.Run("new_name_under_the_same_id", func(t *testing.T) {
		f := newFixture(t).node("n1", "", "").service("n1", "w", "web").service("n1", "w", "shop")
		idx, web := f.View().CheckServiceNodes(nil, "web")
		equal(t, "web", instances(web), "")
		equal(t, "index of web", idx, 3)
		idx, shop := f.View().CheckServiceNodes(nil, "shop")
		equal(t, "shop", instances(shop), "n1/w")
		equal(t, "index of shop", idx, 3)
	})
}

func TestServices(t *testing.T) {
	f := newFixture(t)
	f.must(func(tx *Tx) error {
		return tx.EnsureNode(&wire.Node{Node: "n1", Meta: map[string]string{"rack": "r1"}})
	})
	f.node("n2", "", "").service("n1", "w1", "web", "b", "a").service("n2", "w2", "web", "a", "c").service("n2", "d", "db")
	text := func(s wire.Services) string {
		var all []string
		for _, name := range slices.Sorted(maps.Keys(s)) {
			all = append(all, name+"="+strings.Join(s[name], ","))
		}
		return strings.Join(all, " ")
	}
	idx, services := f.View().Services(nil, nil)
	equal(t, "services", text(services), "db= web=a,b,c")
	equal(t, "index", idx, 5)
	if services["db"] == nil {
		t.Error("a service without tags has nil, want an empty list")
	}
	_, services = f.View().Services(nil, map[string]string{"rack": "r1"})
	equal(t, "services in the rack", text(services), "web=a,b")
	_, services = f.View().ServicesWhere(nil, nil, func(s *wire.ServiceNode) bool { return s.ServiceID == "w2" && s.Node == "n2" })
	equal(t, "services that match", text(services), "web=a,c")
}

func TestServiceNodes(t *testing.T) {
	f := newFixture(t).node("n2", "", "").node("n1", "", "")
	f.must(func(tx *Tx) error {
		return tx.EnsureService("n1", &wire.NodeService{
			ID: "w1", Service: "Web", Tags: []string{"V1", "blue"}, Address: "10.1.1.1",
			TaggedAddresses: map[string]wire.ServiceAddress{"lan": {Address: "10.2.2.2"}},
		})
	})
	f.service("n2", "w2", "web", "v1").service("n2", "w1", "web")
	v := f.View()
	text := func(nodes wire.ServiceNodes) string {
		var all []string
		for _, n := range nodes {
			all = append(all, n.Node+"/"+n.ServiceID)
		}
		return strings.Join(all, " ")
	}
	find := func(name string, tags ...string) string {
		_, nodes := v.ServiceNodes(nil, name, tags)
		return text(nodes)
	}
	equal(t, "all, without case", find("WEB"), "n1/w1 n2/w1 n2/w2")
	equal(t, "by tag, without case", find("web", "v1"), "n1/w1 n2/w2")
	equal(t, "by two tags", find("web", "v1", "BLUE"), "n1/w1")
	equal(t, "by an unknown tag", find("web", "v9"), "")
	_, byAddr := v.ServiceAddressNodes(nil, "10.1.1.1")
	equal(t, "by address", text(byAddr), "n1/w1")
	_, byAddr = v.ServiceAddressNodes(nil, "10.2.2.2")
	equal(t, "by tagged address", text(byAddr), "n1/w1")

	_, nodes := v.ServiceNodes(nil, "web", nil)
	equal(t, "address of the node", nodes[1].Address, "10.0.0.2")
	if nodes[1].ServiceTags == nil || nodes[1].ServiceMeta == nil {
		t.Error("tags or metadata are nil")
	}
}

func TestServiceIndex(t *testing.T) {
	f := newFixture(t).node("n1", "", "").service("n1", "w", "web")
	index := func(name string) uint64 {
		idx, _ := f.View().CheckServiceNodes(nil, name)
		return idx
	}
	equal(t, "a service that never was", index("nope"), 0)
	equal(t, "registered", index("web"), 2)
	f.check("n1", "c", "w", "passing")
	equal(t, "a check of the service", index("web"), 3)
	f.check("n1", "node", "", "passing")
	equal(t, "a check of the node", index("web"), 4)
	f.must(func(tx *Tx) error { return tx.EnsureNode(&wire.Node{Node: "n1", Address: "new"}) })
	equal(t, "the node", index("web"), 5)
	f.do(func(tx *Tx) { tx.DeleteCheck("n1", "node") })
	equal(t, "a check of the node goes", index("web"), 6)
	f.do(func(tx *Tx) { tx.DeleteService("n1", "W") })
	equal(t, "the last instance goes", index("web"), 7)
	equal(t, "a service that never was, after another went", index("nope"), 7)
	_, checks := f.View().NodeChecks(nil, "n1")
	equal(t, "checks after their service went", checkIDs(checks), "")
}

func TestNodeServices(t *testing.T) {
	f := newFixture(t).node("n1", idA, "").node("n2", "aaaaaaaa-1111-0000-0000-000000000000", "").service("n1", "w", "web").service("n1", "b", "db")
	tests := []struct {
		name, node, want string
	}{
		{"by_name", "N1", "n1 b w"},
		{"by_id", idA, "n1 b w"},
		{"by_the_start_of_its_id", "aaaaaaaa-0", "n1 b w"},
		{"by_an_ambiguous_id", "aaaaaaaa", ""},
		{"by_too_little_of_an_id", "a", ""},
		{"unknown", "nope", ""},
		{"without_services", "n2", "n2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, list := f.View().NodeServiceList(nil, tt.node)
			_, ns := f.View().NodeServices(nil, tt.node)
			equal(t, "found", list != nil, ns != nil)
			if list == nil {
				equal(t, "node", "", tt.want)
				return
			}
			all := []string{list.Node.Node}
			for _, s := range list.Services {
				all = append(all, s.ID)
				equal(t, "in the map", ns.Services[s.ID], s)
			}
			equal(t, "services", strings.Join(all, " "), tt.want)
		})
	}
}

func TestConnect(t *testing.T) {
	f := newFixture(t).node("n1", "", "").service("n1", "w", "web")
	f.must(func(tx *Tx) error {
		return tx.EnsureService("n1", &wire.NodeService{
			ID: "proxy", Service: "web-proxy", Kind: wire.ServiceKindConnectProxy, Proxy: wire.ConnectProxyConfig{DestinationServiceName: "web"},
		})
	})
	f.must(func(tx *Tx) error {
		return tx.EnsureService("n1", &wire.NodeService{ID: "native", Service: "Web", Connect: wire.ServiceConnect{Native: true}})
	})
	idx, nodes := f.View().CheckConnectServiceNodes(nil, "web")
	equal(t, "through the mesh", instances(nodes), "n1/native n1/proxy")
	equal(t, "index", idx, 4)
	_, plain := f.View().ConnectServiceNodes(nil, "web")
	equal(t, "without health", len(plain), 2)
	_, none := f.View().CheckConnectServiceNodes(nil, "db")
	equal(t, "of another service", len(none), 0)
}

func TestServiceUsage(t *testing.T) {
	f := newFixture(t).node("n1", "", "").node("n2", "", "").service("n1", "consul", "consul").service("n1", "w", "web").service("n2", "w", "web")
	f.must(func(tx *Tx) error {
		return tx.EnsureService("n1", &wire.NodeService{ID: "p", Service: "p", Kind: wire.ServiceKindConnectProxy})
	})
	_, u := f.View().ServiceUsage(nil)
	equal(t, "nodes", u.Nodes, 2)
	equal(t, "services", u.Services, 3)
	equal(t, "instances", u.ServiceInstances, 4)
	equal(t, "billable", u.BillableServiceInstances, 2)
	equal(t, "proxies", u.ConnectServiceInstances["connect-proxy"], 1)
	equal(t, "kinds", len(u.ConnectServiceInstances), 6)
}
