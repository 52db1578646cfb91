package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hashicorp/cli"
)

// coordinatesOf is an agent that knows where nodes are: at so many seconds.
func coordinatesOf(t *testing.T) *httptest.Server {
	const at = `{"Vec":[%,0,0,0,0,0,0,0],"Error":1.5,"Adjustment":0,"Height":0}`
	place := func(node, seconds string) string {
		return `{"Node":"` + node + `","Segment":"","Coord":` + strings.ReplaceAll(at, "%", seconds) + `}`
	}
	answers := map[string]string{
		"/v1/agent/self":             `{"Config":{"NodeName":"n1","Datacenter":"dc1"}}`,
		"/v1/coordinate/nodes":       "[" + place("n1", "0") + "," + place("n2", "0.0125") + "]",
		"/v1/coordinate/datacenters": `[{"Datacenter":"dc1","AreaID":"wan","Coordinates":[` + place("n1", "0") + `]},{"Datacenter":"dc2","AreaID":"wan","Coordinates":[` + place("n2", "0.2") + `]}]`,
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if answers[r.URL.Path] == "" {
			http.Error(w, "nothing of that kind", http.StatusInternalServerError)
			return
		}
		_, _ = w.Write([]byte(answers[r.URL.Path]))
	}))
	t.Cleanup(s.Close)
	return s
}

func TestRTT(t *testing.T) {
	agent := coordinatesOf(t)
	tests := []struct {
		name   string
		args   []string
		out    string
		err    string
		status int
	}{
		{name: "two", args: []string{"n1", "N2"}, out: "Estimated n1 <-> N2 rtt: 12.500 ms (using LAN coordinates)\n"},
		{name: "one", args: []string{"n2"}, out: "Estimated n2 <-> n1 rtt: 12.500 ms (using LAN coordinates)\n"},
		{name: "wan", args: []string{"-wan", "n1.dc1", "n2.dc2"}, out: "Estimated n1.dc1 <-> n2.dc2 rtt: 200.000 ms (using WAN coordinates)\n"},
		{name: "wan_one", args: []string{"-wan", "n2.dc2"}, out: "Estimated n2.dc2 <-> n1.dc1 rtt: 200.000 ms (using WAN coordinates)\n"},
		{name: "none", err: "One or two node names must be specified", status: 1},
		{name: "three", args: []string{"a", "b", "c"}, err: "One or two node names must be specified", status: 1},
		{name: "unknown", args: []string{"n1", "nope"}, err: `Could not find a coordinate for node "nope"`, status: 1},
		{name: "both_unknown", args: []string{"nada", "nope"}, err: `Could not find a coordinate for node "nada"`, status: 1},
		{name: "wan_without_datacenter", args: []string{"-wan", "n1", "n2.dc2"}, err: "Node names must be specified as <node name>.<datacenter> with -wan", status: 1},
		{name: "wan_unknown", args: []string{"-wan", "n1.dc1", "n2.dc3"}, err: `Could not find a coordinate for node "n2.dc3"`, status: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ui := cli.NewMockUi()
			status := newRTTCommand(ui).Run(append([]string{"-http-addr=" + agent.URL}, tt.args...))
			if out, errs := ui.OutputWriter.String(), ui.ErrorWriter.String(); status != tt.status || out != tt.out || !strings.Contains(errs, tt.err) || tt.err == "" && errs != "" {
				t.Errorf("status %d, %q, %q; want %d, %q, %q", status, out, errs, tt.status, tt.out, tt.err)
			}
		})
	}
}
