package messages

import "testing"

func pool(names ...string) *PoolView {
	v := &PoolView{}
	for _, n := range names {
		v.Members = append(v.Members, Member{Name: n})
	}
	return v
}

func TestForceLeaveNames(t *testing.T) {
	tests := []struct {
		name     string
		node     string
		lan, wan *PoolView
		inLAN    string
		inWAN    string
	}{
		{"client_agent", "web", pool("web"), nil, "web", ""},
		{"nobody_knows", "ghost", pool("web"), pool("s1.dc1"), "ghost", ""},
		{"no_view_yet", "web", nil, nil, "web", ""},
		{"a_client", "web", pool("web"), pool("s1.dc1"), "web", ""},
		{"a_server", "s1", pool("s1"), pool("s1.dc1"), "s1", "s1.dc1"},
		{"a_server_by_its_wan_name", "s1.dc1", pool("s1"), pool("s1.dc1"), "s1", "s1.dc1"},
		{"a_server_elsewhere", "s9.dc2", pool("s1"), pool("s1.dc1", "s9.dc2"), "", "s9.dc2"},
		{"same_name_elsewhere", "s1.dc2", pool("s1"), pool("s1.dc1", "s1.dc2"), "", "s1.dc2"},
		{"reaped_from_the_lan", "s1", pool(), pool("s1.dc1"), "", "s1.dc1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inLAN, inWAN := ForceLeaveNames(tt.node, "dc1", tt.lan, tt.wan)
			if inLAN != tt.inLAN || inWAN != tt.inWAN {
				t.Errorf("%q, %q; want %q, %q", inLAN, inWAN, tt.inLAN, tt.inWAN)
			}
		})
	}
}
