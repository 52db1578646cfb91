package http

import (
	"testing"

	"github.com/actor-consul/consul/messages/wire"
)

// TestMendedLeavesTheStateAlone wants what comes from the state to be copied before
// it is changed, and not to be copied when it is not.
func TestMendedLeavesTheStateAlone(t *testing.T) {
	whole := &wire.ServiceNode{Node: "a", ServiceTags: []string{"x"}}
	lacking := &wire.ServiceNode{Node: "b"}
	state := wire.ServiceNodes{whole, lacking}

	got := mended(state, taggedInstance)
	if got[0] != whole || got[1] == lacking || got[1].ServiceTags == nil || got[1].Node != "b" {
		t.Errorf("mended = %+v", got)
	}
	if state[1] != lacking || lacking.ServiceTags != nil {
		t.Error("the state was changed")
	}
	fine := wire.ServiceNodes{whole}
	if got := mended(fine, taggedInstance); &got[0] != &fine[0] {
		t.Error("a list that needs no mending was copied")
	}
	if got := mended(wire.ServiceNodes(nil), taggedInstance); got == nil {
		t.Error("no list stayed no list")
	}
}
