package session

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/go-metrics"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/actors/catalog/state"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// follow calls tell now and whenever sessions have come or gone, until ctx ends. It
// runs on a goroutine.
func follow(ctx context.Context, view func() *state.View, tell func()) {
	for {
		v, ws := view(), memdb.NewWatchSet()
		ws.Add(v.Abandoned())
		v.Sessions(ws)
		tell()
		if ws.WatchCtx(ctx) != nil {
			return
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// destroy ends sessions, some at a time, and returns what came of each. It runs on a
// goroutine.
func destroy(ctx context.Context, cfg Config, term uint64, ids []string) []error {
	errs := make([]error, len(ids))
	places := make(chan struct{}, inFlight)
	var running sync.WaitGroup
	for i, id := range ids {
		places <- struct{}{}
		running.Go(func() {
			errs[i] = destroyOne(ctx, cfg, term, id)
			<-places
		})
	}
	running.Wait()
	return errs
}

// destroyOne proposes the end of a session, on this server and in this term only:
// another leader, or this one in a later term, may know of a renewal.
func destroyOne(ctx context.Context, cfg Config, term uint64, id string) error {
	defer metrics.MeasureSince([]string{"session_ttl", "invalidate"}, time.Now())
	entry, err := wire.Encode(wire.SessionRequestType, &wire.SessionRequest{
		Datacenter: cfg.Datacenter, Op: wire.SessionDestroy, Session: wire.Session{ID: id},
	})
	if err != nil {
		return err
	}
	if s := cfg.Status.Load(); !s.Leads() || s.Term != term {
		return messages.ErrNotLeader
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	applied, err := ask.Do(ctx, cfg.Raft, &messages.ApplyEntry{Entry: entry})
	if err != nil {
		return err
	}
	if refused, ok := applied.Result.(error); ok {
		return fmt.Errorf("end session %s: %w", id, refused)
	}
	return nil
}
