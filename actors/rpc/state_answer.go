package rpc

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/agentrpc"
)

// This file turns what the actors say into what the protocol says.

// members returns the members of a pool, in its order.
func members(v *messages.PoolView) agentrpc.MembersResponse {
	out := agentrpc.MembersResponse{Members: make([]agentrpc.Member, 0, len(v.Members))}
	for _, m := range v.Members {
		out.Members = append(out.Members, agentrpc.Member{
			Name:        m.Name,
			Addr:        m.Addr.Unmap().AsSlice(),
			Tags:        m.Tags,
			Status:      string(m.Status),
			Port:        m.Port,
			ProtocolMin: m.ProtocolMin,
			ProtocolMax: m.ProtocolMax,
			ProtocolCur: m.ProtocolCur,
			DelegateMin: m.DelegateMin,
			DelegateMax: m.DelegateMax,
			DelegateCur: m.DelegateCur,
		})
	}
	return out
}

// poolKeys is what a pool said to a change of its keys.
type poolKeys struct {
	pool    messages.Pool
	changed messages.KeyringChanged
	err     error
}

// keyring puts together what the pools said, keys and nodes by name.
func keyring(datacenter string, pools []poolKeys) agentrpc.KeyringResponse {
	var out agentrpc.KeyringResponse
	for _, p := range pools {
		pool := strings.ToUpper(string(p.pool))
		for _, node := range slices.Sorted(maps.Keys(p.changed.Messages)) {
			out.Messages = append(out.Messages, agentrpc.KeyringMessage{
				Datacenter: datacenter, Pool: pool, Node: node, Message: p.changed.Messages[node],
			})
		}
		for _, key := range slices.Sorted(maps.Keys(p.changed.Keys)) {
			out.Keys = append(out.Keys, agentrpc.KeyringEntry{
				Datacenter: datacenter, Pool: pool, Key: key, Count: p.changed.Keys[key],
			})
		}
		info := agentrpc.KeyringInfo{Datacenter: datacenter, Pool: pool, NumNodes: p.changed.NumNodes}
		if p.err != nil {
			info.Error = p.err.Error()
		}
		out.Info = append(out.Info, info)
	}
	return out
}

func actorsResponse(tree []messages.ActorInfo) agentrpc.ActorsResponse {
	out := agentrpc.ActorsResponse{Actors: make([]agentrpc.Actor, 0, len(tree))}
	for _, a := range tree {
		out.Actors = append(out.Actors, agentrpc.Actor{
			Name:          a.Name,
			State:         string(a.State),
			MailboxDepth:  a.MailboxDepth,
			Handled:       a.Handled,
			Restarts:      a.Restarts,
			Since:         unixNano(a.Since),
			LastFailure:   a.LastFailure,
			LastFailureAt: unixNano(a.LastFailureAt),
		})
	}
	return out
}

// unixNano returns 0 for the zero time.
func unixNano(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func leaveRecord(p messages.LeaveProgress) agentrpc.LeaveRecord {
	return agentrpc.LeaveRecord{
		Step: p.Step, Owner: p.Owner, Done: p.Done, Note: p.Note, Err: p.Err, Took: p.Took, Budget: p.Budget,
	}
}

func reloadResponse(r messages.ReloadReport) agentrpc.ReloadResponse {
	return agentrpc.ReloadResponse{Applied: r.Applied, NeedsRestart: r.NeedsRestart, Unchanged: r.Unchanged, Certificates: r.Certificates}
}

// lossEntry is the line that tells a slow reader what it has missed.
func lossEntry(now time.Time, lost int) messages.LogEntry {
	text := count(lost, "log line") + " were lost to this slow reader"
	if lost == 1 {
		text = "1 log line was lost to this slow reader"
	}
	return messages.LogEntry{Time: now, Level: lossLevel, Logger: "agent", Text: text}
}

// unseen returns those of entries that come after last.
func unseen(entries []messages.LogEntry, last uint64) []messages.LogEntry {
	i, _ := slices.BinarySearchFunc(entries, last+1, func(e messages.LogEntry, seq uint64) int {
		return cmp.Compare(e.Seq, seq)
	})
	return entries[i:]
}
