package endpoint

import (
	"strings"
	"testing"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/messages/wire"
)

func TestFilter(t *testing.T) {
	type odd struct {
		Float  float64
		Uint   uint8
		Bools  []bool
		ByInt  map[int]string
		hidden string //nolint:unused // it must not be found
	}
	web := &wire.NodeService{
		ID: "w1", Service: "web", Tags: []string{"v1", "blue"}, Port: 80, EnableTagOverride: true,
		Meta: map[string]string{"os": "linux", "empty": ""}, Weights: &wire.Weights{Passing: 3},
		TaggedAddresses: map[string]wire.ServiceAddress{"lan": {Address: "10.0.0.1", Port: 8080}},
	}
	node := wire.CheckServiceNode{Node: &wire.Node{Node: "n1"}, Service: web, Checks: wire.HealthChecks{{Status: "passing"}, {Status: "warning"}}}
	strange := odd{Float: 1.5, Uint: 7, Bools: []bool{false}}
	tests := []struct {
		expr  string
		value any
		want  bool
		err   string // part of the error
	}{
		{expr: `Service == web`, value: web, want: true},
		{expr: `Service == "web"`, value: web, want: true},
		{expr: `Service != web`, value: web},
		{expr: `Service == Web`, value: web},
		{expr: `Port == 80`, value: web, want: true},
		{expr: `Port != 80`, value: web},
		{expr: `Port == http`, value: web, err: `Failed to coerce value "http" for selector "Port"`},
		{expr: `EnableTagOverride == true`, value: web, want: true},
		{expr: `EnableTagOverride == maybe`, value: web, err: `Failed to coerce value "maybe"`},
		{expr: `v1 in Tags`, value: web, want: true},
		{expr: `Tags contains blue`, value: web, want: true},
		{expr: `v9 not in Tags`, value: web, want: true},
		{expr: `Tags is empty`, value: web},
		{expr: `Tags is not empty`, value: web, want: true},
		{expr: `Tags == v1`, value: web, err: `Invalid match operator "Equal" for selector "Tags"`},
		{expr: `Meta.os == linux`, value: web, want: true},
		{expr: `Meta["os"] == linux`, value: web, want: true},
		{expr: `os in Meta`, value: web, want: true},
		{expr: `arch in Meta`, value: web},
		{expr: `Meta.arch == x`, value: web},
		{expr: `Meta.arch != x`, value: web, want: true},
		{expr: `Meta.arch is empty`, value: web, want: true},
		{expr: `Meta.empty is empty`, value: web, want: true},
		{expr: `Meta is not empty`, value: web, want: true},
		{expr: `Service matches "^w.b$"`, value: web, want: true},
		{expr: `Service not matches "^x"`, value: web, want: true},
		{expr: `Service matches "("`, value: web, err: "error parsing regexp"},
		{expr: `Port matches "8"`, value: web, err: `Invalid match operator "Matches" for selector "Port"`},
		{expr: `Port is empty`, value: web, err: `Invalid match operator "Is Empty" for selector "Port"`},
		{expr: `eb in Service`, value: web, want: true},
		{expr: `80 in Port`, value: web, err: `Invalid match operator "In" for selector "Port"`},
		{expr: `Weights.Passing == 3`, value: web, want: true},
		{expr: `TaggedAddresses.lan.Port == 8080`, value: web, want: true},
		{expr: `TaggedAddresses.wan.Port == 8080`, value: web},
		{expr: `not Service == web`, value: web},
		{expr: `Service == web and Port == 81`, value: web},
		{expr: `Service == db or (Port == 80 and v1 in Tags)`, value: web, want: true},
		{expr: `Nope == 1`, value: web, err: `Selector "Nope" is not valid`},
		{expr: `Proxy.Config.x == 1`, value: web, err: `Selector "Proxy.Config.x" is not valid`},
		{expr: `CreateIndex == 1`, value: web, err: `Selector "CreateIndex" is not valid`},
		{expr: `Service.x == 1`, value: web, err: `Selector "Service.x" is not valid`},
		{expr: `Checks.Status == warning`, value: node, want: true},
		{expr: `Checks.Status == critical`, value: node},
		{expr: `Checks.Status != passing`, value: node, want: true},
		{expr: `Service.Meta.os == linux and Node.Node == n1`, value: node, want: true},
		{expr: `Service.Service == web`, value: wire.CheckServiceNode{}},
		{expr: `Service.Service != web`, value: wire.CheckServiceNode{}, want: true},
		{expr: `Checks.Status == warning`, value: wire.CheckServiceNode{}},
		{expr: `Float == 1.5`, value: strange, want: true},
		{expr: `Float == x`, value: strange, err: "Failed to coerce"},
		{expr: `Uint == 7`, value: strange, want: true},
		{expr: `Uint == 256`, value: strange, err: "Failed to coerce"},
		{expr: `false in Bools`, value: strange, want: true},
		{expr: `x in Bools`, value: strange, err: "Failed to coerce"},
		{expr: `ByInt.x == 1`, value: strange, err: `Selector "ByInt.x" is not valid`},
		{expr: `x in ByInt`, value: strange, err: "Invalid match operator"},
		{expr: `hidden == x`, value: strange, err: `Selector "hidden" is not valid`},
		{expr: `any Tags as x { x == v1 }`, value: web, err: "any and all are not supported"},
		{expr: `bad(`, value: web, err: "no match found"},
		{expr: strings.Repeat("x", MaxFilterLength+1), value: web, err: "the expression has 8193 bytes, the limit is 8192"},
	}
	for _, tt := range tests {
		t.Run(strings.ReplaceAll(tt.expr[:min(len(tt.expr), 40)], " ", "_"), func(t *testing.T) {
			var got bool
			var err error
			switch v := tt.value.(type) {
			case *wire.NodeService:
				got, err = matches(tt.expr, v)
			case wire.CheckServiceNode:
				got, err = matches(tt.expr, v)
			case odd:
				got, err = matches(tt.expr, v)
			}
			if tt.err != "" {
				if err == nil || !strings.HasPrefix(err.Error(), "Failed to create boolean expression evaluator: ") || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("err = %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "match", got, tt.want)
		})
	}
}

func matches[T any](expr string, v T) (bool, error) {
	f, err := CompileFilter[T](expr)
	if err != nil {
		return false, err
	}
	return f(v), nil
}

func TestNoFilterMatchesAll(t *testing.T) {
	got, err := matches("", 1)
	if err != nil || !got {
		t.Errorf("%v, %v", got, err)
	}
}

// TestHostileFilters end, whatever they are; the test's own deadline says if not.
func TestHostileFilters(t *testing.T) {
	for _, expr := range []string{
		strings.Repeat("(", MaxFilterLength),
		strings.Repeat("not ", MaxFilterLength/4),
		strings.Repeat("(", 2000) + "Service==web" + strings.Repeat(")", 2000),
		strings.Repeat("Service==web or ", 400) + "Service==web",
		strings.Repeat("Service==web and (", 400) + "Service==web" + strings.Repeat(")", 400),
		"Service matches \"" + strings.Repeat("(a*)*", 1000) + "\"",
	} {
		_, err := matches(expr, &wire.NodeService{})
		t.Logf("%.20s...: %.80v", expr, err)
	}
}

// FuzzFilter compiles and evaluates whatever a client may send. It is answered the
// same twice, and takes no more than the bounds on steps and length let it.
func FuzzFilter(f *testing.F) {
	for _, expr := range []string{
		`Service == web and ("v1" in Tags or Meta.os != linux) and not Weights.Passing is nil`,
		`Checks.Status matches "^(a|b)*$"`, `Service.Port != 1 or "x" not in Service.Tags`, "Node.Meta[\"a b\"] == `c` and Node.Meta is not empty",
		`Service.TaggedAddresses.lan.Address contains "1"`, `any Checks as c { c.Status == "x" }`, `Service.Proxy.Config.a == 1`, `Node.ID matches "(x{1000}){9}"`,
	} {
		f.Add(expr)
	}
	node := wire.CheckServiceNode{Node: &wire.Node{}, Service: &wire.NodeService{Tags: []string{"x"}}, Checks: wire.HealthChecks{{}, nil}}
	f.Fuzz(func(t *testing.T, expr string) {
		var fits bool
		var err error
		if n := actortest.Allocated(func() { fits, err = matches(expr, node) }); n > 128<<20+10_000*uint64(len(expr)) {
			t.Errorf("%q allocates %d bytes", expr, n)
		}
		if err != nil && !strings.HasPrefix(err.Error(), "Failed to create boolean expression evaluator: ") {
			t.Errorf("%q: %v", expr, err)
		}
		if again, errAgain := matches(expr, node); again != fits || (err == nil) != (errAgain == nil) {
			t.Errorf("%q says %t, %v, and then %t, %v", expr, fits, err, again, errAgain)
		}
		if opposite, errNot := matches("not ("+expr+")", node); err == nil && errNot == nil && opposite == fits {
			t.Errorf("%q says %t, and so does its opposite", expr, fits)
		}
		_, _ = matches(expr, node.Service)
	})
}
