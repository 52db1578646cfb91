package gossip

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/actor-consul/consul/messages"
)

func TestDoubts(t *testing.T) {
	begin := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	view := func(b, c messages.MemberStatus) []messages.Member {
		return []messages.Member{
			member("a", "id-a", "127.0.0.1:1", messages.MemberLeaving), // ourselves
			member("b", "id-b", "127.0.0.1:2", b), member("c", "id-c", "127.0.0.1:3", c),
		}
	}
	const alive, leaving, left = messages.MemberAlive, messages.MemberLeaving, messages.MemberLeft
	d := doubts{}
	for i, step := range []struct {
		at   time.Duration
		b, c messages.MemberStatus
		ask  []string
		more bool
	}{
		{0, alive, alive, nil, false},
		{time.Second, leaving, alive, nil, true},
		{2 * time.Second, leaving, leaving, nil, true},
		{4 * time.Second, leaving, leaving, []string{"b"}, true},
		{5 * time.Second, leaving, leaving, []string{"c"}, true}, // b has a while to answer
		{7 * time.Second, leaving, alive, []string{"b"}, true},
		{8 * time.Second, left, leaving, nil, true}, // c says goodbye anew
		{9 * time.Second, left, left, nil, false},
	} {
		ask, more := d.review(view(step.b, step.c), "a", begin.Add(step.at))
		var names []string
		for _, m := range ask {
			names = append(names, m.Name)
		}
		if !slices.Equal(names, step.ask) || more != step.more {
			t.Errorf("step %d: asks %v, more %t; want %v, %t", i, names, more, step.ask, step.more)
		}
	}
}

// TestDoubtsOfTheSilent shows that who cannot be reached is asked more and more
// seldom, until it is heard of again.
func TestDoubtsOfTheSilent(t *testing.T) {
	begin := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	d := doubts{}
	var asked []int
	for second := range 100 {
		b := member("b", "id-b", "127.0.0.1:2", messages.MemberLeaving)
		if ask, _ := d.review([]messages.Member{b}, "a", begin.Add(time.Duration(second)*time.Second)); len(ask) > 0 {
			if news := d.unanswered("b"); news != (len(asked) == 0) {
				t.Errorf("after %d s: news %t", second, news)
			}
			asked = append(asked, second)
		}
	}
	if want := []int{3, 9, 21, 45, 93}; !slices.Equal(asked, want) {
		t.Errorf("asked after %v s, want %v", asked, want)
	}
	d.review(nil, "a", begin)
	if d.unanswered("b") {
		t.Error("there is a doubt about one who is not there any more")
	}
}

func TestForced(t *testing.T) {
	const alive, leaving, left = messages.MemberAlive, messages.MemberLeaving, messages.MemberLeft
	tests := []struct {
		name   string
		forget bool
		status messages.MemberStatus
		want   messages.MemberStatus // none: it is not shown
		prune  bool
		waits  bool
	}{
		{name: "not_missed_yet", status: leaving, want: left, waits: true},
		{name: "missed", status: left, want: left},
		{name: "denies_it", status: alive, want: alive},
		{name: "to_be_forgotten", forget: true, status: leaving, want: messages.MemberNone, waits: true},
		{name: "can_be_forgotten", forget: true, status: left, want: messages.MemberNone, prune: true, waits: true},
		{name: "to_be_forgotten_and_denies_it", forget: true, status: alive, want: alive},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := forced{"b": tt.forget, "gone": true}
			other := member("a", "id-a", "127.0.0.1:1", leaving)
			shown, prune := f.apply([]messages.Member{other, member("b", "id-b", "127.0.0.1:2", tt.status)})
			if shown[0].Status != leaving {
				t.Errorf("another is %s", shown[0].Status)
			}
			have := messages.MemberNone
			if len(shown) == 2 {
				have = shown[1].Status
			}
			if _, waits := f["b"]; have != tt.want || (len(prune) == 1) != tt.prune || waits != tt.waits || len(f) > 1 {
				t.Errorf("it is %s, to be pruned: %v, orders left: %v", have, prune, f)
			}
		})
	}
}

// TestRumourOfALifeBefore has a server that left and came back be met by one who
// had only been told that it left. It used to be "leaving" there for good, or until
// the third one, if it was still there, synced with the others.
func TestRumourOfALifeBefore(t *testing.T) {
	cfg := config("b")
	witness, b := start(t, config("c")), start(t, cfg)
	b.join(t, witness)
	witness.hears(t, messages.Joined, "b")
	cfg.Bind = netip.MustParseAddrPort(b.at())
	b.leaves(t)
	witness.hears(t, messages.Left, "b")
	b.kill(t)

	a := start(t, config("a"))
	a.join(t, witness)
	witness.kill(t)

	b = start(t, cfg)
	a.join(t, b)
	if a.status("b") != messages.MemberLeaving {
		t.Fatalf("b is %q at first, so this shows nothing", a.status("b"))
	}
	a.sees(t, messages.MemberAlive)
}

// TestForceLeaveOfALiveMember shows that it denies it, also where nobody else is
// there to pass it on, and that it is not forgotten either.
func TestForceLeaveOfALiveMember(t *testing.T) {
	for name, prune := range map[string]bool{"plain": false, "prune": true} {
		t.Run(name, func(t *testing.T) {
			a, b := start(t, config("a")), start(t, config("b"))
			b.join(t, a)
			a.hears(t, messages.Joined, "b")
			if _, err := do(t, a, &messages.ForceLeave{Node: "b", Prune: prune}); err != nil {
				t.Fatal(err)
			}
			a.sees(t, messages.MemberAlive)
			if b.status("b") != messages.MemberAlive || b.status("a") != messages.MemberAlive {
				t.Errorf("b has itself as %s and a as %s", b.status("b"), b.status("a"))
			}
			b.leaves(t) // and means it
			a.hears(t, messages.Left, "b")
		})
	}
}

// TestForceLeaveOfADeadMember shows that nobody waits until the pool has missed it,
// which takes half a minute in the WAN pool; and that it is back when it is.
func TestForceLeaveOfADeadMember(t *testing.T) {
	for name, prune := range map[string]bool{"plain": false, "prune": true} {
		t.Run(name, func(t *testing.T) {
			slow := config("a")
			slow.Gossip.ProbeInterval = time.Hour // it is never missed
			cfg := config("b")
			a, b := start(t, slow), start(t, cfg)
			b.join(t, a)
			a.hears(t, messages.Joined, "b")
			cfg.Bind = netip.MustParseAddrPort(b.at())
			b.kill(t)
			force := func(prune bool) {
				if _, err := do(t, a, &messages.ForceLeave{Node: "b", Prune: prune}); err != nil {
					t.Fatal(err)
				}
			}
			force(false)
			a.sees(t, messages.MemberLeft)
			if force(prune); prune {
				a.hears(t, messages.Reaped, "b")
				a.sees(t, "") // it is not there
			}
			b = start(t, cfg)
			b.join(t, a)
			a.sees(t, messages.MemberAlive)
		})
	}
}

// TestForceLeaveForgets shows that the pool itself forgets a member that had not been
// missed when it was to be pruned.
func TestForceLeaveForgets(t *testing.T) {
	a, b := start(t, config("a")), start(t, config("b"))
	b.join(t, a)
	a.hears(t, messages.Joined, "b")
	b.kill(t)
	if _, err := do(t, a, &messages.ForceLeave{Node: "b", Prune: true}); err != nil {
		t.Fatal(err)
	}
	a.hears(t, messages.Reaped, "b")
	for deadline := time.Now().Add(30 * time.Second); a.view.Load().Stats["members"] != "1"; <-time.After(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("Serf still has it: %v", a.view.Load().Stats)
		}
	}
}

// sees waits until the agent has b so. What changes without an event of
// Serf's is published within refreshInterval.
func (a *agent) sees(t *testing.T, status messages.MemberStatus) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for a.status("b") != status {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("b is %s, want %s", a.status("b"), status)
		}
	}
}
