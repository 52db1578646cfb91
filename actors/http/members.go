package http

import (
	"net/http"
	"slices"

	"github.com/actor-consul/consul/actors/catalog/endpoint"
	"github.com/actor-consul/consul/messages"
)

// member is a member of a pool as the API shows it: Serf's own struct.
type member struct {
	Name   string
	Addr   string
	Port   uint16
	Tags   map[string]string
	Status int

	ProtocolMin, ProtocolMax, ProtocolCur uint8
	DelegateMin, DelegateMax, DelegateCur uint8
}

func shownMember(m messages.Member) member {
	return member{
		Name: m.Name, Addr: m.Addr.String(), Port: m.Port, Tags: m.Tags, Status: m.Status.Code(),
		ProtocolMin: m.ProtocolMin, ProtocolMax: m.ProtocolMax, ProtocolCur: m.ProtocolCur,
		DelegateMin: m.DelegateMin, DelegateMax: m.DelegateMax, DelegateCur: m.DelegateCur,
	}
}

// anySegment is what old command lines ask for; it means all members.
const anySegment = "_all"

// agentMembers answers with the members of the LAN pool, or of the WAN pool.
func agentMembers(r *request) (*answer, error) {
	if err := r.checkNames(noPartition); err != nil {
		return nil, err
	}
	segment := r.param("segment")
	all := segment == "" || segment == anySegment
	cell := r.api.cfg.LANView
	if r.param("wan") != "" {
		if !all {
			return nil, refusal(http.StatusBadRequest, "Cannot provide a segment with wan=true")
		}
		cell = r.api.cfg.WANView
	}
	matches, err := endpoint.CompileFilter[member](r.param("filter"))
	if err != nil {
		return nil, err
	}
	shown := []member{}
	if view := load(cell); view != nil {
		for _, m := range view.Members {
			if all || m.Tags["segment"] == segment {
				shown = append(shown, shownMember(m))
			}
		}
	}
	return with(slices.DeleteFunc(shown, func(m member) bool { return !matches(m) })), nil
}
