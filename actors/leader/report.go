package leader

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// reportInterval is how often the metrics are told how much of everything there is:
// what is kept of them in memory comes in intervals of ten seconds, and each is to
// have it.
const reportInterval = 9 * time.Second

// What the actor tells itself of reports.
type (
	report   struct{}
	reported struct{}
)

// report has a goroutine make a report, since counting takes its time.
func (a *leaderActor) report(ctx actor.Context) {
	if a.cfg.Report == nil {
		return
	}
	root, self, tell := ctx.ActorSystem().Root, ctx.Self(), a.cfg.Report
	go func() {
		tell()
		root.Send(self, &reported{})
	}()
}

func (a *leaderActor) armReport(ctx actor.Context) {
	root, self := ctx.ActorSystem().Root, ctx.Self()
	a.disarmReport()
	a.reports = time.AfterFunc(reportInterval, func() { root.Send(self, &report{}) })
}

func (a *leaderActor) disarmReport() {
	if a.reports != nil {
		a.reports.Stop()
	}
}
