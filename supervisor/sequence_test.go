package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/hashicorp/go-hclog"
	hraft "github.com/hashicorp/raft"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/actors/actortest/sequence"
	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/actors/autopilot"
	"github.com/actor-consul/consul/actors/raft"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

var (
	sequences    = flag.Int("sequences", 10, "how many sequences of stops and starts TestSequences plays")
	sequenceSeed = flag.Int64("sequence-seed", -1, "play this one alone; -1: all")
)

const (
	leaderBudget  = 10 * time.Second // within which somebody leads when somebody must
	sequenceSteps = 12
)

// TestSequences plays what servers live through, in virtual time: three of them, with
// the raft and the autopilot actor, logs on a real disk and a pool that only knows
// what a pool can. They are killed, stopped, told to leave and started, in any order
// and as fast as anybody likes. Whenever a majority of the peer set runs, somebody
// leads within leaderBudget; at the end all have everything that was acknowledged.
func TestSequences(t *testing.T) {
	if *sequenceSeed >= 0 {
		playSequence(t, uint64(*sequenceSeed))
		return
	}
	for seed := range uint64(*sequences) {
		t.Run(fmt.Sprintf("seed_%d", seed), func(t *testing.T) { playSequence(t, seed) })
	}
}

func playSequence(t *testing.T, seed uint64) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlay(t)
		for i, step := range sequence.New(seed, len(p.hosts), sequenceSteps) {
			p.note("step %d: %s", i, step)
			p.do(step)
		}
		p.finish()
	})
}

// play is a datacenter that goes through a sequence.
type play struct {
	t     *testing.T
	sys   *actor.ActorSystem
	began time.Time
	hosts [3]*seat
	model *sequence.Model

	awaited int           // how often a leader had to be there
	longest time.Duration // that it took

	mu     sync.Mutex
	status [3]messages.MemberStatus // as the pool has it
	acked  []string
	log    []string
}

// seat is a server, and what is left of it while it does not run.
type seat struct {
	play *play
	n    int
	id   string
	addr string
	dir  string
	now  atomic.Pointer[life] // nil: it does not run
}

// life is a server from a start to its end.
type life struct {
	*seat
	lan    *messages.Published[messages.PoolView]
	raft   *messages.Published[messages.RaftStatus]
	words  *ledger
	parent *actor.PID
	node   ask.Address
	known  chan struct{} // closed when node is set
	pilot  ask.Address

	mu    sync.Mutex
	conns []net.Conn
}

func newPlay(t *testing.T) *play {
	p := &play{t: t, sys: actortest.System(t), began: time.Now(), model: sequence.NewModel(3)}
	for i := range p.hosts {
		h := &seat{play: p, n: i, id: fmt.Sprintf("id-%d", i), addr: fmt.Sprintf("10.0.0.%d:8300", i+1), dir: t.TempDir()}
		p.hosts[i] = h
		t.Cleanup(func() { h.kill() })
	}
	for _, h := range p.hosts {
		h.start()
	}
	p.awaitLeader()
	p.awaitVoters(sequence.Of(0, 1, 2))
	writer, stop := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	writing.Go(func() { p.write(writer) })
	t.Cleanup(func() { stop(); writing.Wait() })
	return p
}

func (p *play) note(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log = append(p.log, fmt.Sprintf("%8v ", time.Since(p.began).Round(time.Millisecond))+fmt.Sprintf(format, args...))
}

func (p *play) fail(format string, args ...any) {
	p.t.Helper()
	p.mu.Lock()
	log := slices.Clone(p.log)
	p.mu.Unlock()
	for _, line := range log {
		p.t.Log(line)
	}
	for _, l := range p.lives() {
		p.t.Logf("%s: %+v of %v", l.id, *l.raft.Load(), l.raft.Load().Peers())
	}
	p.t.Fatalf(format, args...)
}

// lives returns who runs.
func (p *play) lives() (all []*life) {
	for _, h := range p.hosts {
		if l := h.now.Load(); l != nil {
			all = append(all, l)
		}
	}
	return all
}

// do carries out a step.
func (p *play) do(s sequence.Step) {
	h := p.hosts[s.Server]
	switch s.Act {
	case sequence.Kill:
		h.kill()
	case sequence.Stop:
		h.stop(messages.MemberFailed)
	case sequence.Leave:
		h.leave()
	case sequence.Start:
		h.start()
	}
	p.model.Do(s)
	if s.Settle && p.model.MustLead() {
		p.awaitLeader()
		p.observe()
	}
	time.Sleep(s.Pause)
	if s.Pause >= leaderBudget && p.model.MustLead() {
		p.awaitLeader()
	}
}

// observe tells the model of the peer set in which something has been committed.
func (p *play) observe() {
	l := p.leader()
	if l == nil {
		return
	}
	before := l.voters()
	if err := l.put(p.t.Context(), "observed"); err == nil && l.voters() == before {
		p.model.Observed(before)
	}
}

// finish starts who is not up, and looks whether all is well.
func (p *play) finish() {
	for i, h := range p.hosts {
		if h.now.Load() == nil {
			h.start()
			p.model.Do(sequence.Step{Server: i, Act: sequence.Start})
		}
	}
	p.awaitLeader()
	p.awaitVoters(sequence.Of(0, 1, 2))
	acknowledged := func() []string {
		p.mu.Lock()
		defer p.mu.Unlock()
		return slices.Clone(p.acked)
	}
	before := len(acknowledged())
	if !p.within(leaderBudget, func() bool { return len(acknowledged()) > before }) {
		p.fail("nothing is acknowledged when all is well again")
	}
	acked := acknowledged()
	for _, l := range p.lives() {
		if !p.within(leaderBudget, func() bool { return len(l.words.lost(acked)) == 0 }) {
			lost := l.words.lost(acked)
			p.fail("%s has lost %d of %d acknowledged words: %q", l.id, len(lost), len(acked), lost[:min(5, len(lost))])
		}
	}
	p.t.Logf("%d words acknowledged, none lost; a leader was due %d times and there after %v at most", len(acked), p.awaited, p.longest)
}

// within looks until something holds, for so long.
func (p *play) within(budget time.Duration, holds func() bool) bool {
	for until := time.Now().Add(budget); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(until) {
			return false
		}
	}
	return true
}

func (p *play) awaitLeader() {
	p.t.Helper()
	began := time.Now()
	if !p.within(leaderBudget, func() bool { return p.leader() != nil }) {
		p.fail("nobody leads after %v: %s", leaderBudget, p.model)
	}
	took := time.Since(began)
	p.longest, p.awaited = max(p.longest, took), p.awaited+1
	p.note("%s leads, after %v", p.leader().id, took)
}

func (p *play) awaitVoters(want sequence.Set) {
	p.t.Helper()
	if !p.within(90*time.Second, func() bool { l := p.leader(); return l != nil && l.voters() == want }) {
		p.fail("the voters are not %v", want.Servers())
	}
}

// leader returns who leads and takes writes, or nil.
func (p *play) leader() *life {
	for _, l := range p.lives() {
		if s := l.raft.Load(); s.Leads() && s.Ready {
			return l
		}
	}
	return nil
}

// write writes words, and keeps those that were acknowledged.
func (p *play) write(ctx context.Context) {
	for n := 0; ctx.Err() == nil; n++ {
		time.Sleep(50 * time.Millisecond)
		if l := p.leader(); l != nil {
			word := strconv.Itoa(n)
			if l.put(ctx, word) == nil {
				p.mu.Lock()
				p.acked = append(p.acked, word)
				p.mu.Unlock()
			}
		}
	}
}

// sees changes what the pool has of a server, and tells the servers.
func (p *play) sees(n int, status messages.MemberStatus) {
	p.mu.Lock()
	p.status[n] = status
	if !slices.ContainsFunc(p.lives(), func(l *life) bool { return l.n != n }) {
		for i := range p.status { // nobody is there who remembers
			if i != n {
				p.status[i] = messages.MemberNone
			}
		}
	}
	view := &messages.PoolView{Pool: messages.LAN}
	for i, h := range p.hosts {
		if p.status[i] != messages.MemberNone && p.status[i] != "" {
			view.Members = append(view.Members, h.member(p.status[i]))
		}
	}
	p.mu.Unlock()
	change := map[messages.MemberStatus]messages.MembershipChange{
		messages.MemberAlive: messages.Joined, messages.MemberLeft: messages.Left, messages.MemberFailed: messages.Failed,
	}[status]
	for _, l := range p.lives() {
		l.lan.Publish(view)
		for _, to := range []ask.Address{l.node, l.pilot} {
			to.Tell(&messages.MembersChanged{Pool: messages.LAN, Change: change, Members: []messages.Member{p.hosts[n].member(status)}})
		}
	}
}

func (h *seat) member(status messages.MemberStatus) messages.Member {
	at := netip.MustParseAddrPort(h.addr)
	return messages.Member{
		Name: "s" + strconv.Itoa(h.n), Addr: at.Addr(), Port: 8301, Status: status,
		Tags: map[string]string{"role": "consul", "dc": "dc1", "id": h.id, "port": "8300", "raft_vsn": "3", "expect": "3"},
	}
}

// start begins a life with what is on the disk.
func (h *seat) start() {
	p := h.play
	l := &life{
		seat: h, words: &ledger{}, known: make(chan struct{}),
		lan: &messages.Published[messages.PoolView]{}, raft: &messages.Published[messages.RaftStatus]{},
	}
	l.lan.Publish(&messages.PoolView{Pool: messages.LAN, Members: []messages.Member{h.member(messages.MemberAlive)}})
	ready, failed := make(chan struct{}, 2), make(chan error, 1)
	l.parent = p.sys.Root.SpawnPrefix(actor.PropsFromFunc(func(ctx actor.Context) {
		switch msg := ctx.Message().(type) {
		case *actor.Started:
			leader := ctx.Spawn(actor.PropsFromFunc(func(ctx actor.Context) { l.leads(ctx.Message()) }))
			l.node = ask.At(p.sys, ctx.SpawnPrefix(actor.PropsFromProducer(raft.New(l.raftConfig(ask.At(p.sys, leader)))), "raft"))
			close(l.known)
		case *messages.Ready:
			ready <- struct{}{}
		case *messages.StartFailed:
			failed <- msg.Err
		case *spawnPilot:
			msg.done <- ask.At(p.sys, ctx.SpawnPrefix(actor.PropsFromProducer(autopilot.New(l.pilotConfig())), "autopilot"))
		}
	}), "seat")
	select {
	case <-ready:
	case err := <-failed:
		p.fail("%s does not start: %v", h.id, err)
	}
	pilot := &spawnPilot{make(chan ask.Address, 1)}
	p.sys.Root.Send(l.parent, pilot)
	l.pilot = <-pilot.done
	<-ready
	h.now.Store(l)
	p.sees(h.n, messages.MemberAlive)
}

type spawnPilot struct{ done chan ask.Address }

// leads plays the leader actor: it applies what was committed before its term.
func (l *life) leads(msg any) {
	if change, ok := msg.(*messages.LeadershipChanged); ok && change.Leading {
		go func() {
			<-l.known
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			if _, err := ask.Do(ctx, l.node, &messages.Barrier{}); err == nil {
				l.node.Tell(&messages.LeaderReady{Term: change.Term})
			}
		}()
	}
}

func (l *life) raftConfig(leader ask.Address) raft.Config {
	return raft.Config{
		Logger: zap.NewNop(), Library: hclog.NewNullLogger(),
		FSM: l.words, NodeID: l.id, Advertise: l.addr, DataDir: l.dir, Datacenter: "dc1",
		BootstrapExpect: len(l.play.hosts),
		SegmentSize:     64 << 10, SnapshotThreshold: 100, SnapshotInterval: 5 * time.Second, TrailingLogs: 50,
		Status: l.raft, Pool: l.lan, Leader: leader,
		Dial: l.dial,
		AskPeers: func(_ context.Context, address string) (all []string, err error) {
			other, err := l.play.at(address)
			if err != nil {
				return nil, err
			}
			for _, s := range other.raft.Load().Peers() {
				all = append(all, s.Address)
			}
			return all, nil
		},
		RemoveSelf: func(ctx context.Context) error {
			leader, err := l.play.at(l.raft.Load().LeaderAddr)
			if err != nil {
				return err
			}
			_, err = ask.Do(ctx, leader.node, &messages.RemovePeer{ID: l.id})
			return err
		},
	}
}

func (l *life) pilotConfig() autopilot.Config {
	return autopilot.Config{
		Logger: zap.NewNop(), NodeID: l.id, Datacenter: "dc1", Expect: len(l.play.hosts),
		Raft: l.node, Status: l.raft, LAN: l.lan, State: &messages.Published[wire.AutopilotState]{},
		Settings: func() *wire.AutopilotConfig { return nil },
		PeersOf: func(_ context.Context, s messages.Server) ([]messages.RaftServer, error) {
			other, err := l.play.at(s.Addr.String())
			if err != nil {
				return nil, err
			}
			return other.raft.Load().Peers(), nil
		},
		Stats: func(_ context.Context, s messages.Server) (term, index uint64, contact time.Duration, err error) {
			other, err := l.play.at(s.Addr.String())
			if err != nil {
				return 0, 0, 0, err
			}
			status := other.raft.Load()
			stats := status.Stats()
			term, _ = strconv.ParseUint(stats["last_log_term"], 10, 64)
			index, _ = strconv.ParseUint(stats["last_log_index"], 10, 64)
			return term, index, time.Since(status.LastContact()), nil
		},
	}
}

// at returns who runs at an address.
func (p *play) at(address string) (*life, error) {
	for _, l := range p.lives() {
		if l.addr == address {
			return l, nil
		}
	}
	return nil, fmt.Errorf("nobody is at %q", address)
}

// dial connects to another server's raft.
func (l *life) dial(_ context.Context, address string) (net.Conn, error) {
	other, err := l.play.at(address)
	if err != nil {
		return nil, err
	}
	near, far := net.Pipe()
	for _, side := range []*life{l, other} {
		side.mu.Lock()
		side.conns = append(side.conns, near, far)
		side.mu.Unlock()
	}
	other.node.Tell(&messages.RaftConnAccepted{Conn: far})
	return near, nil
}

// kill ends a life at once: what is on the disk at this moment is all that is left.
func (h *seat) kill() {
	l := h.now.Swap(nil)
	if l == nil {
		return
	}
	l.cut()
	synctest.Wait()
	dir := h.play.t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(h.dir)); err != nil {
		h.play.t.Error(err)
	}
	l.end(messages.MemberFailed)
	_ = os.RemoveAll(filepath.Join(h.dir, "raft"))
	h.dir = dir
}

// cut closes all connections.
func (l *life) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.conns {
		_ = c.Close()
	}
	l.conns = nil
}

// stop ends a life in order; the pool has the server as status then.
func (h *seat) stop(status messages.MemberStatus) {
	if l := h.now.Swap(nil); l != nil {
		l.end(status)
		l.cut()
	}
}

// missedAfter is how long the pool takes to miss a server.
const missedAfter = 3 * time.Second

func (l *life) end(status messages.MemberStatus) {
	p := l.play
	_ = p.sys.Root.StopFuture(l.parent).Wait()
	if status == messages.MemberLeft {
		p.sees(l.n, status)
		return
	}
	time.AfterFunc(missedAfter, func() {
		if l.now.Load() == nil {
			p.sees(l.n, status)
		}
	})
}

// leave takes the steps of the leave plan that concern the peer set.
func (h *seat) leave() {
	p, l := h.play, h.now.Load()
	done := make(chan *messages.StepDone, 1)
	asker := p.sys.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
		if msg, ok := ctx.Message().(*messages.StepDone); ok {
			done <- msg
		}
	}))
	for i, s := range leavePlan {
		if s.Owner != raft.Name {
			continue
		}
		p.sys.Root.RequestWithCustomSender(l.node.PID(), s.Make(messages.StepID(i), s.Budget, false), asker)
		select {
		case msg := <-done:
			p.note("%s: %s: %s %v", h.id, s.Name, msg.Note, msg.Err)
		case <-time.After(s.Budget):
			p.note("%s: %s: not in time", h.id, s.Name)
		}
	}
	_ = p.sys.Root.StopFuture(asker).Wait()
	h.stop(messages.MemberLeft)
}

func (l *life) voters() (all sequence.Set) {
	for _, s := range l.raft.Load().Peers() {
		for i, other := range l.play.hosts {
			if s.Voter && s.ID == other.id {
				all |= sequence.Of(i)
			}
		}
	}
	return all
}

func (l *life) put(ctx context.Context, word string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err := ask.Do(ctx, l.node, &messages.ApplyEntry{Entry: []byte(word)})
	return err
}

// ledger is a state machine that keeps all words.
type ledger struct {
	mu  sync.Mutex
	all map[string]bool
}

// Apply implements hraft.FSM.
func (l *ledger) Apply(entry *hraft.Log) any {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all == nil {
		l.all = map[string]bool{}
	}
	l.all[string(entry.Data)] = true
	return nil
}

// Snapshot implements hraft.FSM.
func (l *ledger) Snapshot() (hraft.FSMSnapshot, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return ledgerSnapshot(maps.Clone(l.all)), nil
}

// Restore implements hraft.FSM.
func (l *ledger) Restore(r io.ReadCloser) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = nil
	return errors.Join(json.NewDecoder(r).Decode(&l.all), r.Close())
}

func (l *ledger) lost(words []string) (lost []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range words {
		if !l.all[w] {
			lost = append(lost, w)
		}
	}
	return lost
}

type ledgerSnapshot map[string]bool

// Persist implements hraft.FSMSnapshot.
func (s ledgerSnapshot) Persist(sink hraft.SnapshotSink) error {
	return json.NewEncoder(sink).Encode(map[string]bool(s))
}

// Release implements hraft.FSMSnapshot.
func (ledgerSnapshot) Release() {}
