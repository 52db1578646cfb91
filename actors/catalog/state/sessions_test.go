package state

import (
	"testing"

	"github.com/hashicorp/serf/coordinate"

	"github.com/actor-consul/consul/messages/wire"
)

func TestSessionCreate(t *testing.T) {
	tests := []struct {
		name string
		sess wire.Session
		err  string
	}{
		{name: "plain", sess: wire.Session{ID: "s", Node: "N1"}},
		{name: "with_checks", sess: wire.Session{ID: "s", Node: "n1", NodeChecks: []string{"serfHealth"}, ServiceChecks: []wire.ServiceCheck{{ID: "Web"}}}},
		{name: "no_id", sess: wire.Session{Node: "n1"}, err: "Missing session ID"},
		{name: "no_such_node", sess: wire.Session{ID: "s", Node: "n2"}, err: "Missing node registration"},
		{name: "bad_behaviour", sess: wire.Session{ID: "s", Node: "n1", Behavior: "odd"}, err: "Invalid session behavior: odd"},
		{name: "no_such_check", sess: wire.Session{ID: "s", Node: "n1", NodeChecks: []string{"x"}}, err: "Missing check 'x' registration"},
		{name: "critical_check", sess: wire.Session{ID: "s", Node: "n1", Checks: []string{"bad"}}, err: "Check 'bad' is in critical state"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t).node("n1", "", "passing").service("n1", "w", "web").check("n1", "web", "w", "warning").check("n1", "bad", "", "critical")
			errorIs(t, f.try(func(tx *Tx) error { return tx.SessionCreate(&tt.sess) }), tt.err)
			idx, got := f.View().SessionGet(nil, "S")
			if tt.err != "" {
				equal(t, "session", got, nil)
				return
			}
			equal(t, "index", idx, 5)
			equal(t, "behaviour when none is given", got.Behavior, wire.SessionKeysRelease)
			_, of := f.View().NodeSessions(nil, "n1")
			equal(t, "sessions of the node", len(of), 1)
		})
	}
}

// TestSessionEnds has what ends a session, and what does not.
func TestSessionEnds(t *testing.T) {
	tests := []struct {
		name string
		do   func(*fixture)
		ends bool
	}{
		{"destroyed", func(f *fixture) { f.do(func(tx *Tx) { tx.SessionDestroy("S") }) }, true},
		{"node_gone", func(f *fixture) { f.do(func(tx *Tx) { tx.DeleteNode("n1") }) }, true},
		{"node_check_critical", func(f *fixture) { f.check("N1", "SERFHEALTH", "", "critical") }, true},
		{"node_check_gone", func(f *fixture) { f.do(func(tx *Tx) { tx.DeleteCheck("n1", "serfHealth") }) }, true},
		{"service_check_critical", func(f *fixture) { f.check("n1", "web", "w", "critical") }, true},
		{"service_gone", func(f *fixture) { f.do(func(tx *Tx) { tx.DeleteService("n1", "w") }) }, true},
		{"check_warning", func(f *fixture) { f.check("n1", "web", "w", "warning") }, false},
		{"other_check_critical", func(f *fixture) { f.check("n1", "other", "", "critical") }, false},
		{"other_node_gone", func(f *fixture) { f.do(func(tx *Tx) { tx.DeleteNode("n2") }) }, false},
		{"other_nodes_check_critical", func(f *fixture) { f.check("n2", "serfHealth", "", "critical") }, false},
	}
	for _, behavior := range []wire.SessionBehavior{wire.SessionKeysRelease, wire.SessionKeysDelete} {
		for _, tt := range tests {
			t.Run(string(behavior)+"_"+tt.name, func(t *testing.T) {
				f := newFixture(t).node("n1", "", "passing").node("n2", "", "passing").service("n1", "w", "web").check("n1", "web", "w", "passing")
				f.session("s", "n1", func(s *wire.Session) {
					s.Behavior, s.NodeChecks, s.ServiceChecks = behavior, []string{"serfHealth"}, []wire.ServiceCheck{{ID: "web"}}
				})
				f.lock("k", "s")
				f.set("free", "")
				tt.do(f)
				v := f.View()
				idx, sess := v.SessionGet(nil, "s")
				equal(t, "ended", sess == nil, tt.ends)
				_, e := v.KVSGet(nil, "k")
				switch {
				case !tt.ends:
					equal(t, "lock", e.Session, "s")
				case behavior == wire.SessionKeysRelease:
					equal(t, "lock", e.Session, "")
					equal(t, "index of the key", e.ModifyIndex, f.idx)
				default:
					equal(t, "key", e, nil)
				}
				if tt.ends {
					equal(t, "index", idx, f.idx)
					if left := collect[sessionCheck](v.tx, tableSessionChecks, byID+prefixOf); len(left) != 0 {
						t.Errorf("%d rows are left of its checks", len(left))
					}
				}
				_, free := v.KVSGet(nil, "free")
				equal(t, "other key", free != nil, true)
			})
		}
	}
}

func TestCoordinates(t *testing.T) {
	coord := coordinate.NewCoordinate(coordinate.DefaultConfig())
	broken := coord.Clone()
	broken.Vec[0] = 0 / (broken.Height - broken.Height) // not a number
	f := newFixture(t).node("n1", "", "").node("n2", "", "")
	f.do(func(tx *Tx) {
		tx.UpdateCoordinates(wire.Coordinates{
			{Node: "n2", Coord: coord}, {Node: "N1", Segment: "x", Coord: coord}, {Node: "n1", Coord: coord},
			{Node: "gone", Coord: coord}, {Node: "n1", Segment: "bad", Coord: broken}, {Node: "n1", Segment: "none"}, nil,
		})
	})
	idx, all := f.View().Coordinates(nil)
	equal(t, "index", idx, 3)
	equal(t, "coordinates", len(all), 3)
	_, of := f.View().NodeCoordinates(nil, "n1")
	equal(t, "of one node", len(of), 2)
	f.do(func(tx *Tx) { tx.DeleteNode("n1") })
	idx, all = f.View().Coordinates(nil)
	equal(t, "coordinates after the node went", len(all), 1)
	equal(t, "index after the node went", idx, 4)
}

func TestAutopilotConfig(t *testing.T) {
	f := newFixture(t)
	_, none := f.View().AutopilotConfig(nil)
	equal(t, "config", none, nil)
	cas := func(idx uint64) (done bool) {
		f.do(func(tx *Tx) {
			done = tx.AutopilotCASConfig(&wire.AutopilotConfig{MaxTrailingLogs: 9, ModifyIndex: idx})
		})
		return done
	}
	equal(t, "CAS before it was set", cas(0), false)
	f.do(func(tx *Tx) { tx.AutopilotSetConfig(&wire.AutopilotConfig{MaxTrailingLogs: 1}) })
	equal(t, "CAS with a wrong index", cas(1), false)
	equal(t, "CAS", cas(2), true)
	idx, c := f.View().AutopilotConfig(nil)
	equal(t, "index", idx, 4)
	equal(t, "CreateIndex", c.CreateIndex, 2)
	equal(t, "MaxTrailingLogs", c.MaxTrailingLogs, 9)
}
