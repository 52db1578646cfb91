package supervisor

import (
	"context"
	"runtime/pprof"

	"github.com/asynkron/protoactor-go/actor"
)

// pinned is a dispatcher that runs one actor on one goroutine for the whole of
// its life. The framework's own starts a goroutine each time a mailbox wakes, and
// a third to a half of what an ask then costs is that goroutine's stack growing
// (BenchmarkDispatchers measures both). Long-lived actors are few, so the
// goroutines are few, and they carry their actor's name in a profile.
type pinned struct {
	work chan func()
	done chan struct{}
}

var _ actor.Dispatcher = (*pinned)(nil)

// pin starts the goroutine.
func pin(name string) *pinned {
	// A mailbox schedules itself again only after the function it gave has begun
	// its last pass, so one place is enough for Schedule never to block.
	p := &pinned{work: make(chan func(), 1), done: make(chan struct{})}
	go pprof.Do(context.Background(), pprof.Labels("actor", name), func(context.Context) { p.run() })
	return p
}

func (p *pinned) run() {
	for {
		select {
		case fn := <-p.work:
			fn()
		case <-p.done:
			return
		}
	}
}

// Schedule implements actor.Dispatcher. A sender that found the actor just before
// it went gets a goroutine of its own.
func (p *pinned) Schedule(fn func()) {
	select {
	case <-p.done:
		go fn()
	default:
		p.work <- fn
	}
}

// Throughput implements actor.Dispatcher: how many messages are handled before
// others may run. Nobody else runs here.
func (p *pinned) Throughput() int { return 300 }

// release ends the goroutine. The actor must be gone.
func (p *pinned) release() { close(p.done) }
