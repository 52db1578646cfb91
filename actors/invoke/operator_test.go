package invoke_test

import (
	"context"
	"errors"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/actors/catalog/state"
	"github.com/actor-consul/consul/actors/invoke"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// crew is a server with a peer set and an autopilot that are played by the test.
type crew struct {
	inv       *invoke.Invoker
	cfg       invoke.Config
	status    messages.Published[messages.RaftStatus]
	routes    messages.Published[messages.Routes]
	autopilot messages.Published[wire.AutopilotState]
	asked     []string // what raft was asked for
	refusal   error    // its answer
}

func newCrew(t *testing.T) *crew {
	c := &crew{}
	sys := actortest.System(t)
	raft := actortest.NewProbeFunc(t, sys, "raft", func(ctx actor.Context) bool {
		switch msg := ctx.Message().(type) {
		case *messages.GetRaftConfiguration:
			msg.Answer(messages.RaftConfiguration{Index: 7, Servers: []messages.RaftServer{
				{ID: "a", Address: "10.0.0.1:8300", Voter: true},
				{ID: "b", Address: "10.0.0.2:8300", Voter: true},
				{ID: "c", Address: "10.0.0.3:8300", Voter: true},
				{ID: "d", Address: "10.0.0.4:8300"},
			}})
		case *messages.RemovePeer:
			c.asked = append(c.asked, "remove "+msg.ID)
			msg.Settle(messages.Unit{}, c.refusal)
		case *messages.TransferLeadership:
			c.asked = append(c.asked, "hand over to "+msg.ID+" "+msg.Address)
			msg.Settle(messages.Unit{}, c.refusal)
		}
		return true
	})
	c.cfg = invoke.Config{
		Datacenter: "dc1", View: state.NewStore().View, Status: &c.status, Routes: &c.routes, Raft: raft.Address(sys), Autopilot: &c.autopilot,
	}
	c.inv = invoke.New(c.cfg)
	return c
}

// lead makes this server, "a", lead, with the servers of the letters healthy.
func (c *crew) lead(healthy string) {
	c.status.Publish(&messages.RaftStatus{State: messages.Leader, LeaderID: "a", LeaderAddr: "10.0.0.1:8300"})
	s := &wire.AutopilotState{Healthy: healthy == "abcd", FailureTolerance: 1, Leader: "a", Voters: []string{"a", "b", "c"}, Servers: map[string]*wire.AutopilotServerState{}}
	for i, id := range []string{"a", "b", "c", "d"} {
		one := &wire.AutopilotServerState{
			Server: wire.AutopilotServer{ID: id, Name: "s" + id, Address: "10.0.0." + string(rune('1'+i)) + ":8300", NodeStatus: "alive", Version: "1.19.2", RaftVersion: 3},
			State:  wire.RaftVoter,
			Stats:  wire.AutopilotServerStats{LastIndex: uint64(100 + i)},
			Health: wire.AutopilotServerHealth{Healthy: strings.Contains(healthy, id)},
		}
		s.Servers[id] = one
	}
	s.Servers["a"].State, s.Servers["d"].State = wire.RaftLeader, wire.RaftNonVoter
	c.autopilot.Publish(s)
}

// follow makes this server a follower of b, at the other end of call.
func (c *crew) follow(call func(method string, args wire.Request, reply any) error) {
	c.status.Publish(&messages.RaftStatus{State: messages.Follower, LeaderID: "b", LeaderAddr: "10.0.0.2:8300"})
	c.autopilot.Publish(nil)
	c.cfg.Call = func(_ context.Context, address, method string, args wire.Request, reply any) error {
		c.asked = append(c.asked, method+" of "+address)
		return call(method, args, reply)
	}
	c.inv = invoke.New(c.cfg)
}

func TestRemovePeer(t *testing.T) {
	tests := []struct {
		name    string
		healthy string // "" is abcd
		byID    string
		byAddr  string
		refusal error
		asked   string
		err     string
	}{
		{name: "by_id", byID: "b", asked: "remove b"},
		{name: "by_address", byAddr: "10.0.0.3:8300", asked: "remove c"},
		{name: "without_a_vote", healthy: "ab", byID: "d", asked: "remove d"},
		{name: "unknown_id", byID: "x", err: `id "x" was not found in the Raft configuration`},
		{name: "unknown_address", byAddr: "10.0.0.9:8300", err: `address "10.0.0.9:8300" was not found in the Raft configuration`},
		{name: "no_id", err: `id "" was not found in the Raft configuration`},
		{name: "one_that_has_failed", healthy: "ab", byID: "c", asked: "remove c"},
		{name: "one_that_the_others_need", healthy: "ab", byID: "b",
			err: `without server "sb" (10.0.0.2:8300) only 1 of 2 voters would be healthy, and nobody could lead; remove those that are not first: "sc" (10.0.0.3:8300)`},
		{name: "raft_refuses", byID: "b", refusal: errors.New("no"), asked: "remove b", err: "no"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCrew(t)
				if tt.healthy == "" {
					tt.healthy = "abcd"
				}
				c.lead(tt.healthy)
				c.refusal = tt.refusal
				method := invoke.RaftRemovePeerByID
				if tt.byAddr != "" {
					method = invoke.RaftRemovePeerByAddress
				}
				err := invoke.Do(t.Context(), c.inv, method, &wire.RaftRemovePeerRequest{ID: tt.byID, Address: tt.byAddr}, new(struct{}))
				if text(err) != tt.err || strings.Join(c.asked, ", ") != tt.asked {
					t.Errorf("err = %v, raft was asked to %q; want %q, %q", err, c.asked, tt.err, tt.asked)
				}
			})
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestTransferLeader(t *testing.T) {
	tests := []struct {
		name, id, asked, err string
	}{
		{name: "to_anybody", asked: "hand over to  "},
		{name: "to_one", id: "c", asked: "hand over to c 10.0.0.3:8300"},
		{name: "to_nobody", id: "x", err: `id "x" was not found in the Raft configuration`},
		{name: "to_one_without_a_vote", id: "d", err: "server d (10.0.0.4:8300) has no vote and cannot lead"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCrew(t)
				c.lead("abcd")
				err := invoke.Do(t.Context(), c.inv, invoke.TransferLeader, &wire.TransferLeaderRequest{ID: tt.id}, new(struct{}))
				if text(err) != tt.err || strings.Join(c.asked, ", ") != tt.asked {
					t.Errorf("err = %v, raft was asked to %q; want %q, %q", err, c.asked, tt.err, tt.asked)
				}
			})
		})
	}
}

func TestAutopilotState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t)
		c.lead("abd")
		var got wire.AutopilotState
		if err := invoke.Do(t.Context(), c.inv, invoke.AutopilotState, &wire.DCSpecificRequest{}, &got); err != nil || !reflect.DeepEqual(&got, c.autopilot.Load()) {
			t.Errorf("the state is %+v, %v", got, err)
		}
		var health wire.AutopilotHealthReply
		if err := invoke.Do(t.Context(), c.inv, invoke.ServerHealth, &wire.DCSpecificRequest{}, &health); err != nil {
			t.Fatal(err)
		}
		if health.Healthy || health.FailureTolerance != 1 || len(health.Servers) != 4 {
			t.Errorf("the health is %+v", health)
		}
		want := wire.AutopilotHealth{ID: "a", Name: "sa", Address: "10.0.0.1:8300", SerfStatus: 1, Version: "1.19.2", Leader: true, LastIndex: 100, Healthy: true, Voter: true}
		if health.Servers[0] != want || health.Servers[2].Healthy || health.Servers[3].Voter {
			t.Errorf("the servers are %+v", health.Servers)
		}
	})
}

// TestAutopilotStateTakesAMoment: who has just begun to lead does not know yet.
func TestAutopilotStateTakesAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t)
		c.status.Publish(&messages.RaftStatus{State: messages.Leader, LeaderID: "a"})
		time.AfterFunc(time.Second, func() { c.lead("abcd") })
		var got wire.AutopilotState
		if err := invoke.Do(t.Context(), c.inv, invoke.AutopilotState, &wire.DCSpecificRequest{}, &got); err != nil || got.Leader != "a" {
			t.Errorf("the state is %+v, %v", got, err)
		}
	})
}

func TestAutopilotDoesNotRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t)
		c.lead("abcd")
		c.cfg.Autopilot = nil
		err := invoke.Do(t.Context(), invoke.New(c.cfg), invoke.AutopilotState, &wire.DCSpecificRequest{}, new(wire.AutopilotState))
		if text(err) != "autopilot does not run on this server" {
			t.Errorf("err = %v", err)
		}
	})
}

func TestRaftConfiguration(t *testing.T) {
	tests := []struct {
		name  string
		state func(*crew)
		want  []string // a line for each server
	}{
		{name: "of_the_leader", state: func(c *crew) { c.lead("abcd") }, want: []string{
			"a sa 3 leader 100", "b sb 3 101", "c sc 3 102", "d sd 3 103",
		}},
		{name: "nobody_leads", state: func(c *crew) {
			c.status.Publish(&messages.RaftStatus{State: messages.Follower})
			c.routes.Publish(&messages.Routes{Servers: map[string][]messages.Server{"dc1": {
				{ID: "b", Name: "sb", RaftVsn: 3, Addr: netip.MustParseAddrPort("10.0.0.2:8300")},
			}}})
		}, want: []string{
			"a (unknown) unknown 0", "b sb 3 0", "c (unknown) unknown 0", "d (unknown) unknown 0",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCrew(t)
				tt.state(c)
				var got wire.RaftConfigurationResponse
				if err := invoke.Do(t.Context(), c.inv, invoke.RaftGetConfiguration, &wire.DCSpecificRequest{}, &got); err != nil {
					t.Fatal(err)
				}
				var lines []string
				for _, s := range got.Servers {
					line := s.ID + " " + s.Node + " " + s.ProtocolVersion
					if s.Leader {
						line += " leader"
					}
					lines = append(lines, line+" "+strconv.FormatUint(s.LastIndex, 10))
				}
				if !reflect.DeepEqual(lines, tt.want) || got.Index != 7 {
					t.Errorf("the peer set %d is %q, want %q", got.Index, lines, tt.want)
				}
			})
		})
	}
}

// TestDutiesAreForwarded: whoever is asked, the leader answers.
func TestDutiesAreForwarded(t *testing.T) {
	for _, d := range invoke.Duties {
		t.Run(d.Name(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCrew(t)
				c.follow(func(string, wire.Request, any) error { return nil })
				if err := c.inv.Invoke(t.Context(), d, d.NewArgs(), d.NewReply()); err != nil {
					t.Fatal(err)
				}
				if want := d.Name() + " of 10.0.0.2:8300"; strings.Join(c.asked, ", ") != want {
					t.Errorf("asked: %q, want %q", c.asked, want)
				}
			})
		})
	}
}

// TestDutiesAreTyped: what comes over the network is decoded into what the method
// makes, and nothing else fits.
func TestDutiesAreTyped(t *testing.T) {
	for _, d := range invoke.Duties {
		t.Run(d.Name(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCrew(t)
				c.lead("abcd")
				if err := c.inv.Invoke(t.Context(), d, &wire.EmptyReadRequest{}, d.NewReply()); err == nil || !strings.Contains(err.Error(), "arguments are a *wire.EmptyReadRequest") {
					t.Errorf("with other arguments: %v", err)
				}
				if err := c.inv.Invoke(t.Context(), d, d.NewArgs(), new(int)); err == nil || !strings.Contains(err.Error(), "reply is a *int") {
					t.Errorf("with another reply: %v", err)
				}
			})
		})
	}
}
