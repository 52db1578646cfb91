package raft

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/archive"
)

// save returns an archive of what the server has.
func (s *testServer) save() []byte {
	s.t.Helper()
	saved, err := do(s, &messages.SaveSnapshot{})
	if err != nil {
		s.t.Fatalf("save: %v", err)
	}
	defer saved.Archive.Close()
	content, err := io.ReadAll(saved.Archive)
	if err != nil || int64(len(content)) != saved.Size {
		s.t.Fatalf("an archive of %d bytes has %d: %v", saved.Size, len(content), err)
	}
	return content
}

func (s *testServer) restore(content []byte) error {
	_, err := do(s, &messages.RestoreSnapshot{Archive: bytes.NewReader(content)})
	return err
}

// keeps fails unless the state is these words.
func (s *testServer) keeps(when string, want ...string) {
	s.t.Helper()
	if got := s.words.get(); !slices.Equal(got, want) {
		s.t.Errorf("%s the state is %q, want %q", when, got, want)
	}
}

// leavesNothing fails when scratch files are left.
func (s *testServer) leavesNothing() {
	s.t.Helper()
	left, err := filepath.Glob(filepath.Join(s.cfg.DataDir, "raft", "*.tmp"))
	if err != nil || len(left) > 0 {
		s.t.Errorf("left over: %q, %v", left, err)
	}
}

func TestArchive(t *testing.T) {
	for name, dir := range map[string]string{"on_disk": t.TempDir(), "in_memory": ""} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, "a", func(c *Config) { c.Bootstrap, c.DataDir = true, dir })
			probe := actortest.NewProbe(t, s.sys, "local")
			s.cfg.Local = probe.Address(s.sys)
			s.start().leads()
			s.mustPut("x", "y")
			saved := s.save()
			meta, err := archive.Verify(bytes.NewReader(saved), archive.Limits{})
			if err != nil || meta.Index == 0 || len(meta.Configuration.Servers) != 1 {
				t.Fatalf("saved %+v, %v", meta, err)
			}
			s.mustPut("z")
			before, err := do(s, &messages.ConfirmLeader{})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.restore(saved); err != nil {
				t.Fatal(err)
			}
			s.keeps("restored,", "x", "y")
			actortest.Next[*messages.StateRestored](t, s.leader)
			actortest.Next[*messages.StateRestored](t, probe)
			s.mustPut("w")
			s.keeps("with one word more,", "x", "y", "w")
			after, err := do(s, &messages.ConfirmLeader{})
			if err != nil || after.Index <= before.Index {
				t.Errorf("the log went from %d to %d, %v", before.Index, after.Index, err)
			}
			if dir == "" {
				return
			}
			s.leavesNothing()
			s.stop()
			s.start().leads()
			s.keeps("restarted,", "x", "y", "w")
			if got := s.save(); bytes.Equal(got, saved) {
				t.Error("the same archive comes of another state")
			}
		})
	}
}

// TestArchiveAfterKill restarts from the files of a server that was killed right
// after it had answered.
func TestArchiveAfterKill(t *testing.T) {
	s := newServer(t, "a", func(c *Config) { c.Bootstrap, c.DataDir = true, t.TempDir() }).start().leads()
	s.mustPut("x")
	saved := s.save()
	s.mustPut("y")
	if err := s.restore(saved); err != nil {
		t.Fatal(err)
	}
	killed := copyDir(t, s.cfg.DataDir)
	s.stop()
	s.cfg.DataDir = killed
	s.start().leads()
	s.keeps("killed and restarted,", "x")
}

func TestArchiveReachesAll(t *testing.T) {
	all := newCluster(t, func(c *Config) { c.DataDir = t.TempDir() })
	leader, followers := leaderOf(t, all...)
	leader.leads()
	leader.mustPut("x", "y")
	saved := leader.save()
	leader.mustPut("z")
	for _, f := range followers {
		if err := f.restore(saved); !errors.Is(err, messages.ErrNotLeader) {
			t.Errorf("a follower's restore = %v, want %v", err, messages.ErrNotLeader)
		}
		f.leader.Messages()
	}
	if err := leader.restore(saved); err != nil {
		t.Fatal(err)
	}
	leader.mustPut("w")
	for _, f := range followers {
		await(t, f.cfg.NodeID+" has the restored state", func() bool { return slices.Equal(f.words.get(), []string{"x", "y", "w"}) })
		actortest.Next[*messages.StateRestored](t, f.leader)
	}
	if got, err := archive.Verify(bytes.NewReader(followers[0].save()), archive.Limits{}); err != nil || got.Index == 0 {
		t.Errorf("a follower's archive: %+v, %v", got, err)
	}
	if conf, err := do(leader, &messages.GetRaftConfiguration{}); err != nil || len(conf.Servers) != 3 {
		t.Errorf("the peer set is %+v, %v", conf, err)
	}
	last := followers[0]
	last.stop()
	last.start()
	await(t, "a restarted follower has the restored state", func() bool { return slices.Equal(last.words.get(), []string{"x", "y", "w"}) })
}

// TestArchiveOfAnotherCluster restores into a cluster whose log is shorter, and has
// to be further from then on.
func TestArchiveOfAnotherCluster(t *testing.T) {
	old := newServer(t, "old", func(c *Config) { c.Bootstrap = true }).start().leads()
	for i := range 50 {
		old.mustPut(fmt.Sprint(i))
	}
	saved, had := old.save(), old.words.get()
	fresh := newServer(t, "fresh", func(c *Config) { c.Bootstrap, c.DataDir = true, t.TempDir() }).start().leads()
	restored, err := do(fresh, &messages.RestoreSnapshot{Archive: bytes.NewReader(saved)})
	if err != nil {
		t.Fatal(err)
	}
	fresh.keeps("restored,", had...)
	if at := fresh.status.Load().AppliedIndex(); at <= restored.Index {
		t.Errorf("the log is at %d, and the snapshot ended at %d", at, restored.Index)
	}
	if conf, err := do(fresh, &messages.GetRaftConfiguration{}); err != nil || len(conf.Servers) != 1 || conf.Servers[0].ID != "fresh" {
		t.Errorf("the peer set is %+v, %v", conf, err)
	}
}

// picky is a state machine that says whether it can restore a snapshot.
type picky struct {
	words
	reason error
	crash  bool
}

func (p *picky) CheckSnapshot(r io.Reader) error {
	if p.crash {
		panic("boom")
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		return err
	}
	return p.reason
}

func TestRestoreIsAllOrNothing(t *testing.T) {
	machine := &picky{}
	s := newServer(t, "a", func(c *Config) { c.Bootstrap, c.DataDir, c.FSM = true, t.TempDir(), machine }).start().leads()
	s.mustPut("x")
	saved := s.save()
	s.mustPut("y")
	flipped := bytes.Clone(saved)
	flipped[len(flipped)/2] ^= 1
	tests := []struct {
		name    string
		content []byte
		reason  error // of the state machine
		crash   bool
		want    error
	}{
		{name: "nothing", want: archive.ErrNotArchive},
		{name: "garbage", content: []byte("foo"), want: archive.ErrNotArchive},
		{name: "cut_off", content: saved[:len(saved)/2], want: archive.ErrTruncated},
		{name: "cut_off_at_its_end", content: saved[:len(saved)-1], want: archive.ErrTruncated},
		{name: "damaged", content: flipped, want: archive.ErrDamaged},
		{name: "a_state_that_cannot_be_restored", content: saved, reason: io.ErrNoProgress, want: io.ErrNoProgress},
		{name: "a_state_that_crashes", content: saved, crash: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			machine.reason, machine.crash = tt.reason, tt.crash
			err := s.restore(tt.content)
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("restore = %v, want %v", err, tt.want)
			}
			if got := machine.get(); !slices.Equal(got, []string{"x", "y"}) {
				t.Errorf("the state is %q", got)
			}
		})
	}
	machine.reason, machine.crash = nil, false
	if slices.ContainsFunc(s.leader.Messages(), func(m any) bool { _, ok := m.(*messages.StateRestored); return ok }) {
		t.Error("a restore was told that did not take place")
	}
	s.leavesNothing()
	if err := s.restore(saved); err != nil {
		t.Fatal(err)
	}
	if got := machine.get(); !slices.Equal(got, []string{"x"}) {
		t.Errorf("at last the state is %q", got)
	}
}

func TestRestoreOneAtATime(t *testing.T) {
	s := newServer(t, "a", func(c *Config) { c.Bootstrap = true }).start().leads()
	s.mustPut("x")
	saved := s.save()
	slow, sender := io.Pipe()
	first := &messages.RestoreSnapshot{Archive: slow}
	answer := first.Expect()
	s.addr.Tell(first)
	if _, err := sender.Write(saved[:1]); err != nil { // it is being read
		t.Fatal(err)
	}
	if err := s.restore(saved); err == nil || !strings.Contains(err.Error(), "another snapshot is being restored") {
		t.Errorf("a second restore = %v", err)
	}
	if _, err := sender.Write(saved[1:]); err != nil {
		t.Fatal(err)
	}
	sender.Close()
	if r := <-answer; r.Err != nil {
		t.Errorf("the first restore = %v", r.Err)
	}
	if err := s.restore(saved); err != nil {
		t.Errorf("the next restore = %v", err)
	}
}

// TestStopDoesNotWaitForAnArchive stops a server while an archive trickles in.
func TestStopDoesNotWaitForAnArchive(t *testing.T) {
	s := newServer(t, "a", func(c *Config) { c.Bootstrap = true }).start().leads()
	s.mustPut("x")
	saved := s.save()
	slow, sender := io.Pipe()
	msg := &messages.RestoreSnapshot{Archive: slow}
	answer := msg.Expect()
	s.addr.Tell(msg)
	if _, err := sender.Write(saved[:1]); err != nil {
		t.Fatal(err)
	}
	s.stop()
	go sender.Write(saved[1:]) //nolint:errcheck // nobody reads
	if r := <-answer; r.Err == nil {
		t.Error("a stopped server has restored a snapshot")
	}
	slow.Close()
}

func TestManySaves(t *testing.T) {
	s := newServer(t, "a", func(c *Config) { c.Bootstrap, c.DataDir = true, t.TempDir() }).start().leads()
	s.mustPut("x")
	var answers []<-chan messages.Result[*messages.SnapshotSaved]
	for range 2 * maxArchives {
		msg := &messages.SaveSnapshot{}
		answers = append(answers, msg.Expect())
		s.addr.Tell(msg)
	}
	saved := 0
	for _, a := range answers {
		switch r := <-a; {
		case r.Err == nil:
			saved++
			r.Value.Archive.Close()
		case !errors.Is(r.Err, messages.ErrOverloaded):
			t.Errorf("save = %v", r.Err)
		}
	}
	if saved < maxArchives {
		t.Errorf("%d were saved, fewer than %d", saved, maxArchives)
	}
	s.leavesNothing()
}

func TestSaveNeedsAState(t *testing.T) {
	s := newServer(t, "a", nil).start()
	if _, err := do(s, &messages.SaveSnapshot{}); !errors.Is(err, messages.ErrNoLeader) {
		t.Errorf("save = %v, want %v", err, messages.ErrNoLeader)
	}
}
