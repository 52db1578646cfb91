// Package invoke carries out what servers can be asked (actors/catalog/endpoint):
// it finds out who may answer, waits where waiting is asked for, and takes writes
// to the log.
//
//	http, rpc, serverrpc, local, leader ──Read, Write, Do──▶ invoke ──ConfirmLeader, ApplyEntry──▶ raft
//	                                                                ──Eval──▶ the published state
//
// It is no actor and has no state: it runs on the goroutines of those who ask.
//
// # What a read has seen
//
// A stale read is answered from the state as this server has it. Every other read
// is linearizable, whether it says `consistent` or says nothing: a quorum confirms
// that this server still leads, once for all reads that wait at that moment, and a
// leader acknowledges no write, its own term's or an earlier one's, before its own
// state has it. Consul promises as much for `consistent` only
// (https://developer.hashicorp.com/consul/api-docs/features/consistency).
//
// # When nobody leads
//
// Writes and linearizable reads are held for a while, since an election is mostly
// over before anybody would ask again; then they fail with messages.ErrNoLeader.
package invoke

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/go-metrics"

	"github.com/actor-consul/consul/actors/answers"
	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/actors/catalog/endpoint"
	"github.com/actor-consul/consul/actors/catalog/state"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

const (
	// The times a blocking query waits, unless the configuration says otherwise:
	// https://developer.hashicorp.com/consul/api-docs/features/blocking
	defaultQueryTime = 300 * time.Second
	maxQueryTime     = 600 * time.Second
	// jitterFraction of the wait is added at most, so that those who asked together
	// do not come back together.
	jitterFraction = 16

	// defaultHold is for how long a request waits for a leader.
	defaultHold = 7 * time.Second
	// holdPause is how often it looks for one.
	holdPause = 20 * time.Millisecond
)

// Config is what an Invoker needs.
type Config struct {
	Datacenter string                                   // required
	View       func() *state.View                       // required: the newest state
	Status     *messages.Published[messages.RaftStatus] // required
	Raft       ask.Address                              // required

	// Autopilot is what this server thinks of the others while it leads. Optional:
	// without it nobody can ask for that.
	Autopilot *messages.Published[wire.AutopilotState]

	// GossipLAN and GossipWAN are the pools; nobody: they cannot be asked.
	GossipLAN, GossipWAN ask.Address

	// Coordinates is who gathers the coordinates of nodes. Nobody: none can be told.
	Coordinates ask.Address
	// Sessions is who keeps the deadlines of sessions while this server leads. Nobody:
	// none can be renewed.
	Sessions ask.Address

	// Routes and Call reach other servers: Routes says which there are, Call carries
	// a method to one, by its address. Both nil: there is only this one.
	Routes *messages.Published[messages.Routes]
	Call   func(ctx context.Context, address, method string, args wire.Request, reply any) error
	// Snapshot carries a snapshot request to a server, with the archive that is to be
	// restored, and returns the archive that was saved; the caller closes it. nil:
	// only the leader itself saves and restores snapshots.
	Snapshot func(ctx context.Context, address string, args *wire.SnapshotRequest, in io.Reader, reply *wire.SnapshotResponse) (io.ReadCloser, error)
	// WAN is the pool of the servers of all datacenters. nil: this agent is not in it.
	WAN *messages.Published[messages.PoolView]
	// Failed is told the servers that could not be reached. Optional.
	Failed ask.Address

	// Answers is where answers are kept that many want. Optional: without it everybody
	// who waits evaluates for himself.
	Answers *answers.Table

	// Client says that this agent is no server: everything is forwarded.
	Client bool

	DefaultQueryTime time.Duration // of blocking queries that do not say; default 300 s
	MaxQueryTime     time.Duration // of blocking queries that say more; default 600 s
	Hold             time.Duration // how long to wait for a leader; default 7 s
	SessionTTLMin    time.Duration // default 10 s
}

// Invoker carries out endpoints. Any number of goroutines may use it.
type Invoker struct {
	cfg     Config
	waiting atomic.Int64 // blocking queries
}

// New returns an Invoker.
func New(cfg Config) *Invoker {
	orDefault := func(d *time.Duration, def time.Duration) {
		if *d <= 0 {
			*d = def
		}
	}
	orDefault(&cfg.DefaultQueryTime, defaultQueryTime)
	orDefault(&cfg.MaxQueryTime, maxQueryTime)
	orDefault(&cfg.Hold, defaultHold)
	return &Invoker{cfg: cfg}
}

// Read answers args into reply, whose QueryMeta it fills in. With a MinQueryIndex
// it waits until the answer has changed, or the time is up, or ctx ends; then reply
// is what it was last.
func Read[A, R any](ctx context.Context, inv *Invoker, ep endpoint.Read[A, R], args *A, reply *R) error {
	return inv.Invoke(ctx, &ep, any(args).(wire.Request), reply)
}

// Write has args committed to the log and answers what came of it. After an error
// that wraps messages.ErrLeadershipLost, messages.ErrCrashed or ctx's own, nobody
// knows whether it was.
func Write[A, R any](ctx context.Context, inv *Invoker, ep endpoint.Write[A, R], args *A, reply *R) error {
	return inv.Invoke(ctx, &ep, any(args).(wire.Request), reply)
}

// Invoke carries out a method of which only the name is known. args and reply are
// of the types that the method makes.
func (inv *Invoker) Invoke(ctx context.Context, m endpoint.Method, args wire.Request, reply any) error {
	if dc := args.RequestDatacenter(); dc != "" && dc != inv.cfg.Datacenter {
		return inv.elsewhere(ctx, dc, m, args, reply)
	}
	if inv.cfg.Client {
		return inv.throughServer(ctx, m, args, reply)
	}
	if anywhere(m) {
		return inv.here(ctx, m, args, reply)
	}
	return inv.hold(ctx, func() error {
		if leader := inv.otherLeader(args); leader != "" {
			return inv.callWhile(ctx, func() time.Duration { return inv.deposed(leader) }, inv.cfg.Datacenter, leader, m.Name(), args, reply)
		}
		return inv.here(ctx, m, args, reply)
	})
}

// errStranger is why a server carries out nothing for other agents. They ask another.
var errStranger = fmt.Errorf("%w of this pool: it has a peer set of its own beside a larger one", messages.ErrNotLeader)

// InvokeFor is Invoke for another agent. A server whose peer set is beside a larger one
// in the pool does so only for what each server answers for itself, and for who asks
// which peer set it has: the agents of the pool belong to the larger, and what they
// write would be nowhere else.
func (inv *Invoker) InvokeFor(ctx context.Context, m endpoint.Method, args wire.Request, reply any) error {
	if inv.cfg.Autopilot != nil && !anywhere(m) && m.Name() != RaftGetConfiguration.Name() {
		if s := inv.cfg.Autopilot.Load(); s != nil && s.Outnumbered {
			return errStranger
		}
	}
	return inv.Invoke(ctx, m, args, reply)
}

// here carries out a method on this server.
func (inv *Invoker) here(ctx context.Context, m endpoint.Method, args wire.Request, reply any) error {
	if name, ok := timed[m.Name()]; ok {
		defer metrics.MeasureSince(name, time.Now())
	}
	switch m := m.(type) {
	case endpoint.ReadMethod:
		err := inv.read(ctx, m, args, reply)
		if err == nil {
			counted(m, args, reply)
		}
		return err
	case endpoint.WriteMethod:
		return inv.write(ctx, m, args, reply)
	case duty:
		return m.runAny(ctx, inv, args, reply)
	default:
		return fmt.Errorf("%s is neither a read, a write nor a duty", m.Name())
	}
}

func (inv *Invoker) read(ctx context.Context, m endpoint.ReadMethod, args wire.Request, reply any) error {
	opts := optionsOf(args)
	if opts.MinQueryIndex > 0 && inv.cfg.Answers != nil {
		if kept, err := inv.shared(ctx, m, args, opts); kept != nil || err != nil {
			if err == nil {
				inv.take(kept, opts, reply)
			}
			return err
		}
	}
	return inv.readAlone(ctx, m, args, opts, reply)
}

// readAlone answers a read that nobody else has a part in.
func (inv *Invoker) readAlone(ctx context.Context, m endpoint.ReadMethod, args wire.Request, opts *wire.QueryOptions, reply any) error {
	wait := ctx
	if opts.MinQueryIndex > 0 {
		var cancel context.CancelFunc
		wait, cancel = context.WithTimeout(ctx, inv.patience(opts.MaxQueryTime))
		defer cancel()
		inv.waiting.Add(1)
		defer inv.waiting.Add(-1)
	}
	blocking := endpoint.Blocking{Min: opts.MinQueryIndex}
	for {
		if err := inv.mayAnswer(ctx, opts); err != nil {
			return err
		}
		env := inv.env()
		if opts.MinQueryIndex > 0 {
			env.Watch = memdb.NewWatchSet()
			env.Watch.Add(env.View.Abandoned())
		}
		reflect.ValueOf(reply).Elem().SetZero()
		err := m.EvalAny(env, args, reply)
		index := inv.fillIn(reply, opts)
		done, err := blocking.Done(index, err)
		if done || env.Watch == nil || env.Watch.WatchCtx(wait) != nil {
			return err
		}
		select {
		case <-env.View.Abandoned():
			// A snapshot was restored, whose indexes may be smaller than what the asker has
			// seen. He is told, or he would wait for ever.
			blocking.Min = 0
		default:
		}
	}
}

// env is what a method is evaluated in now.
func (inv *Invoker) env() *endpoint.Env {
	return &endpoint.Env{
		View: inv.cfg.View(), Now: time.Now(), SessionTTLMin: inv.cfg.SessionTTLMin,
		Datacenter: inv.cfg.Datacenter, Shuffle: rand.Shuffle,
	}
}

// patience returns how long a blocking query waits that asks for so much.
func (inv *Invoker) patience(asked time.Duration) time.Duration {
	if asked <= 0 {
		asked = inv.cfg.DefaultQueryTime
	}
	asked = min(asked, inv.cfg.MaxQueryTime)
	return asked + rand.N(asked/jitterFraction+1)
}

// mayAnswer returns nil when this server may answer the read now.
func (inv *Invoker) mayAnswer(ctx context.Context, opts *wire.QueryOptions) error {
	if opts.AllowStale && !opts.RequireConsistent {
		if !inv.knows() {
			return messages.ErrNoLeader
		}
		return nil
	}
	if s := inv.cfg.Status.Load(); s != nil && s.LoneReadIndex != nil {
		if _, ok := s.LoneReadIndex(); ok {
			return nil // its own word is a quorum's
		}
	}
	defer metrics.MeasureSince([]string{"rpc", "consistentRead"}, time.Now())
	_, err := ask.Do(ctx, inv.cfg.Raft, &messages.ConfirmLeader{})
	return err
}

// knows reports whether this server has a state to speak of. One that has nothing yet,
// or still reads its log after a start, would answer with lists that are empty or too
// short, and that looks like news.
func (inv *Invoker) knows() bool {
	return inv.cfg.View().LastIndex() > 0 && !inv.cfg.Status.Load().CatchesUp()
}

func (inv *Invoker) fillIn(reply any, opts *wire.QueryOptions) (index uint64) {
	r, ok := reply.(wire.Reply)
	if !ok {
		return 0
	}
	inv.fillInMeta(r.Meta(), opts)
	return r.Meta().Index
}

// fillInMeta says how a reply was found.
func (inv *Invoker) fillInMeta(meta *wire.QueryMeta, opts *wire.QueryOptions) {
	meta.ConsistencyLevel = opts.ConsistencyLevel()
	if s := inv.cfg.Status.Load(); s != nil {
		meta.KnownLeader = s.LeaderID != ""
		if !s.Leads() && s.LastContact != nil {
			if last := s.LastContact(); !last.IsZero() {
				meta.LastContact = time.Since(last)
			}
		}
	}
}

func (inv *Invoker) write(ctx context.Context, m endpoint.WriteMethod, args wire.Request, reply any) error {
	// What a leader that is not ready has may be old: without the lock delays, say, of
	// the sessions that have just ended.
	if s := inv.cfg.Status.Load(); !s.Leads() || !s.Ready {
		return messages.ErrNotLeader
	}
	propose, err := inv.prepare(m, args, reply)
	if err == nil && !propose {
		// The reply is what was found in the state, as a read's is. That of a leader
		// which is new, or none any more, may lack what others have acknowledged.
		if err = inv.mayAnswer(ctx, &wire.QueryOptions{}); err == nil {
			propose, err = inv.prepare(m, args, reply)
		}
	}
	if err != nil || !propose {
		return err
	}
	entry, err := wire.Encode(m.EntryType(), args)
	if err != nil {
		return err
	}
	applied, err := ask.Do(ctx, inv.cfg.Raft, &messages.ApplyEntry{Entry: entry})
	if err != nil {
		return err
	}
	return m.ResultAny(applied.Result, reply)
}

// prepare looks at a write with the state as it is now.
func (inv *Invoker) prepare(m endpoint.WriteMethod, args wire.Request, reply any) (propose bool, err error) {
	return m.PrepareAny(inv.env(), args, reply)
}

// hold tries again for a while, as long as nobody leads, nobody can be reached or
// nobody is known yet.
func (inv *Invoker) hold(ctx context.Context, try func() error) error {
	err := try()
	if !passes(err) {
		return err
	}
	until := time.NewTimer(inv.cfg.Hold)
	defer until.Stop()
	for {
		pause := time.NewTimer(holdPause)
		select {
		case <-pause.C:
		case <-until.C:
			pause.Stop()
			return givenUp(err)
		case <-ctx.Done():
			pause.Stop()
			return context.Cause(ctx)
		}
		if err = try(); !passes(err) {
			return err
		}
	}
}

// passes says whether a request that failed so is worth another try in a moment.
func passes(err error) bool {
	return errors.Is(err, messages.ErrNotLeader) || errors.Is(err, ErrNoServers) || errors.As(err, new(*unreached))
}

// givenUp is what an asker is told who has waited in vain.
func givenUp(err error) error {
	var none *unreached
	switch {
	case errors.Is(err, ErrNoServers):
		return ErrNoServers
	case errors.As(err, &none):
		return fmt.Errorf("%w: %w", messages.ErrNoLeader, none)
	default:
		return messages.ErrNoLeader
	}
}
