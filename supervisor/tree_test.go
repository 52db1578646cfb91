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

// TestDesign compares the table in DESIGN.md with the trees of servers and of clients.
func TestDesign(t *testing.T) {
	design, err := os.ReadFile("../DESIGN.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(design), "| actor | owns | on failure |\n|---|---|---|\n")
	var described []string
	for line := range strings.Lines(table) {
		if !strings.HasPrefix(line, "| `") {
			break
		}
		for name := range strings.SplitSeq(strings.Split(line, "|")[1], ",") {
			described = append(described, strings.Trim(name, " `"))
		}
	}
	server, client := ground(t), ground(t)
	client.cfg.Server = false
	in := map[string]bool{}
	for _, p := range []*plot{server, client} {
		var built []string
		for _, c := range p.tree() {
			built, in[c.name] = append(built, c.name), true
		}
		shown := slices.DeleteFunc(slices.Clone(described), func(name string) bool { return !slices.Contains(built, name) })
		if !slices.Equal(shown, built) {
			t.Errorf("DESIGN.md describes %v\nthe tree is         %v", shown, built)
		}
	}
	if len(in) != len(described) {
		t.Errorf("DESIGN.md describes %v, and there are %d actors", described, len(in))
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
