package wire

import "testing"

func TestUpstreams(t *testing.T) {
	tests := []struct {
		name string
		u    Upstream
		err  string
	}{
		{"port", Upstream{DestinationName: "d", LocalBindPort: 1}, ""},
		{"socket", Upstream{DestinationType: "prepared_query", DestinationName: "d", LocalBindSocketPath: "/s"}, ""},
		{"central", Upstream{DestinationName: "*", CentrallyConfigured: true}, ""},
		{"odd_type", Upstream{DestinationType: "odd"}, `unknown upstream destination type: "odd"`},
		{"wildcard", Upstream{DestinationName: "*"}, "upstream destination name cannot be a wildcard"},
		{"neither", Upstream{DestinationName: "d"}, "upstream local bind port or local socket path must be defined and nonzero"},
		{"both", Upstream{DestinationName: "d", LocalBindPort: 1, LocalBindSocketPath: "/s"}, "only one of upstream local bind port or local socket path can be defined and nonzero"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			if err := upstreamFault(&tt.u); err != nil {
				got = err.Error()
			}
			if got != tt.err {
				t.Errorf("upstreamFault = %q, want %q", got, tt.err)
			}
		})
	}
}
