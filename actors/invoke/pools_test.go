package invoke_test

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/hashicorp/serf/coordinate"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/actors/invoke"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// pools plays both gossip pools and returns what they were asked for.
func (c *crew) pools(t *testing.T) (asked *[]string) {
	asked = new([]string)
	sys := actortest.System(t)
	play := func(pool messages.Pool) *actortest.Probe {
		return actortest.NewProbeFunc(t, sys, string(pool), func(ctx actor.Context) bool {
			switch msg := ctx.Message().(type) {
			case *messages.FireUserEvent:
				*asked = append(*asked, string(pool)+" fire "+msg.Name+" "+string(msg.Payload))
				msg.Answer(messages.Unit{})
			case *messages.ChangeKeyring:
				*asked = append(*asked, string(pool)+" "+string(msg.Verb)+" "+msg.Key+strings.Repeat("+", int(msg.RelayFactor)))
				var err error
				if msg.Key == "bad" {
					err = errors.New("1/1 nodes reported failure")
				}
				msg.Settle(messages.KeyringChanged{NumNodes: 1, Keys: map[string]int{"k": 1}, Messages: map[string]string{"a": string(pool)}}, err)
			}
			return true
		})
	}
	c.cfg.GossipLAN, c.cfg.GossipWAN = play(messages.LAN).Address(sys), play(messages.WAN).Address(sys)
	c.inv = invoke.New(c.cfg)
	return asked
}

func TestEventFire(t *testing.T) {
	c := newCrew(t)
	asked := c.pools(t)
	args := &wire.EventFireRequest{Name: "deploy", Payload: []byte("v2")}
	if err := invoke.Do(t.Context(), c.inv, invoke.EventFire, args, &wire.EventFireResponse{}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"lan fire consul:event:deploy v2"}; !reflect.DeepEqual(*asked, want) {
		t.Errorf("asked for %q, want %q", *asked, want)
	}
}

func TestKeyringOperation(t *testing.T) {
	tests := []struct {
		name  string
		args  wire.KeyringRequest
		asked []string
		said  string // by the last pool that was asked
		err   string
	}{
		{"list", wire.KeyringRequest{Operation: "list"}, []string{"wan list ", "lan list "}, "", ""},
		{"list_local", wire.KeyringRequest{Operation: "list", LocalOnly: true}, []string{"lan list "}, "", ""},
		{"forwarded", wire.KeyringRequest{Operation: "use", Key: "k", Forwarded: true}, []string{"lan use k"}, "", ""},
		{"relayed", wire.KeyringRequest{Operation: "install", Key: "k", RelayFactor: 2}, []string{"wan install k++", "lan install k++"}, "", ""},
		{"failed", wire.KeyringRequest{Operation: "remove", Key: "bad"}, []string{"wan remove bad", "lan remove bad"}, "1/1 nodes reported failure", ""},
		{"local_change", wire.KeyringRequest{Operation: "use", Key: "k", LocalOnly: true}, nil, "", "LocalOnly can only be used for List operations"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCrew(t)
			asked := c.pools(t)
			var reply wire.KeyringResponses
			err := invoke.Do(t.Context(), c.inv, invoke.KeyringOperation, &tt.args, &reply)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("err = %v, want %s", err, tt.err)
				}
				return
			}
			if err != nil || !reflect.DeepEqual(*asked, tt.asked) || len(reply.Responses) != len(tt.asked) {
				t.Fatalf("asked for %q, got %d responses, %v; want %q", *asked, len(reply.Responses), err, tt.asked)
			}
			for i, r := range reply.Responses {
				wan := strings.HasPrefix(tt.asked[i], "wan")
				if r.WAN != wan || r.Datacenter != "dc1" || r.NumNodes != 1 || r.Keys["k"] != 1 || r.Error != tt.said || len(r.Messages) != 1 {
					t.Errorf("response %d: %+v", i, r)
				}
			}
		})
	}
}

func TestCoordinateUpdate(t *testing.T) {
	c := newCrew(t)
	c.lead("abc")
	update := func(coord *coordinate.Coordinate) error {
		return invoke.Do(t.Context(), c.inv, invoke.CoordinateUpdate, &wire.CoordinateUpdateRequest{Node: "nobody", Coord: coord}, &struct{}{})
	}
	wrong := coordinate.NewCoordinate(coordinate.DefaultConfig())
	wrong.Height = math.NaN()
	for name, coord := range map[string]*coordinate.Coordinate{"none": nil, "not_a_number": wrong} {
		if err := update(coord); err == nil || !strings.Contains(err.Error(), "invalid coordinate") {
			t.Errorf("%s: err = %v", name, err)
		}
	}
	if err := update(coordinate.NewCoordinate(coordinate.DefaultConfig())); err != nil {
		t.Errorf("of a node that is not known: %v, want it passed over", err)
	}
}
