package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/actor-consul/consul/cmd/consul/agenttest"
)

// lockDelay is what these tests ask for. The holder that loses its session has so long
// to notice, on a busy machine, before another may have the lock.
const lockDelay = 5 * time.Second

// slots is how many may hold the semaphore of these tests.
const slots = 2

// TestClusterLocks has clients contend for a lock and for a semaphore while servers
// are killed and leave, mostly those that lead. No two ever hold the lock, no three
// the semaphore, by what the clients themselves believe; and who loses a session
// leaves the lock to nobody before its delay is over, whoever leads by then.
func TestClusterLocks(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 161)
	lock, semaphore := &holdings{}, &holdings{}
	ctx, cancel := context.WithCancel(t.Context())
	var contenders sync.WaitGroup
	for i, a := range append(slices.Clone(c.servers), c.client, c.client) {
		through := locker(c.api(a))
		contenders.Go(func() { lock.contend(ctx, fmt.Sprintf("%d at %s", i, a.Name), through) })
	}
	for i := range slots + 2 {
		through := acquirer(c.api(c.client))
		contenders.Go(func() { semaphore.contend(ctx, fmt.Sprint(i), through) })
	}
	progress := func() {
		t.Helper()
		locks, semaphores := lock.count()+3, semaphore.count()+3
		c.client.Await("see locks change hands", func() bool { return lock.count() >= locks && semaphore.count() >= semaphores })
	}
	progress()
	c.delayIsKept((*cluster).leaderIsKilled)
	progress()
	if *clusters {
		for range 4 {
			c.leaderIsKilled()
			progress()
			c.leaderGoes()
			progress()
			c.delayIsKept((*cluster).leaderGoes)
			c.delayIsKept((*cluster).allAreKilled)
			progress()
		}
	}
	cancel()
	contenders.Wait()
	lock.check(t, "the lock", 1)
	semaphore.check(t, "the semaphore", slots)
}

// leaderIsKilled kills the leader, and starts it again when another has been found.
func (c *cluster) leaderIsKilled() {
	leader := c.awaitLeader(c.servers...)
	leader.Kill()
	c.awaitLeader(c.others(leader)...)
	leader.Restart()
	c.awaitLeader(c.servers...)
}

// leaderGoes has the leader leave, and come back.
func (c *cluster) leaderGoes() {
	leader := c.awaitLeader(c.servers...)
	c.awaitVoters(c.servers...)
	leader.Interrupt()
	if status := leader.Wait(); status != 0 {
		c.t.Errorf("%s: exit status after Ctrl-C = %d", leader.Name, status)
	}
	c.awaitLeader(c.others(leader)...)
	leader.Restart()
	c.awaitLeader(c.servers...)
	c.awaitVoters(c.servers...)
}

// allAreKilled kills all servers and starts them again, so that none remembers.
func (c *cluster) allAreKilled() {
	for _, s := range c.servers {
		s.Kill()
	}
	for _, s := range c.servers {
		s.Restart()
	}
	c.awaitLeader(c.servers...)
}

// delayIsKept ends the session of a holder, has something happen to the servers, and
// tries to take the lock over all the while.
func (c *cluster) delayIsKept(something func(*cluster)) {
	c.t.Helper()
	client := c.api(c.client)
	key := fmt.Sprintf("delayed/%d", rand.Uint64())
	session := func() (id string) {
		c.client.Await("make a session", func() bool {
			var err error
			id, _, err = client.Session().CreateNoChecks(&api.SessionEntry{LockDelay: 2 * lockDelay}, nil)
			return err == nil
		})
		return id
	}
	holder, other := session(), session()
	acquire := func(id string) bool {
		ok, _, err := client.KV().Acquire(&api.KVPair{Key: key, Session: id}, nil)
		return ok && err == nil
	}
	if !acquire(holder) {
		c.t.Fatal("nobody holds the lock, and it cannot be had")
	}
	ended := time.Now()
	if _, err := client.Session().Destroy(holder, nil); err != nil {
		c.t.Fatalf("end the session of the holder: %v", err)
	}
	taken := make(chan time.Duration, 1)
	go func() {
		for !acquire(other) && time.Since(ended) < agenttest.Patience {
			<-time.After(20 * time.Millisecond)
		}
		taken <- time.Since(ended)
	}()
	something(c)
	after := <-taken
	if after < 2*lockDelay {
		c.t.Errorf("the lock was taken over after %v, want no sooner than %v", after, 2*lockDelay)
	}
	c.t.Logf("a lock with a delay of %v was taken over after %v", 2*lockDelay, rounded(after))
}

// errSessionGone is why a client gives up a session that it cannot renew.
var errSessionGone = errors.New("the session is gone")

// acquisition is how a client comes to hold something: it returns what is closed when
// that is lost, and what gives it back.
type acquisition func(stop <-chan struct{}) (lost <-chan struct{}, release func(), err error)

// locker takes the lock with a session that depends on the agent it is made at.
func locker(client *api.Client) acquisition {
	return func(stop <-chan struct{}) (<-chan struct{}, func(), error) {
		l, err := client.LockOpts(&api.LockOptions{Key: "locks/one", SessionTTL: "10s", LockDelay: lockDelay, LockWaitTime: 5 * time.Second})
		if err != nil {
			return nil, nil, err
		}
		lost, err := l.Lock(stop)
		return lost, func() { _ = l.Unlock() }, err
	}
}

// acquirer takes a place of the semaphore, with a session that nothing ends but its
// TTL. Places have no lock delay, so a client that hears of the end of its session
// from another than itself could be late.
func acquirer(client *api.Client) acquisition {
	return func(stop <-chan struct{}) (<-chan struct{}, func(), error) {
		id, _, err := client.Session().CreateNoChecks(&api.SessionEntry{TTL: "10s", Behavior: api.SessionBehaviorDelete}, nil)
		if err != nil {
			return nil, nil, err
		}
		done, gone := make(chan struct{}), make(chan struct{})
		go func() {
			_ = client.Session().RenewPeriodic("10s", id, nil, done) // and ends it
			close(gone)
		}()
		s, err := client.SemaphoreOpts(&api.SemaphoreOptions{Prefix: "locks/some", Limit: slots, Session: id, SemaphoreWaitTime: 5 * time.Second})
		if err != nil {
			close(done)
			return nil, nil, err
		}
		lost, err := s.Acquire(stop)
		if err != nil || lost == nil {
			close(done)
			return nil, nil, errors.Join(errSessionGone, err)
		}
		return either(lost, gone), func() { _ = s.Release(); close(done) }, nil
	}
}

// either is closed when one of two is.
func either(a, b <-chan struct{}) <-chan struct{} {
	c := make(chan struct{})
	go func() {
		defer close(c)
		select {
		case <-a:
		case <-b:
		}
	}()
	return c
}

// hold is a time in which a client believed that it held something.
type hold struct {
	who      string
	from, to time.Time
}

// holdings are who held what, when.
type holdings struct {
	mu    sync.Mutex
	holds []hold
}

func (h *holdings) add(one hold) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.holds = append(h.holds, one)
}

func (h *holdings) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.holds)
}

// contend takes, holds for a moment and gives back, until ctx ends. What is given back
// is held until just before, and what is lost until the client has noticed.
func (h *holdings) contend(ctx context.Context, who string, acquire acquisition) {
	for ctx.Err() == nil {
		lost, release, err := acquire(ctx.Done())
		if err != nil || lost == nil {
			select {
			case <-time.After(100 * time.Millisecond):
			case <-ctx.Done():
			}
			continue
		}
		one := hold{who: who, from: time.Now()}
		select {
		case <-lost:
		case <-time.After(20*time.Millisecond + rand.N(100*time.Millisecond)):
		case <-ctx.Done():
		}
		one.to = time.Now()
		h.add(one)
		release()
	}
}

// check insists that no more clients ever held what so many may hold.
func (h *holdings) check(t *testing.T, what string, most int) {
	t.Helper()
	if crowd := h.crowd(); len(crowd) > most {
		t.Errorf("%s was held by %d at once: %v", what, len(crowd), crowd)
	}
	if h.count() == 0 {
		t.Errorf("nobody ever held %s, so this shows nothing", what)
	}
	t.Logf("%s was held %d times, by %d at once at most", what, h.count(), len(h.crowd()))
}

// crowd returns the most that were held at one moment.
func (h *holdings) crowd() (most []hold) {
	h.mu.Lock()
	defer h.mu.Unlock()
	slices.SortFunc(h.holds, func(a, b hold) int { return a.from.Compare(b.from) })
	var held []hold
	for _, one := range h.holds {
		held = append(slices.DeleteFunc(held, func(o hold) bool { return !o.to.After(one.from) }), one)
		if len(held) > len(most) {
			most = slices.Clone(held)
		}
	}
	return most
}

// TestCrowd: the check finds what it looks for.
func TestCrowd(t *testing.T) {
	at := func(ms int) time.Time { return time.Unix(0, 0).Add(time.Duration(ms) * time.Millisecond) }
	one, two, three := hold{"a", at(0), at(10)}, hold{"b", at(10), at(20)}, hold{"c", at(19), at(30)}
	for _, tt := range []struct {
		name  string
		holds []hold
		want  int
	}{
		{"nobody", nil, 0},
		{"one_after_the_other", []hold{two, one}, 1},
		{"one_too_early", []hold{three, one, two}, 2},
		{"all_at_once", []hold{three, one, two, {"d", at(5), at(25)}}, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := (&holdings{holds: tt.holds}).crowd(); len(got) != tt.want {
				t.Errorf("%d at once: %v, want %d", len(got), got, tt.want)
			}
		})
	}
}
