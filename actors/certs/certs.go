// Package certs owns the certificates of the agent: it reads them, judges them, and
// watches how long they are valid.
//
//	supervisor ──LoadCertificates──▶ certs ──set (published)──▶ Keychain
//	serverrpc, http ──Incoming, HTTPS, AuthorizeServer──▶ Keychain ◀──Outgoing── who dials servers
//	health ──Checks──▶ Keychain
//
// What is read is made into an immutable set of configurations for crypto/tls, which
// each new connection takes from the Keychain. New certificates therefore need no
// restart of anything: connections that are open go on as they are. What cannot be used
// is refused as a whole, with the file and the reason, and the old set stays in force.
//
// Files are read on a goroutine. Nothing survives a restart of the actor but the set in
// force, and the configuration that it is read anew with.
//
// It makes no certificates, which is actors/agentca, and speaks to nobody. Who may do
// what is decided in two places: state.go says which files go together, keychain.go who
// passes for a server.
package certs

import (
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/hashicorp/go-metrics"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/messages"
)

// Name is the name the actor is spawned under.
const Name = "certs"

// lookEvery is how often it is looked how long the certificates are valid: the figures
// are kept for intervals of as long.
const lookEvery = 10 * time.Second

// Config is what the actor needs from the rest of the agent.
type Config struct {
	Logger   *zap.Logger        // required
	TLS      messages.TLSConfig // what to read at the start
	Keychain *Keychain          // required: where it is published
	Server   bool               // this agent is a server, so its certificate must say so
}

// New returns the producer of a certs actor.
func New(cfg Config) actor.Producer {
	l := &life{config: cfg.TLS}
	log := cfg.Logger.Named("agent").Named("tlsutil") // as in Consul
	return func() actor.Actor { return &certsActor{cfg: cfg, log: log, life: l, told: told{}} }
}

// life is what outlives a restart of the actor.
type life struct {
	config messages.TLSConfig // in force
	loads  int                // that have been begun
	taken  int                // the newest whose result was taken
}

// certsActor is the shell around the rules. All fields belong to the mailbox.
type certsActor struct {
	cfg  Config
	log  *zap.Logger
	life *life

	ready bool // has been said
	told  told
	timer *time.Timer
}

var _ actor.Actor = (*certsActor)(nil)

// What the actor is told by its goroutine and its timer.
type (
	loaded struct {
		number int
		config messages.TLSConfig
		asked  *messages.LoadCertificates // nil: the start
		set    *set
		odd    []string // what is odd about the files, for people
		err    error
	}
	look struct{}
)

// Receive implements actor.Actor.
func (a *certsActor) Receive(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case *actor.Started:
		a.load(ctx, a.life.config, nil)
	case *messages.LoadCertificates:
		a.load(ctx, msg.TLS, msg)
	case *loaded:
		a.take(ctx, msg)
	case *look:
		a.look(ctx)
	case *actor.Stopping, *actor.Restarting:
		a.disarm()
	case *actor.Stopped:
	default:
		a.log.Warn("unexpected message", zap.String("type", fmt.Sprintf("%T", msg)))
	}
}

// load has the files read.
func (a *certsActor) load(ctx actor.Context, config messages.TLSConfig, asked *messages.LoadCertificates) {
	a.life.loads++
	b := bridge{root: ctx.ActorSystem().Root, self: ctx.Self()}
	go b.load(loading{
		number: a.life.loads, config: config, asked: asked,
		rules: rules{server: a.cfg.Server, serverName: a.cfg.Keychain.ownName()},
	})
}

// take puts what was read in force, unless something is wrong with it.
func (a *certsActor) take(ctx actor.Context, msg *loaded) {
	var files []string
	switch {
	case msg.err != nil:
		a.refuse(ctx, msg)
		return
	case msg.number > a.life.taken: // else a later one was faster
		a.life.taken, a.life.config = msg.number, msg.config
		files = a.publish(msg)
	}
	if msg.asked != nil {
		msg.asked.Answer(messages.CertificatesLoaded{Anew: files})
	}
	a.begin(ctx)
}

// publish returns the files that hold other certificates than before.
func (a *certsActor) publish(msg *loaded) (files []string) {
	before := a.cfg.Keychain.newest.Load()
	a.cfg.Keychain.newest.Publish(msg.set)
	switch {
	case before == nil: // the start
	case before.print == msg.set.print:
		return nil
	default:
		files = anew(before.dated, msg.set.dated)
	}
	for _, odd := range msg.odd {
		a.log.Warn(odd)
	}
	for _, d := range msg.set.dated {
		if d.own {
			a.log.Info("loaded a certificate", zap.String("file", d.file), zap.Strings("names", d.names), zap.Time("valid_until", d.until))
		}
	}
	return files
}

// refuse keeps what was in force. Without that, the agent cannot start.
func (a *certsActor) refuse(ctx actor.Context, msg *loaded) {
	switch {
	case msg.asked != nil:
		msg.asked.Refuse(msg.err) // who asked tells
	case a.cfg.Keychain.newest.Load() != nil: // the actor was restarted
		a.log.Error("the certificates cannot be read again; those in force stay", zap.Error(msg.err))
		a.begin(ctx)
	default:
		ctx.Request(ctx.Parent(), &messages.StartFailed{Err: msg.err})
	}
}

// begin says that there are certificates to work with, once.
func (a *certsActor) begin(ctx actor.Context) {
	if !a.ready {
		a.ready = true
		ctx.Request(ctx.Parent(), &messages.Ready{})
	}
	a.look(ctx)
}

// look tells how long the certificates are valid.
func (a *certsActor) look(ctx actor.Context) {
	now, s := time.Now(), a.cfg.Keychain.newest.Load()
	if s.rpc.cert != nil {
		metrics.SetGauge([]string{"agent", "tls", "cert", "expiry"}, float32(s.rpc.dated.until.Sub(now).Truncate(time.Second).Seconds()))
	}
	for _, n := range a.told.due(s.dated, now) {
		fields := []zap.Field{zap.String("file", n.file), zap.Time("valid_until", n.until)}
		if n.over {
			a.log.Error(n.what()+" has expired: put a new one there and reload", fields...)
		} else {
			a.log.Warn(n.what()+" will expire soon: put a new one there and reload", append(fields, zap.Duration("in", n.left))...)
		}
	}
	a.disarm()
	root, self := ctx.ActorSystem().Root, ctx.Self()
	a.timer = time.AfterFunc(lookEvery, func() { root.Send(self, &look{}) })
}

func (a *certsActor) disarm() {
	if a.timer != nil {
		a.timer.Stop()
	}
}
