package state

import (
	"errors"
	"testing"
	"time"

	"github.com/hashicorp/go-memdb"

	"github.com/actor-consul/consul/messages/wire"
)

// ca applies requests about the certificate authority, one an index, from 1.
type ca struct {
	t   *testing.T
	s   *Store
	idx uint64
}

func (c *ca) apply(r *wire.CARequest) (result any, err error) {
	c.idx++
	err = c.s.Update(c.idx, time.Time{}, func(tx *Tx) error {
		result, err = tx.CAApply(r)
		return err
	})
	return result, err
}

func (c *ca) want(what string, r *wire.CARequest, want any) {
	c.t.Helper()
	if got, err := c.apply(r); err != nil || got != want {
		c.t.Errorf("%s: %v, %v, want %v", what, got, err, want)
	}
}

func (c *ca) refused(what string, r *wire.CARequest, want error) {
	c.t.Helper()
	before := c.s.View()
	if _, err := c.apply(r); !errors.Is(err, want) {
		c.t.Errorf("%s: %v, want %v", what, err, want)
	}
	a, _, _ := before.CARoots(nil)
	if b, _, _ := c.s.View().CARoots(nil); a != b {
		c.t.Errorf("%s: it was refused and has changed something", what)
	}
}

func TestCertificateAuthority(t *testing.T) {
	c := &ca{t: t, s: NewStore()}
	root := func(id string, active bool) *wire.CARoot {
		return &wire.CARoot{ID: id, Active: active, RootCert: "pem of " + id}
	}
	if _, roots, config := c.s.View().CARoots(nil); roots != nil || config != nil {
		t.Error("there is an authority at the beginning")
	}
	ws := memdb.NewWatchSet()
	c.s.View().CARoots(ws)

	c.want("a secret", &wire.CARequest{Op: wire.CASetProviderState, ProviderState: &wire.CAConsulProviderState{ID: "p", PrivateKey: "k", RootCert: "pem of a\n"}}, true)
	c.want("roots and configuration", &wire.CARequest{Op: wire.CASetRootsAndConfig, Roots: []*wire.CARoot{root("a", true)}, Config: &wire.CAConfiguration{ClusterID: "c", Provider: "consul"}}, true)
	idx, roots, config := c.s.View().CARoots(nil)
	if idx != 2 || len(roots) != 1 || config.ClusterID != "c" || config.TrustDomain() != "c.consul" || roots[0].CreateIndex != 2 {
		t.Errorf("%d: %+v %+v", idx, roots, config)
	}
	if !fired(ws) {
		t.Error("who waits for roots is not woken")
	}
	if p := c.s.View().CAProviderState(roots[0]); p == nil || p.PrivateKey != "k" {
		t.Errorf("the secret of the root is %+v", p)
	}
	if c.s.View().CAProviderState(root("b", true)) != nil {
		t.Error("a root has the secret of another")
	}

	c.want("roots of an old index", &wire.CARequest{Op: wire.CASetRoots, Index: 1, Roots: []*wire.CARoot{root("b", true)}}, false)
	c.want("new roots", &wire.CARequest{Op: wire.CASetRoots, Index: 2, Roots: []*wire.CARoot{root("a", false), root("b", true)}}, true)
	_, roots, _ = c.s.View().CARoots(nil)
	if len(roots) != 2 || roots[0].CreateIndex != 2 || roots[0].ModifyIndex != 4 || roots[1].CreateIndex != 4 {
		t.Errorf("roots %+v %+v", roots[0], roots[1])
	}
	c.refused("no active root", &wire.CARequest{Op: wire.CASetRoots, Index: 4, Roots: []*wire.CARoot{root("a", false)}}, errOneActiveRoot)
	c.refused("two active roots", &wire.CARequest{Op: wire.CASetRoots, Index: 4, Roots: []*wire.CARoot{root("a", true), root("b", true)}}, errOneActiveRoot)
	c.refused("a root without an ID", &wire.CARequest{Op: wire.CASetRoots, Index: 4, Roots: []*wire.CARoot{nil}}, errRootID)
	c.refused("an old configuration", &wire.CARequest{Op: wire.CASetConfig, Config: &wire.CAConfiguration{RaftIndex: wire.RaftIndex{ModifyIndex: 1}}}, errCAConfig)
	c.refused("roots with an old configuration", &wire.CARequest{Op: wire.CASetRootsAndConfig, Index: 4, Roots: []*wire.CARoot{root("a", true)}, Config: &wire.CAConfiguration{}}, errCAConfig)
	c.refused("no configuration", &wire.CARequest{Op: wire.CASetConfig}, errCAConfig)
	if _, err := c.apply(&wire.CARequest{Op: "odd"}); err == nil {
		t.Error("an odd operation was carried out")
	}

	c.want("a configuration", &wire.CARequest{Op: wire.CASetConfig, Config: &wire.CAConfiguration{Provider: "consul", RaftIndex: wire.RaftIndex{ModifyIndex: 2}}}, true)
	if _, _, config := c.s.View().CARoots(nil); config.ClusterID != "c" || config.CreateIndex != 2 {
		t.Errorf("the cluster has become another: %+v", config)
	}
	c.want("a serial number", &wire.CARequest{Op: wire.CAIncrementSerialNumber}, uint64(2))
	c.want("the next", &wire.CARequest{Op: wire.CAIncrementSerialNumber}, uint64(3))
	c.want("no secret", &wire.CARequest{Op: wire.CASetProviderState}, false)
	c.want("a secret goes", &wire.CARequest{Op: wire.CADeleteProviderState, ProviderState: &wire.CAConsulProviderState{ID: "p"}}, true)
	if c.s.View().CAProviderState(root("a", true)) != nil {
		t.Error("the secret stays")
	}
}
