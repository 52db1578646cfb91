package invoke_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/actor-consul/consul/actors/catalog/state"
	"github.com/actor-consul/consul/actors/invoke"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// TestPreparedQueryFailsOver has where a query is tried, and what comes of it. dc2 is
// known and silent, dc3 has an instance, dc4 has none; by name they are as near.
func TestPreparedQueryFailsOver(t *testing.T) {
	instance := wire.CheckServiceNodes{{Node: &wire.Node{Node: "far"}, Service: &wire.NodeService{}}}
	tests := []struct {
		name  string
		f     wire.QueryFailoverOptions
		here  bool // there is an instance in our own datacenter
		asked string
		where string // the datacenter or the peer of the answer
		fails int
		found bool
	}{
		{name: "found_here", f: wire.QueryFailoverOptions{NearestN: 3}, here: true, where: "dc1", found: true},
		{name: "not_wanted", where: "dc1"},
		{name: "nearest", f: wire.QueryFailoverOptions{NearestN: 2}, asked: "dc2 dc3", where: "dc3", fails: 2, found: true},
		{name: "too_few_of_the_nearest", f: wire.QueryFailoverOptions{NearestN: 1}, asked: "dc2", where: "dc1", fails: 1},
		{name: "more_than_there_are", f: wire.QueryFailoverOptions{NearestN: 99}, asked: "dc2 dc3", where: "dc3", fails: 2, found: true},
		{name: "named", f: wire.QueryFailoverOptions{Datacenters: []string{"dc4", "dc3"}}, asked: "dc4 dc3", where: "dc3", fails: 2, found: true},
		{name: "named_and_unknown", f: wire.QueryFailoverOptions{Datacenters: []string{"dc9", "dc1", "dc4"}}, asked: "dc4", where: "dc4", fails: 1},
		{name: "named_and_near", f: wire.QueryFailoverOptions{NearestN: 1, Datacenters: []string{"dc2", "dc4"}}, asked: "dc2 dc4", where: "dc4", fails: 2},
		{name: "targets", f: wire.QueryFailoverOptions{Targets: []wire.QueryFailoverTarget{{Peer: "p"}, {Datacenter: "dc3"}}}, asked: "dc3", where: "dc3", fails: 2, found: true},
		{name: "a_peer", f: wire.QueryFailoverOptions{Targets: []wire.QueryFailoverTarget{{Peer: "p"}}}, where: "p", fails: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			store := state.NewStore()
			err := store.Update(1, time.Now(), func(tx *state.Tx) error {
				if tt.here {
					if err := tx.EnsureRegistration(&wire.RegisterRequest{Node: "n", Address: "10.0.0.1", Service: &wire.NodeService{ID: "db", Service: "db"}}); err != nil {
						return err
					}
				}
				return tx.PreparedQuerySet(&wire.PreparedQuery{ID: "q", Name: "q", Service: wire.ServiceQuery{Service: "db", Failover: tt.f}})
			})
			if err != nil {
				t.Fatal(err)
			}
			var status messages.Published[messages.RaftStatus]
			status.Publish(&messages.RaftStatus{State: messages.Follower})
			var routes messages.Published[messages.Routes]
			var wan messages.Published[messages.PoolView]
			all, pool := map[string][]messages.Server{}, &messages.PoolView{}
			for i, dc := range []string{"dc2", "dc3", "dc4"} {
				all[dc] = []messages.Server{serverAt(dc, "10.1.0."+string(rune('2'+i))+":8300")}
				pool.Members = append(pool.Members, messages.Member{Name: "s." + dc, Tags: map[string]string{"dc": dc}, Status: messages.MemberAlive})
			}
			routes.Publish(&messages.Routes{Servers: all})
			wan.Publish(pool)
			var asked []string
			inv := invoke.New(invoke.Config{
				Datacenter: "dc1", View: store.View, Status: &status, Routes: &routes, WAN: &wan,
				Call: func(_ context.Context, _, method string, args wire.Request, reply any) error {
					remote := args.(*wire.PreparedQueryExecuteRemoteRequest)
					if method != "PreparedQuery.ExecuteRemote" || remote.Limit != 3 || remote.Query.ID != "q" {
						t.Errorf("%s %+v", method, remote)
					}
					dc := args.RequestDatacenter()
					asked = append(asked, dc)
					there := reply.(*wire.PreparedQueryExecuteResponse)
					there.Datacenter = dc
					switch dc {
					case "dc2":
						return errors.New("out of order")
					case "dc3":
						there.Nodes = instance
					}
					return nil
				},
			})
			args := &wire.PreparedQueryExecuteRequest{QueryIDOrName: "q", Limit: 3, QueryOptions: wire.QueryOptions{AllowStale: true, MinQueryIndex: 7}}
			var reply wire.PreparedQueryExecuteResponse
			if err := invoke.Do(t.Context(), inv, invoke.PreparedQueryExecute, args, &reply); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(asked, " "); got != tt.asked {
				t.Errorf("asked %q, want %q", got, tt.asked)
			}
			if reply.Datacenter+reply.PeerName != tt.where || reply.Failovers != tt.fails || len(reply.Nodes) > 0 != tt.found {
				t.Errorf("%d instances of %s%s after %d", len(reply.Nodes), reply.Datacenter, reply.PeerName, reply.Failovers)
			}
			var explained wire.PreparedQueryExplainResponse
			if err := invoke.Do(t.Context(), inv, invoke.PreparedQueryExplain, args, &explained); err != nil || explained.Query.ID != "q" {
				t.Errorf("explain: %+v, %v", explained, err)
			}
		})
	}
}
