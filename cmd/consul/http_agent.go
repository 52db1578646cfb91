package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/agentrpc"
)

// httpAgent is an agent that is asked over HTTP. It may be one of Consul.
type httpAgent struct {
	*api.Client
	web *http.Client // that which it speaks through
}

var _ askedAgent = httpAgent{}

// Close implements askedAgent. The connections end with the program.
func (a httpAgent) Close() error { return nil }

// Actors implements askedAgent.
func (a httpAgent) Actors() ([]agentrpc.Actor, error) {
	var told []messages.ActorInfo
	if _, err := a.Raw().Query("/v1/agent/actors", &told, nil); err != nil {
		return nil, err
	}
	list := make([]agentrpc.Actor, len(told))
	for i, t := range told {
		list[i] = agentrpc.Actor{
			Name: t.Name, State: string(t.State), MailboxDepth: t.MailboxDepth, Handled: t.Handled, Restarts: t.Restarts,
			Since: nanos(t.Since), LastFailure: t.LastFailure, LastFailureAt: nanos(t.LastFailureAt),
		}
	}
	return list, nil
}

// nanos is the opposite of moment.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// ForceLeave implements askedAgent.
func (a httpAgent) ForceLeave(f forceLeave) error {
	return a.Agent().ForceLeaveOptions(f.node, api.ForceLeaveOpts{Prune: f.prune, WAN: f.wan}, nil)
}

// Join implements askedAgent. The API takes one address at a time.
func (a httpAgent) Join(addrs []string, wan bool) (n int, err error) {
	for _, addr := range addrs {
		if e := a.Agent().Join(addr, wan); e != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", addr, e))
		} else {
			n++
		}
	}
	return n, err
}

// Keyring implements askedAgent.
func (a httpAgent) Keyring(q keyringQuery) (*agentrpc.KeyringResponse, error) {
	var change func(string, *api.WriteOptions) error
	switch q.command {
	case agentrpc.InstallKey:
		change = a.Operator().KeyringInstall
	case agentrpc.UseKey:
		change = a.Operator().KeyringUse
	case agentrpc.RemoveKey:
		change = a.Operator().KeyringRemove
	}
	if change != nil {
		return &agentrpc.KeyringResponse{}, change(q.key, &api.WriteOptions{RelayFactor: q.relayFactor})
	}
	told, err := a.Operator().KeyringList(&api.QueryOptions{RelayFactor: q.relayFactor, LocalOnly: q.local})
	if err != nil {
		return &agentrpc.KeyringResponse{}, err
	}
	return keyringAnswer(told, q.primary), nil
}

// keyringAnswer is what the RPC would have said.
func keyringAnswer(told []*api.KeyringResponse, primary bool) *agentrpc.KeyringResponse {
	answer := &agentrpc.KeyringResponse{}
	for _, t := range told {
		pool, keys := "LAN", t.Keys
		if t.WAN {
			pool = "WAN"
		}
		if primary {
			keys = t.PrimaryKeys
		}
		answer.Info = append(answer.Info, agentrpc.KeyringInfo{Datacenter: t.Datacenter, Pool: pool, NumNodes: t.NumNodes})
		for key, count := range keys {
			answer.Keys = append(answer.Keys, agentrpc.KeyringEntry{Datacenter: t.Datacenter, Pool: pool, Key: key, Count: count})
		}
		for _, node := range slices.Sorted(maps.Keys(t.Messages)) {
			answer.Messages = append(answer.Messages, agentrpc.KeyringMessage{
				Datacenter: t.Datacenter, Pool: pool, Node: node, Message: t.Messages[node],
			})
		}
	}
	return answer
}

// Leave implements askedAgent. Consul's client has no word for force.
func (a httpAgent) Leave(force bool, _ func(agentrpc.LeaveRecord)) error {
	if force {
		a.web.Transport = forcing{a.web.Transport}
	}
	return a.Agent().Leave()
}

// forcing has each request say ?force on its way.
type forcing struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (f forcing) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	q := r.URL.Query()
	q.Set("force", "1")
	r.URL.RawQuery = q.Encode()
	return f.RoundTripper.RoundTrip(r)
}

// Members implements askedAgent.
func (a httpAgent) Members(q membersQuery) ([]agentrpc.Member, error) {
	told, err := a.Agent().MembersOpts(api.MembersOpts{WAN: q.wan, Segment: api.AllSegments, Filter: q.filter})
	if err != nil {
		return nil, err
	}
	list := make([]agentrpc.Member, len(told))
	for i, t := range told {
		list[i] = agentrpc.Member{
			Name: t.Name, Addr: net.ParseIP(t.Addr), Port: t.Port, Tags: t.Tags, Status: string(messages.MemberStatusOf(t.Status)),
			ProtocolMin: t.ProtocolMin, ProtocolMax: t.ProtocolMax, ProtocolCur: t.ProtocolCur,
			DelegateMin: t.DelegateMin, DelegateMax: t.DelegateMax, DelegateCur: t.DelegateCur,
		}
	}
	return list, nil
}

// Monitor implements askedAgent.
func (a httpAgent) Monitor(ctx context.Context, level string, json bool, line func(string)) error {
	monitor := a.Agent().Monitor
	if json {
		monitor = a.Agent().MonitorJSON
	}
	lines, err := monitor(level, ctx.Done(), (&api.QueryOptions{}).WithContext(ctx))
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	for {
		select {
		case text, more := <-lines:
			if !more || ctx.Err() != nil {
				return nil
			}
			if text == "" {
				return errors.New("the agent closed the connection; it has ended, or its HTTP listener has been restarted")
			}
			line(text)
		case <-ctx.Done():
			return nil
		}
	}
}

// Reload implements askedAgent.
func (a httpAgent) Reload() (*agentrpc.ReloadResponse, error) {
	var report agentrpc.ReloadResponse
	_, err := a.Raw().Write("/v1/agent/reload", nil, &report, nil)
	if err == io.EOF { //nolint:errorlint // an answer without a body, not a connection that broke
		return nil, nil //nolint:nilnil // Consul tells nothing
	}
	if err != nil {
		return nil, err
	}
	return &report, nil
}

// Stats implements askedAgent.
func (a httpAgent) Stats() (map[string]map[string]string, error) {
	self, err := a.Agent().Self()
	if err != nil {
		return nil, err
	}
	stats := map[string]map[string]string{}
	for group, told := range self["Stats"] {
		values, _ := told.(map[string]any)
		stats[group] = make(map[string]string, len(values))
		for key, value := range values {
			stats[group][key] = fmt.Sprint(value)
		}
	}
	return stats, nil
}
