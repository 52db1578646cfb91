package gossip

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/hashicorp/memberlist"
	"github.com/hashicorp/serf/serf"

	"github.com/actor-consul/consul/messages"
)

const (
	// eventBuffer is how many of Serf's events wait for the bridge. Serf drops those
	// that find no room, but only when it also writes a snapshot.
	eventBuffer = 2048

	// letGoPatience is how long to wait for an instance before this one to let go of
	// its port and files.
	letGoPatience = 5 * time.Second

	// fewPeers is how many members to contact when each of them can tell the others.
	fewPeers = 3

	// answerTime is how long a member takes, as a rule, to deny that it leaves.
	answerTime = 500 * time.Millisecond

	// stopPatience is how long the actor waits, when it stops for good, until the
	// snapshot is on disk.
	stopPatience = time.Second
)

// A bridge stands between Serf's goroutines and the mailbox of one instance of the
// actor. Its methods run on goroutines that are not the actor's: all they do is to
// wait, copy and send.
type bridge struct {
	to   *actor.PID
	root *actor.RootContext

	events chan serf.Event
	taken  chan struct{} // the actor has taken in the news it was sent
	stop   chan struct{} // closed by the actor
	gone   chan struct{} // closed when port and files are free
}

// What the bridge tells the actor. They never leave this package.
type (
	// opened says that the pool is open.
	opened struct {
		*bridge
		lib *library
	}

	// openFailed says why it is not. The error is errBusy when that may pass.
	openFailed struct {
		*bridge
		err error
	}

	// news is what has happened in the pool, in order: *messages.MembersChanged and
	// *messages.UserEventReceived. The actor answers by calling took.
	news struct {
		*bridge
		items []any
	}

	// collapsed says that Serf has shut itself down.
	collapsed struct{ *bridge }

	// due says that a timer has run out.
	due struct {
		*bridge
		what chore
	}

	// joined says how an attempt to join went.
	joined struct {
		*bridge
		why   joinReason
		req   *messages.JoinPool // with askedJoin
		addrs []string
		n     int
		err   error
	}

	// tagged says that the pool has been told of the tags.
	tagged struct {
		*bridge
		err error
	}

	// questioned says that a member was asked whether it leaves, or why it could not be:
	// it is gone indeed, or is asked again.
	questioned struct {
		*bridge
		member messages.Member
		order  *messages.ForceLeave // which took it for gone; nil: nobody has
		err    error
	}

	// heardClaim is that a member is said to be elsewhere. The actor answers by calling
	// took.
	heardClaim struct {
		*bridge
		claim claim
	}

	// inquired says what has come of an inquiry about a claim, and with moved why
	// memberlist has the member where it was nevertheless.
	inquired struct {
		*bridge
		claim   claim
		verdict verdict
		err     error
	}

	// looked says whether a member is suspect to which a connection has been lost; or
	// why it is not, although it is gone.
	looked struct {
		*bridge
		member  messages.Member
		suspect bool
		err     error
	}

	// saidGoodbye says that the pool has been left.
	saidGoodbye struct {
		*bridge
		note string
		err  error
	}

	// outcome is the answer to a request, to be given once the view is published.
	outcome[R any] struct {
		req   request[R]
		value R
		err   error
	}
)

// request is any message that embeds messages.Asked[R].
type request[R any] interface {
	messages.Refuser
	Settle(R, error)
}

// settlement is an outcome, whatever its answer.
type settlement interface{ settle() }

func (o *outcome[R]) settle() { o.req.Settle(o.value, o.err) }

// Refuse passes on that the actor is not there any more, or has failed.
func (o *outcome[R]) Refuse(err error) { o.req.Refuse(err) }

// Refuse does so for a join.
func (j *joined) Refuse(err error) {
	if j.req != nil {
		j.req.Refuse(err)
	}
}

func newBridge(ctx actor.Context) *bridge {
	return &bridge{
		to:     ctx.Self(),
		root:   ctx.ActorSystem().Root,
		events: make(chan serf.Event, eventBuffer),
		taken:  make(chan struct{}, 1),
		stop:   make(chan struct{}),
		gone:   make(chan struct{}),
	}
}

// source says which bridge a message came over; one from the bridge of an instance
// before this one is of no interest.
func (b *bridge) source() *bridge { return b }

func (b *bridge) tell(msg any) { b.root.Send(b.to, msg) }

// after tells the actor of a chore when d has passed.
func (b *bridge) after(d time.Duration, what chore) *time.Timer {
	return time.AfterFunc(d, func() { b.tell(&due{b, what}) })
}

// run opens the pool once the instance before has let go, and serves it until the
// actor calls close. Serf belongs to this goroutine: nothing else shuts it down.
func (b *bridge) run(p plan, before <-chan struct{}) {
	defer close(b.gone)
	if before != nil {
		select {
		case <-before:
		case <-time.After(letGoPatience):
		}
	}
	lib, err := open(p, b.events)
	if err != nil {
		b.tell(&openFailed{b, err})
		return
	}
	b.tell(&opened{b, lib})
	b.pump(lib)
	b.shutdown(lib.serf)
}

// pump passes on the events until the actor closes the bridge. It takes them from
// Serf at once, which holds its locks meanwhile, but has only one message with the
// actor at a time: what comes while the actor works goes into the next. Claims wait for
// the actor where they are, and only few do.
func (b *bridge) pump(lib *library) {
	var items []any
	idle := true
	for {
		var claims <-chan claim
		if idle {
			claims = lib.claims
		}
		select {
		case c := <-claims:
			b.tell(&heardClaim{b, c})
			idle = false
		case e := <-b.events:
			if item := copyEvent(e); item != nil {
				items = append(items, item)
			}
		case <-b.taken:
			idle = true
		case <-lib.serf.ShutdownCh():
			b.tell(&collapsed{b})
			return
		case <-b.stop:
			return
		}
		if idle && len(items) > 0 {
			b.tell(&news{b, items})
			items, idle = nil, false
		}
	}
}

// took lets the bridge send the next news.
func (b *bridge) took() {
	select {
	case b.taken <- struct{}{}:
	default:
	}
}

// copyEvent returns the message that an event is, or nil when it is not for us.
func copyEvent(e serf.Event) any {
	switch e := e.(type) {
	case serf.MemberEvent:
		if change, ok := changeOf(e.Type); ok {
			return &messages.MembersChanged{Change: change, Members: membersOf(e.Members)}
		}
	case serf.UserEvent:
		return &messages.UserEventReceived{LTime: uint64(e.LTime), Name: e.Name, Payload: e.Payload, Coalesce: e.Coalesce}
	}
	return nil
}

// shutdown frees port and files. Events that come meanwhile are dropped, so that
// nothing in Serf waits for us.
func (b *bridge) shutdown(s *serf.Serf) {
	done := make(chan struct{})
	go func() {
		s.Shutdown() //nolint:errcheck // there is nothing left to do about it
		close(done)
	}()
	for {
		select {
		case <-b.events:
		case <-done:
			return
		}
	}
}

// awaitGone waits, for a moment, until the pool is closed.
func (b *bridge) awaitGone() {
	select {
	case <-b.gone:
	case <-time.After(stopPatience):
	}
}

// await does work that waits for the network, and sends its outcome to the actor.
func await[R any](b *bridge, req request[R], work func() (R, error)) {
	go func() {
		value, err := work()
		b.tell(&outcome[R]{req, value, err})
	}()
}

// join contacts addrs. User events from before are not wanted unless replay is set.
func (b *bridge) join(lib *library, j joined, replay bool) {
	go func() {
		lib.gate.joining.Add(1)
		n, err := lib.serf.Join(j.addrs, !replay)
		lib.gate.joining.Add(-1)
		if n == 0 && err == nil { // a list of names without addresses
			err = fmt.Errorf("no address found")
		}
		j.bridge, j.n, j.err = b, n, flatten(err)
		b.tell(&j)
	}()
}

// question tells a member that it is said to leave, and by that asks it to deny it:
// it does by a word that is newer than any that says so. What comes of it is heard
// from the pool. Before, the two clocks are brought together, since who is told an
// old word does not answer it.
func (b *bridge) question(s *serf.Serf, m messages.Member, order *messages.ForceLeave) {
	go func() {
		list := s.Memberlist()
		_, err := list.Join([]string{m.Name + "/" + address(m)})
		b.tell(&questioned{b, m, order, err})
		if err != nil {
			return
		}
		clock, err := strconv.ParseUint(s.Stats()["member_time"], 10, 64)
		if err != nil {
			return
		}
		to := &memberlist.Node{Name: m.Name, Addr: m.Addr.AsSlice(), Port: m.Port}
		_ = list.SendReliable(to, leaveIntent(m.Name, clock)) // or it is asked again
		b.after(answerTime, doubt)                            // Serf has no event for a denial
	}()
}

// prune has the pool forget members that have left.
func (b *bridge) prune(s *serf.Serf, names []string) {
	go func() {
		for _, name := range names {
			s.RemoveFailedNodePrune(name) //nolint:errcheck // it is done again as long as the member is there
		}
	}()
}

func (b *bridge) setTags(s *serf.Serf, tags map[string]string) {
	go func() { b.tell(&tagged{b, s.SetTags(tags)}) }()
}

// goodbye leaves the pool within budget and stays up until the others know.
func (b *bridge) goodbye(lib *library, others []messages.Member, stay, budget time.Duration) {
	go func() {
		deadline := time.After(budget)
		done := make(chan error, 1)
		go func() { done <- lib.leave() }()
		select {
		case err := <-done:
			if err != nil {
				b.tell(&saidGoodbye{b, "", err})
				return
			}
		case <-deadline:
			b.tell(&saidGoodbye{b, "", fmt.Errorf("the goodbye was not on its way within %s; the others may see this agent as failed", budget)})
			return
		}
		b.linger(lib, others, stay, deadline)
		b.tell(&saidGoodbye{b, goodbyeNote(len(others)), nil})
	}()
}

// linger stays up until the others know of the goodbye.
//
// Serf says goodbye by a handful of packets, any of which can be lost, or go to a
// member that has failed. So a sync with a few of the others follows, and what these
// know they pass on.
func (b *bridge) linger(lib *library, others []messages.Member, stay time.Duration, deadline <-chan time.Time) {
	peers := someAddresses(others)
	synced := make(chan bool, len(peers))
	for _, peer := range peers {
		go func() {
			n, _ := lib.serf.Memberlist().Join([]string{peer}) // one of several, to be sure
			synced <- n > 0
		}()
	}
	f := farewell{waiting: len(peers), everybody: len(peers) == len(others)}
	stayed := time.After(stay)
	for !f.over() {
		select {
		case ok := <-synced:
			f.hear(ok)
		case <-stayed:
			f.stayed = true
		case <-deadline:
			return
		case <-b.stop:
			return
		}
	}
}

// leave is serf.Leave, out of the way of syncs.
func (l *library) leave() (err error) {
	defer func() { // memberlist panics when it is shut down meanwhile
		if p := recover(); p != nil {
			err = fmt.Errorf("stopped in the middle of the goodbye: %v", p)
		}
	}()
	l.wire.quiet.Store(true)
	defer l.wire.quiet.Store(false)
	return l.serf.Leave()
}

// someAddresses returns where a few of the members are reached, at random.
func someAddresses(members []messages.Member) []string {
	var addrs []string
	for _, i := range rand.Perm(len(members)) {
		if addrs = append(addrs, address(members[i])); len(addrs) == fewPeers {
			break
		}
	}
	return addrs
}

func goodbyeNote(others int) string {
	switch others {
	case 0:
		return "nobody else is in the pool"
	case 1:
		return "told 1 peer"
	default:
		return fmt.Sprintf("told %d peers", others)
	}
}
