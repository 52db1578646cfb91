package http

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// bridge runs what waits, on goroutines of its own, and tells the actor how it
// ended.
type bridge struct {
	root *actor.RootContext
	self *actor.PID
}

// serve accepts connections until the listener is closed.
func (b bridge) serve(server *http.Server, l net.Listener) {
	err := server.Serve(l)
	b.root.Send(b.self, &ended{server: server, addr: l.Addr(), err: err})
}

// drain waits until the requests in flight are answered, but no longer than the
// budget allows, and completes the report. Requests that last as long as the agent
// (streams, and the request to leave itself) are not waited for.
func (b bridge) drain(server *http.Server, a *api, idle <-chan struct{}, report *settled, budget time.Duration) {
	ctx, cancel := context.WithTimeout(a.closing, budget-budget/10) // the report must not come too late
	defer cancel()

	// It closes idle connections, and those that are busy once they are not. It
	// would wait for all of them, so nobody waits for it.
	go server.Shutdown(a.closing) //nolint:errcheck // it ends with a.closing, and says so

	select {
	case <-idle:
	case <-ctx.Done():
		now, _ := a.flight.settled()
		report.left = min(now, report.begun) // others may have come over connections that were open
	}
	b.root.Send(b.self, report)
}
