package http

import (
	"cmp"
	"fmt"
	"net/http"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/messages"
)

// The routes below /v1/agent: https://developer.hashicorp.com/consul/api-docs/agent.

// agentVersion answers what `consul version` prints.
func agentVersion(r *request) (*answer, error) {
	f := &r.api.cfg.Facts
	return with(struct{ SHA, BuildDate, HumanVersion, FIPS string }{f.Revision, f.BuildDate, f.Version, ""}), nil
}

// agentActors answers with the live tree. Consul has no such route.
func agentActors(r *request) (*answer, error) {
	actors, err := ask.Do(r.Context(), r.api.cfg.Supervisor, &messages.ListActors{})
	if err != nil {
		return nil, err
	}
	return with(orEmpty(actors)), nil
}

// agentReload reads the configuration again and, beyond Consul, says what became of
// it.
func agentReload(r *request) (*answer, error) {
	report, err := ask.Do(r.Context(), r.api.cfg.Supervisor, &messages.Reload{})
	if err != nil {
		return nil, err
	}
	report.Applied, report.NeedsRestart = orEmpty(report.Applied), orEmpty(report.NeedsRestart)
	return with(report), nil
}

// agentJoin contacts an agent that this one may not know.
func agentJoin(r *request) (*answer, error) {
	if err := r.checkNames(noPartition); err != nil {
		return nil, err
	}
	if r.tail == "" {
		return nil, missing("address")
	}
	pool, err := r.pool(r.param("wan") != "")
	if err != nil {
		return nil, err
	}
	if _, err := ask.Do(r.Context(), pool, &messages.JoinPool{Addresses: []string{r.tail}}); err != nil {
		return nil, err
	}
	return nothing, nil
}

// agentForceLeave has a failed member regarded as left: by each pool that knows it,
// or with ?wan by the WAN pool alone, where a server is called node.datacenter.
func agentForceLeave(r *request) (*answer, error) {
	if err := r.checkNames(noPartition); err != nil {
		return nil, err
	}
	if r.tail == "" {
		return nil, missing("node name")
	}
	cfg := &r.api.cfg
	lan, wan := messages.ForceLeaveNames(r.tail, cfg.Facts.Datacenter, load(cfg.LANView), load(cfg.WANView))
	if r.has("wan") {
		lan, wan = "", cmp.Or(wan, r.tail)
	}
	if err := r.forceLeave(false, lan); err != nil {
		return nil, err
	}
	if err := r.forceLeave(true, wan); err != nil {
		return nil, err
	}
	return nothing, nil
}

// forceLeave has it regarded so by a pool, where it has a name there.
func (r *request) forceLeave(wan bool, node string) error {
	if node == "" {
		return nil
	}
	pool, err := r.pool(wan)
	if err != nil {
		return err
	}
	_, err = ask.Do(r.Context(), pool, &messages.ForceLeave{Node: node, Prune: r.has("prune")})
	return err
}

// agentLeave begins the leave plan, or joins the one that runs, and answers when it
// has been carried out; the agent then stops. ?force goes on although the cluster
// would lose its quorum.
func agentLeave(r *request) (*answer, error) {
	begun, err := ask.Do(r.Context(), r.api.cfg.Leave, &messages.BeginLeave{
		Why:   "asked to over HTTP by " + r.RemoteAddr,
		Force: r.has("force"),
	})
	if err != nil {
		return nil, err
	}
	for {
		select {
		case _, more := <-begun.Progress:
			if !more {
				return &answer{sent: begun.Heard}, nil
			}
		case <-r.Context().Done(): // who asked is gone; the leave goes on
			begun.Heard()
			return nil, fmt.Errorf("the client did not wait for the agent to leave: %w", r.Context().Err())
		}
	}
}

// pool returns the gossip actor of a pool.
func (r *request) pool(wan bool) (ask.Address, error) {
	if !wan {
		return r.api.cfg.GossipLAN, nil
	}
	if !r.api.cfg.Facts.Server {
		return ask.Address{}, refusal(http.StatusInternalServerError, "the WAN pool has servers only, and this agent is a client")
	}
	return r.api.cfg.GossipWAN, nil
}
