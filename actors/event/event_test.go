package event

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// scene is an event actor over a pool that answers with fault.
type scene struct {
	events messages.Published[messages.EventView]
	local  messages.Published[messages.LocalView]
	fault  error
	silent bool // the pool never answers
	fired  []*messages.FireUserEvent
	at     ask.Address

	elsewhere func(*wire.EventFireRequest) error
}

func (s *scene) play(t *testing.T) {
	sys := actortest.System(t)
	lan := actortest.NewProbeFunc(t, sys, "gossip-lan", func(ctx actor.Context) bool {
		msg, ok := ctx.Message().(*messages.FireUserEvent)
		if ok && !s.silent {
			s.fired = append(s.fired, msg)
			msg.Settle(messages.Unit{}, s.fault)
		}
		return ok
	}).Address(sys)
	s.at = actortest.Spawn(t, sys, New(Config{Logger: zap.NewNop(), NodeName: "n1", LAN: lan, Local: &s.local, Events: &s.events,
		Datacenter: "dc1", Elsewhere: func(_ context.Context, args *wire.EventFireRequest) error { return s.elsewhere(args) }}), Name)
	synctest.Wait()
}

// TestFireAndReceive fires an event and lets the pool bring it back.
func TestFireAndReceive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s scene
		s.play(t)
		before := s.events.Load()
		e, err := ask.Do(t.Context(), s.at, &messages.FireEvent{Event: messages.UserEvent{Name: "deploy", Payload: []byte("v2"), NodeFilter: "n1", LTime: 7}})
		if err != nil || len(e.ID) != 36 || e.Version != 1 || e.LTime != 0 || len(s.fired) != 1 || s.fired[0].Name != "consul:event:deploy" || s.fired[0].Coalesce {
			t.Fatalf("%+v, %v; the pool was told %+v", e, err, s.fired)
		}
		s.at.Tell(&messages.UserEventReceived{Name: s.fired[0].Name, Payload: s.fired[0].Payload, LTime: 3})
		<-before.Changed
		view := s.events.Load()
		if len(before.Events) != 0 || len(view.Events) != 1 || view.Events[0].ID != e.ID || view.Events[0].LTime != 3 || string(view.Events[0].Payload) != "v2" {
			t.Errorf("published: %+v", view)
		}
	})
}

// TestFireElsewhere hands an event for another datacenter to a server there.
func TestFireElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s scene
		fault := errors.New("nobody is there")
		s.elsewhere = func(args *wire.EventFireRequest) error {
			if e, err := decode(args.Payload); err != nil || args.Datacenter != "dc2" || args.Name != "deploy" || e.Name != "deploy" {
				t.Errorf("another datacenter was sent %+v, %v", args, err)
			}
			return fault
		}
		s.play(t)
		fire := func() error {
			_, err := ask.Do(t.Context(), s.at, &messages.FireEvent{Event: messages.UserEvent{Name: "deploy"}, Datacenter: "dc2"})
			return err
		}
		if err := fire(); !errors.Is(err, fault) {
			t.Errorf("%v, want %v", err, fault)
		}
		if fault = nil; fire() != nil || len(s.fired) != 0 {
			t.Errorf("our own pool was told %v", s.fired)
		}
	})
}

func TestRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := scene{fault: errors.New("too long")}
		s.play(t)
		for name, want := range map[string]string{"": "User event missing name", "e": "too long"} {
			if _, err := ask.Do(t.Context(), s.at, &messages.FireEvent{Event: messages.UserEvent{Name: name}}); err == nil || err.Error() != want {
				t.Errorf("%q: %v, want %s", name, err, want)
			}
		}
	})
}

func TestWhatIsNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s scene
		s.play(t)
		of := func(e messages.UserEvent) []byte {
			e.ID = anID
			payload, err := encode(&e)
			if err != nil {
				t.Fatal(err)
			}
			return payload
		}
		for _, msg := range []*messages.UserEventReceived{
			{Name: "consul:new-leader", Payload: []byte("x")},
			{Name: messages.EventPrefix + "e", Payload: []byte("x")},
			{Name: messages.EventPrefix + "e", Payload: of(messages.UserEvent{Name: "e", NodeFilter: "other"})},
			{Name: messages.EventPrefix + "e", Payload: of(messages.UserEvent{Name: "e", NodeFilter: "("})},
			{Name: messages.EventPrefix + "_rexec", Payload: of(messages.UserEvent{Name: "_rexec"})},
		} {
			s.at.Tell(msg)
		}
		s.at.Tell(&messages.UserEventReceived{Name: messages.EventPrefix + "new", Payload: of(messages.UserEvent{Name: "new", Version: 2})})
		synctest.Wait()
		if events := s.events.Load().Events; len(events) != 1 || events[0].Name != "new" {
			t.Errorf("kept: %+v", events)
		}
	})
}

// TestRestart: what was published is kept, who waits is woken, and who fired is
// answered.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := scene{silent: true}
		s.events.Publish(&messages.EventView{Events: []messages.UserEvent{{ID: anID, Name: "old"}}})
		s.play(t)
		before := s.events.Load()
		answered := make(chan error, 1)
		go func() {
			_, err := ask.Do(t.Context(), s.at, &messages.FireEvent{Event: messages.UserEvent{Name: "e"}})
			answered <- err
		}()
		synctest.Wait()
		s.at.Tell((*messages.UserEventReceived)(nil)) // which nobody sends: it crashes on it
		<-before.Changed
		if err := <-answered; err == nil || !strings.Contains(err.Error(), "no answer in time") {
			t.Errorf("who fired has %v", err)
		}
		if events := s.events.Load().Events; len(events) != 1 || events[0].Name != "old" {
			t.Errorf("after a restart: %+v", events)
		}
	})
}
