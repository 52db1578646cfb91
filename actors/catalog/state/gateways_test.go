package state

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/go-memdb"

	"github.com/actor-consul/consul/messages/wire"
)

// entry sets a config entry that is given as JSON.
func (f *fixture) entry(text string) *fixture {
	f.t.Helper()
	e, err := wire.DecodeConfigEntry([]byte(text))
	if err != nil {
		f.t.Fatal(err)
	}
	return f.must(func(tx *Tx) error {
		_, err := tx.ConfigEntryApply(&wire.ConfigEntryRequest{Op: wire.ConfigEntryUpsert, Entry: e})
		return err
	})
}

// instanceOf registers an instance of a service of a kind on node n.
func (f *fixture) instanceOf(kind wire.ServiceKind, name string) *fixture {
	f.t.Helper()
	return f.must(func(tx *Tx) error {
		return tx.EnsureRegistration(&wire.RegisterRequest{Node: "n", Address: "10.0.0.1", Datacenter: "dc1", Service: &wire.NodeService{Kind: kind, ID: name, Service: name}})
	})
}

func TestGatewayServices(t *testing.T) {
	const (
		ingress = `{"Kind":"ingress-gateway","Name":"in","Listeners":[{"Port":2,"Protocol":"HTTP","Services":[{"Name":"web","Hosts":["w"]}]},{"Port":1,"Services":[{"Name":"db"}]}]}`
		every   = `{"Kind":"ingress-gateway","Name":"in","Listeners":[{"Port":1,"Services":[{"Name":"*"},{"Name":"WEB"}]},{"Port":2,"Services":[{"Name":"*"}]}]}`
		out     = `{"Kind":"terminating-gateway","Name":"out","Services":[{"Name":"*","SNI":"s"},{"Name":"db","CAFile":"c"},{"Name":"gone"}]}`
	)
	for _, tt := range []struct{ name, entry, gateway, want string }{
		{"no_entry", ingress, "other", ""},
		{"another_kind", `{"Kind":"service-defaults","Name":"in"}`, "in", ""},
		{"listeners", ingress, "IN", "db:1/tcp web:2/http[w]"},
		{"wildcard_of_a_listener", every, "in", "WEB:1/tcp db:1/tcp*  db:2/tcp* web:2/tcp*"},
		{"terminating", out, "out", "db:0/(c) gone:0/ web:0/s*"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t).instanceOf("", "db").instanceOf("", "web").instanceOf("", "consul").instanceOf(wire.ServiceKindConnectProxy, "proxy").entry(tt.entry)
			idx, found := f.View().GatewayServices(nil, tt.gateway)
			equal(t, "index", idx, 5)
			var got []string
			for _, s := range found {
				text := fmt.Sprintf("%s:%d/%s%s", s.Service.Name, s.Port, s.Protocol, s.SNI)
				if s.Hosts != nil {
					text += fmt.Sprint(s.Hosts)
				}
				if s.CAFile != "" {
					text += "(" + s.CAFile + ")"
				}
				if s.FromWildcard {
					text += "*"
				}
				got = append(got, text)
				equal(t, "ModifyIndex", s.ModifyIndex, 5)
			}
			equal(t, "services", strings.Join(got, " "), strings.Join(strings.Fields(tt.want), " "))
		})
	}
}

// TestIngress finds the instances of the gateways of a service, and who waits for them
// hears of a new gateway, of a new instance of one, and of nothing else.
func TestIngress(t *testing.T) {
	f := newFixture(t).instanceOf("", "web").instanceOf(wire.ServiceKindIngressGateway, "in").instanceOf("", "same-name")
	look := func(what string, index uint64, want int) memdb.WatchSet {
		t.Helper()
		ws := memdb.NewWatchSet()
		idx, nodes := f.View().CheckIngressServiceNodes(ws, "web")
		equal(t, what+": instances", len(nodes), want)
		equal(t, what+": index", idx, index)
		return ws
	}
	ws := look("no_entry", 0, 0)
	f.instanceOf("", "db")
	equal(t, "a service woke", fired(ws), false)
	f.entry(`{"Kind":"ingress-gateway","Name":"in","Listeners":[{"Port":1,"Services":[{"Name":"Web"}]}]}`)
	equal(t, "the entry woke", fired(ws), true)
	ws = look("entry", 5, 1)
	f.entry(`{"Kind":"ingress-gateway","Name":"same-name","Listeners":[{"Port":1,"Services":[{"Name":"web"}]}]}`)
	equal(t, "a second entry woke", fired(ws), true)
	ws = look("what_is_no_gateway", 6, 1)
	f.must(func(tx *Tx) error {
		return tx.EnsureRegistration(&wire.RegisterRequest{Node: "n2", Address: "10.0.0.2", Datacenter: "dc1", Service: &wire.NodeService{Kind: wire.ServiceKindIngressGateway, ID: "in", Service: "in"}})
	})
	equal(t, "a second gateway woke", fired(ws), true)
	look("second", 7, 2)
}
