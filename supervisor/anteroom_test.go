package supervisor

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/actor-consul/consul/actors/actortest"
)

// TestAnteroom speaks to an actor when its name is known and nothing else of it:
// Started is the first that it hears, and all the rest follows in order.
func TestAnteroom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sys := actortest.System(t)
		var heard []string
		props := actor.PropsFromFunc(func(ctx actor.Context) {
			heard = append(heard, fmt.Sprintf("%T", ctx.Message()))
			if text, ok := ctx.Message().(string); ok {
				heard[len(heard)-1] = text
			}
		},
			actor.WithMailbox(withAnteroom(actor.Unbounded())),
			actor.WithOnInit(func(actor.Context) { // its PID is registered, its mailbox leads nowhere
				sys.Root.Send(sys.NewLocalPID("early"), "first")
				sys.Root.Send(sys.NewLocalPID("early"), "second")
			}))
		pid, err := sys.Root.SpawnNamed(props, "early")
		if err != nil {
			t.Fatal(err)
		}
		sys.Root.Send(pid, "third")
		synctest.Wait()
		if want := []string{"*actor.Started", "first", "second", "third"}; !slices.Equal(heard, want) {
			t.Errorf("heard %q, want %q", heard, want)
		}
	})
}

// TestAnteroomTellsOfAStop shows that an actor that is stopped before it lives
// starts and stops.
func TestAnteroomTellsOfAStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sys := actortest.System(t)
		var heard []string
		props := actor.PropsFromFunc(func(ctx actor.Context) { heard = append(heard, fmt.Sprintf("%T", ctx.Message())) },
			actor.WithMailbox(withAnteroom(actor.Unbounded())),
			actor.WithOnInit(func(actor.Context) { sys.Root.Stop(sys.NewLocalPID("brief")) }))
		if _, err := sys.Root.SpawnNamed(props, "brief"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if want := []string{"*actor.Started", "*actor.Stopping", "*actor.Stopped"}; !slices.Equal(heard, want) {
			t.Errorf("heard %q, want %q", heard, want)
		}
	})
}
