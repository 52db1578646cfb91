package serverrpc

import (
	"context"
	"errors"
	"time"

	"github.com/actor-consul/consul/actors/catalog/endpoint"
	"github.com/actor-consul/consul/actors/invoke"
	"github.com/actor-consul/consul/actors/serverrpc/subscribe"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

const (
	// readying is how long a subscription waits for a server that has just started to
	// know anything, and lookPause how often it looks.
	readying  = 7 * time.Second
	lookPause = 50 * time.Millisecond
	// catchingUp is how long it waits for a server to have what its client has seen on
	// another. After a snapshot was restored, that may be never.
	catchingUp = 500 * time.Millisecond
	// pollPause is how long one poll comes after the other at least, if the first had
	// no news.
	pollPause = time.Second
)

// topic is what a subscription is about.
type topic struct {
	read endpoint.ReadMethod
	args wire.Request
	// look answers the read, from this server's state if that may: at once, or when
	// there is more than the asker has seen at index.
	look func(ctx context.Context, inv *invoke.Invoker, index uint64, last *subscribe.Listing) (l *subscribe.Listing, ours bool, err error)
}

// topicOf returns the topic of a request that is good.
func topicOf(req *subscribe.Request, datacenter string) topic {
	opts := wire.QueryOptions{Token: req.Token, AllowStale: true}
	if req.Topic == subscribe.ServiceList {
		return about(endpoint.ServiceList, &wire.DCSpecificRequest{Datacenter: datacenter, QueryOptions: opts}, subscribe.Services)
	}
	return about(endpoint.HealthServiceNodes, &wire.ServiceSpecificRequest{
		Datacenter: datacenter, PeerName: req.PeerName, ServiceName: req.Key,
		Connect: req.Topic == subscribe.ServiceHealthConnect, QueryOptions: opts,
	}, subscribe.Health)
}

// readArgs is a pointer to the arguments of a read.
type readArgs[A any] interface {
	*A
	wire.Read
}

// about makes a topic of a read and of how its replies are listed.
func about[A, R any, P readArgs[A]](read endpoint.Read[A, R], args P, list func(*R, *subscribe.Listing) *subscribe.Listing) topic {
	look := func(ctx context.Context, inv *invoke.Invoker, index uint64, last *subscribe.Listing) (*subscribe.Listing, bool, error) {
		args := *args
		P(&args).Options().MinQueryIndex = index
		s, err := invoke.Share(ctx, inv, read, &args, true)
		switch {
		case err != nil:
			return nil, false, err
		case s.Kept == nil:
			return list(s.Reply, last), false, nil
		}
		form := s.Kept.Form("subscribed", func() (any, int) {
			l := list(s.Reply, last)
			return l, l.Size()
		})
		return form.(*subscribe.Listing), true, nil
	}
	return topic{read: &read, args: args, look: look}
}

// subscribe tells a client all there is, and then what changes, until ctx ends.
//
// A client that has something from another server, or from before this one restarted,
// begins anew: nobody knows whether the log in which it has seen an index is ours still.
func (s *server) subscribe(ctx context.Context, req *subscribe.Request, out *outgoing) error {
	datacenter := req.Datacenter
	if datacenter == "" {
		datacenter = s.cfg.Datacenter
	}
	w := &watcher{srv: s, topic: topicOf(req, datacenter)}
	if datacenter == s.cfg.Datacenter {
		defer w.follow()()
	}
	l, err := w.first(ctx, req.Index)
	teller := subscribe.Teller{Outdated: req.Index > 0}
	for err == nil {
		for event := range teller.Tell(l) {
			if err := out.send(event); err != nil {
				return err
			}
		}
		if err := out.flush(); err != nil {
			return err
		}
		l, err = w.next(ctx, l)
	}
	return err
}

// watcher waits for the answers that a subscription is about.
//
// Those of this server's state it shares with all who wait for the same (package
// answers). Those of other datacenters, and those that there is no room to share, it
// asks for again and again, as a client with a blocking query does.
type watcher struct {
	srv   *server
	topic topic
	news  chan struct{} // there may be another answer; nil: who knows
}

// follow has the watcher told of other answers, if that is possible. It returns what
// ends that.
func (w *watcher) follow() (cancel func()) {
	if w.srv.cfg.Answers == nil {
		return func() {}
	}
	q := w.srv.cfg.Answers.Query(w.topic.read, w.topic.args)
	if q == nil {
		return func() {}
	}
	news := make(chan struct{}, 1)
	sub := q.Subscribe(func() {
		select {
		case news <- struct{}{}:
		default:
		}
	})
	if sub == nil {
		return func() {}
	}
	w.news = news
	return sub.Cancel
}

// errOfAnother is returned for an answer that another server had to give.
var errOfAnother = errors.New("the answer is of another server")

// look returns the newest answer. A server that knows nothing yet is waited for.
func (w *watcher) look(ctx context.Context, last *subscribe.Listing) (*subscribe.Listing, error) {
	begun := time.Now()
	for {
		l, ours, err := w.topic.look(ctx, w.srv.cfg.Invoker, 0, last)
		if err == nil && !ours && w.news != nil {
			err = errOfAnother // whose changes nobody here would be told of
		}
		switch early := errors.Is(err, messages.ErrNoLeader) || errors.Is(err, errOfAnother); {
		case !early:
			return l, err
		case time.Since(begun) > readying:
			return nil, messages.ErrNoLeader
		}
		if err := pause(ctx, lookPause); err != nil {
			return nil, err
		}
	}
}

// first returns the first answer. A server that knows less than the client is waited for,
// for a moment.
func (w *watcher) first(ctx context.Context, seen uint64) (*subscribe.Listing, error) {
	begun := time.Now()
	for {
		l, err := w.look(ctx, nil)
		if err != nil || max(l.Index, 1) >= seen || w.news == nil || time.Since(begun) > catchingUp {
			return l, err
		}
		if err := pause(ctx, lookPause); err != nil {
			return nil, err
		}
	}
}

// next returns the answer that comes after one.
func (w *watcher) next(ctx context.Context, last *subscribe.Listing) (*subscribe.Listing, error) {
	if w.news == nil {
		return w.poll(ctx, last)
	}
	select {
	case <-w.news:
		return w.look(ctx, last)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// poll is next for who is told of nothing.
func (w *watcher) poll(ctx context.Context, last *subscribe.Listing) (*subscribe.Listing, error) {
	for {
		begun := time.Now()
		l, _, err := w.topic.look(ctx, w.srv.cfg.Invoker, max(last.Index, 1), last)
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case err != nil || l.Index != last.Index:
			return l, err
		}
		if err := pause(ctx, pollPause-time.Since(begun)); err != nil {
			return nil, err
		}
	}
}

// pause waits, unless ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
