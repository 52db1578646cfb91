package catalog

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/raft"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/messages/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestLog has what a human is told of what the FSM is given.
func TestLog(t *testing.T) {
	tests := []struct {
		name string
		do   func(*testing.T, *applied)
		want []string // level, name, text
	}{
		{
			name: "nothing_of_what_is_usual",
			do: func(_ *testing.T, a *applied) {
				a.apply(wire.KVSRequestType, &wire.KVSRequest{Op: wire.KVSet, DirEnt: wire.DirEntry{Key: "k"}})
				a.apply(wire.CoordinateBatchUpdateType|wire.IgnoreUnknownTypeFlag, &wire.Coordinates{})
				a.applyBytes([]byte{120 | 128, 0x80})
			},
		},
		{
			name: "an_unknown_type_once",
			do: func(_ *testing.T, a *applied) {
				a.applyBytes([]byte{120, 0x80})
				a.applyBytes([]byte{120, 0x80})
				a.applyBytes([]byte{121, 0x80})
			},
			want: []string{
				"warn consul.fsm skipped a log entry that this version does not know; servers that do know it now hold another state",
				"warn consul.fsm skipped a log entry that this version does not know; servers that do know it now hold another state",
			},
		},
		{
			name: "an_unreadable_entry",
			do:   func(_ *testing.T, a *applied) { a.applyBytes([]byte{2, 0xc1}) },
			want: []string{"error consul.fsm refused a log entry that cannot be read"},
		},
		{
			name: "a_snapshot_from_elsewhere",
			do: func(t *testing.T, a *applied) {
				snap := encoded(t, snapshotHeader{9}, wire.KVSRequestType, &wire.DirEntry{Key: "k"}, wire.ACLTokenSetRequestType, map[string]any{})
				if err := restoreBytes(a.FSM, snap); err != nil {
					t.Error(err)
				}
			},
			want: []string{
				"info consul.fsm restored the state from a snapshot",
				"warn consul.fsm left out records of a snapshot that this version does not know",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sys := actortest.System(t)
				core, logged := observer.New(zapcore.DebugLevel)
				a := newApplied(t)
				_, parent := actortest.Parent(t, sys, New(Config{Logger: zap.New(core), FSM: a.FSM}), Name)
				synctest.Wait()
				if got := parent.Got(); !slices.Equal(got, []string{"Ready{}"}) {
					t.Errorf("the parent was told %v", got)
				}
				tt.do(t, a)
				synctest.Wait()
				if got := lines(logged); !slices.Equal(got, tt.want) {
					t.Errorf("logged %q, want %q", got, tt.want)
				}
			})
		})
	}
}

func lines(logged *observer.ObservedLogs) []string {
	var all []string
	for _, e := range logged.All() {
		all = append(all, e.Level.String()+" "+e.LoggerName+" "+e.Message)
	}
	return all
}

// TestBrokenStateEndsTheActor plays a panic before and after the actor listens.
// The parent restarts it, which does not help, until it gives up.
func TestBrokenStateEndsTheActor(t *testing.T) {
	typ := failing(t)
	for _, early := range []bool{true, false} {
		name := map[bool]string{true: "before_it_listens", false: "while_it_listens"}[early]
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sys := actortest.System(t)
				core, logged := observer.New(zapcore.DebugLevel)
				a := newApplied(t)
				if early {
					a.apply(typ, struct{}{})
				}
				addr, _ := actortest.Parent(t, sys, New(Config{Logger: zap.New(core), FSM: a.FSM}), Name)
				synctest.Wait()
				if !early {
					a.apply(typ, struct{}{})
				}
				synctest.Wait()
				if logged.Len() == 0 || !strings.HasPrefix(logged.All()[0].Message, "the state machine failed") {
					t.Errorf("logged %q", lines(logged))
				}
				if _, alive := sys.ProcessRegistry.GetLocal(addr.PID().Id); alive {
					t.Error("the actor lives on")
				}
			})
		})
	}
}

// TestNobodyListens is the time before the actor starts and after it has stopped.
func TestNobodyListens(t *testing.T) {
	f := NewFSM()
	f.Apply(&raft.Log{Index: 1, Data: []byte{120, 0x80}})
	synctest.Test(t, func(t *testing.T) {
		sys := actortest.System(t)
		addr := actortest.Spawn(t, sys, New(Config{Logger: zap.NewNop(), FSM: f}), Name)
		synctest.Wait()
		sys.Root.Stop(addr.PID())
		synctest.Wait()
		f.Apply(&raft.Log{Index: 2, Data: []byte{121, 0x80}})
	})
	if got := f.View().LastIndex(); got != 2 {
		t.Errorf("LastIndex = %d, want 2", got)
	}
}
