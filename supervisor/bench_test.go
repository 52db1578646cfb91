package supervisor

import (
	"testing"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/actors/ask"
)

// BenchmarkDispatchers measures what an ask costs on the framework's dispatcher and
// on ours, with a guard around the actor, beside a bare goroutine that is asked
// over a channel.
func BenchmarkDispatchers(b *testing.B) {
	b.Run("goroutine", func(b *testing.B) {
		asked := make(chan *echo)
		go func() {
			for e := range asked {
				e.Answer("here")
			}
		}()
		for b.Loop() {
			e := &echo{}
			box := e.Expect()
			asked <- e
			<-box
		}
		close(asked)
	})
	p := pin("bench")
	defer p.release()
	for name, dispatcher := range map[string]actor.Dispatcher{"framework": actor.NewDefaultDispatcher(300), "pinned": p} {
		b.Run(name, func(b *testing.B) {
			sys := actortest.System(b)
			pid := sys.Root.Spawn(actor.PropsFromProducer(guarded(answering, zap.NewNop()), actor.WithDispatcher(dispatcher)))
			to := ask.At(sys, pid)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ask.Do(b.Context(), to, &echo{}); err != nil {
					b.Fatal(err)
				}
			}
			sys.Root.StopFuture(pid).Wait()
		})
	}
}

func answering() actor.Actor {
	return actor.ReceiveFunc(func(ctx actor.Context) {
		if e, ok := ctx.Message().(*echo); ok {
			e.Answer("here")
		}
	})
}
