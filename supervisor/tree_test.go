package supervisor

import (
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/actors/logs"
)

// ground is a plot for a server with both pools.
func ground(t *testing.T) *plot {
	log, control := logs.NewLogger(logs.Options{})
	return plant(Config{
		Logger: log, LogControl: control, Server: true,
		Node: Node{Name: "n", Datacenter: "dc1"},
		LAN:  Pool{Bind: netip.MustParseAddrPort("127.0.0.1:1")},
		WAN:  Pool{Bind: netip.MustParseAddrPort("127.0.0.1:2")},
	}, actortest.System(t))
}

// TestDoc compares the picture in doc.go with the tree.
func TestDoc(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	var drawn, built []string
	for line := range strings.Lines(string(doc)) {
		if s, ok := strings.CutPrefix(line, "//\t"); ok {
			drawn = append(drawn, strings.Fields(s)[0])
		}
	}
	for _, c := range ground(t).tree() {
		built = append(built, c.name)
	}
	if !slices.Equal(drawn, built) {
		t.Errorf("doc.go draws %v\nthe tree is    %v", drawn, built)
	}
}

// TestPlanHasOwners checks that every step of a leave is somebody's in the tree.
func TestPlanHasOwners(t *testing.T) {
	var names []string
	for _, c := range ground(t).tree() {
		names = append(names, c.name)
	}
	for _, s := range leavePlan {
		if !slices.Contains(names, s.Owner) {
			t.Errorf("the step to %s is owned by %q, which is not in the tree", s.Name, s.Owner)
		}
	}
}

// TestClientHasNoServerParts checks what a client agent goes without.
func TestClientHasNoServerParts(t *testing.T) {
	p := ground(t)
	p.cfg.Server = false
	for _, c := range p.tree() {
		if slices.Contains([]string{"catalog", "raft", "leader", "serverrpc", wanName}, c.name) {
			t.Errorf("a client has %s", c.name)
		}
	}
	if p.at("raft").PID() != nil {
		t.Error("a client knows an address of raft")
	}
}
