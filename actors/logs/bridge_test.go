package logs

import (
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/messages"
)

// paged returns a logger and the page that shows all it writes.
func paged() (*zap.Logger, *page) {
	p := &page{}
	log, _ := NewLogger(Options{Level: messages.TraceLevel, Sinks: []io.Writer{p}})
	return log, p
}

func TestHclog(t *testing.T) {
	var none error
	node := &peer{"Node at 10.1.10.38:8300 [X]"}
	tests := []struct {
		name string
		log  func(hclog.Logger)
		want string
	}{
		{"follower", func(l hclog.Logger) {
			l.Info("entering follower state", "follower", node, "leader-address", raft.ServerAddress(""), "leader-id", raft.ServerID(""))
		}, "[INFO] raft: Node at 10.1.10.38:8300 [X] entering Follower state"},
		{"follower_of_a_leader", func(l hclog.Logger) {
			l.Info("entering follower state", "follower", node, "leader-address", raft.ServerAddress("10.1.10.39:8300"), "leader-id", raft.ServerID("b"))
		}, "[INFO] raft: Node at 10.1.10.38:8300 [X] entering Follower state leader-address=10.1.10.39:8300 leader-id=b"},
		{"timeout", func(l hclog.Logger) {
			l.Warn("heartbeat timeout reached, starting election", "last-leader-addr", raft.ServerAddress(""), "last-leader-id", raft.ServerID(""))
		}, "[WARN] raft: Heartbeat timeout reached, starting election"},
		{"candidate", func(l hclog.Logger) { l.Info("entering candidate state", "node", node, "term", uint64(2)) },
			"[INFO] raft: Node at 10.1.10.38:8300 [X] entering Candidate state"},
		{"won", func(l hclog.Logger) { l.Info("election won", "term", uint64(2), "tally", 1) },
			"[INFO] raft: Election won. Tally: 1"},
		{"leader", func(l hclog.Logger) { l.Info("entering leader state", "leader", node) },
			"[INFO] raft: Node at 10.1.10.38:8300 [X] entering Leader state"},
		{"known_text_without_its_node", func(l hclog.Logger) { l.Info("entering leader state", "x", 1) },
			"[INFO] raft: entering leader state x=1"},
		{"won_without_tally", func(l hclog.Logger) { l.Info("election won") }, "[INFO] raft: election won"},
		{"other", func(l hclog.Logger) { l.Error("failed to get log", "index", uint64(7), "error", io.EOF) },
			`[ERR] raft: failed to get log index=7 error="EOF"`},
		{"no_error", func(l hclog.Logger) { l.Error("x", "error", none) }, `[ERR] raft: x error="<nil>"`},
		{"format", func(l hclog.Logger) { l.Info("x", "percent", hclog.Fmt("%0.2f%%", 99.5), "none", hclog.Format{}) },
			"[INFO] raft: x percent=99.50%"},
		{"hclog_numbers", func(l hclog.Logger) { l.Info("x", "h", hclog.Hex(255), "o", hclog.Octal(8), "b", hclog.Binary(5)) },
			"[INFO] raft: x h=0xff o=010 b=0b101"},
		{"quote", func(l hclog.Logger) { l.Info("x", "q", hclog.Quote("a\nb")) }, `[INFO] raft: x q="a\nb"`},
		{"struct", func(l hclog.Logger) { l.Info("x", "peer", raft.Server{ID: "a", Address: "10.1.10.38:8300"}) },
			`[INFO] raft: x peer="{Suffrage:Voter ID:a Address:10.1.10.38:8300}"`},
		{"times", func(l hclog.Logger) { l.Info("x", "time", time.Second, "at", epoch) },
			"[INFO] raft: x time=1s at=2026-11-22T07:31:00.123456789Z"},
		{"list", func(l hclog.Logger) { l.Info("x", "ids", []raft.ServerID{"a", "b"}) }, `[INFO] raft: x ids=["a","b"]`},
		{"odd", func(l hclog.Logger) { l.Info("x", "a", 1, "left over") }, `[INFO] raft: x a=1 EXTRA_VALUE_AT_END="left over"`},
		{"key_that_is_no_text", func(l hclog.Logger) { l.Info("x", 7, 1) }, "[INFO] raft: x 7=1"},
		{"levels", func(l hclog.Logger) {
			l.Trace("t")
			l.Debug("d")
			l.Log(hclog.Warn, "w")
			l.Log(hclog.NoLevel, "n")
			l.Log(hclog.Off, "o")
			l.Log(hclog.Trace, "t")
			l.Log(hclog.Error, "e")
		}, "[TRACE] raft: t\n[DEBUG] raft: d\n[WARN] raft: w\n[INFO] raft: n\n[TRACE] raft: t\n[ERR] raft: e"},
		{"with", func(l hclog.Logger) { l.With("a", 1).Named("snapshot").With("b", 2).Info("x", "c", 3) },
			"[INFO] raft.snapshot: x a=1 b=2 c=3"},
		{"reset_named", func(l hclog.Logger) { l.With("a", 1).ResetNamed("autopilot").Info("x") }, "[INFO] autopilot: x a=1"},
		{"standard_logger", func(l hclog.Logger) { l.StandardLogger(nil).Print("[WARN] raft-net: x") }, "[WARN] raft-net: x"},
		{"standard_logger_forced", func(l hclog.Logger) {
			l.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}).Print("[WARN] x")
		}, "[DEBUG] raft: x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			log, p := paged()
			tt.log(Hclog(log.Named("raft")))
			if got := strings.Join(p.lines(), "\n"); got != tt.want {
				t.Errorf("wrote\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestHclogTellsWhatItIs(t *testing.T) {
	log, control := NewLogger(Options{})
	l := Hclog(log.Named("raft")).With("a", 1)
	if l.Name() != "raft" || !slices.Equal(l.ImpliedArgs(), []any{"a", 1}) {
		t.Errorf("name %q, implied %v", l.Name(), l.ImpliedArgs())
	}
	l.SetLevel(hclog.Error)
	if l.GetLevel() != hclog.Debug || l.IsTrace() || !l.IsDebug() || !l.IsInfo() || !l.IsWarn() || !l.IsError() {
		t.Errorf("the level is %v, not what is enabled", l.GetLevel())
	}
	control.SetLevel(messages.TraceLevel)
	if l.GetLevel() != hclog.Trace || !l.IsTrace() {
		t.Errorf("the level is %v after the root's became TRACE", l.GetLevel())
	}
}

// TestRaftLines elects a leader and compares what raft says with the page that
// Consul's users know, so that another wording in a newer raft is found out.
func TestRaftLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, p := paged()
		addr, trans := raft.NewInmemTransport("10.1.10.38:8300")
		cfg := raft.DefaultConfig()
		cfg.LocalID = "a"
		cfg.Logger = Hclog(log.Named("raft"))
		store := raft.NewInmemStore()
		snaps := raft.NewInmemSnapshotStore()
		peers := raft.Configuration{Servers: []raft.Server{{ID: "a", Address: addr}}}
		if err := raft.BootstrapCluster(cfg, store, store, snaps, trans, peers); err != nil {
			t.Fatal(err)
		}
		r, err := raft.NewRaft(cfg, &raft.MockFSM{}, store, store, snaps, trans)
		if err != nil {
			t.Fatal(err)
		}
		<-r.LeaderCh()
		if err := errors.Join(r.Shutdown().Error(), trans.Close()); err != nil {
			t.Error(err)
		}
		var got []string
		for _, line := range p.lines() {
			if strings.HasPrefix(line, "[INFO] raft: initial configuration") || strings.HasPrefix(line, "[DEBUG]") || strings.Contains(line, "pre-vote") {
				continue
			}
			got = append(got, line)
		}
		want := []string{
			"[INFO] raft: Node at 10.1.10.38:8300 [Follower] entering Follower state",
			"[WARN] raft: Heartbeat timeout reached, starting election",
			"[INFO] raft: Node at 10.1.10.38:8300 [Candidate] entering Candidate state",
			"[INFO] raft: Election won. Tally: 1",
			"[INFO] raft: Node at 10.1.10.38:8300 [Leader] entering Leader state",
		}
		if !slices.Equal(got, want) {
			t.Errorf("raft said\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

func TestStdWriter(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"serf", "[INFO] serf: EventMemberJoin: node-1 10.1.10.38\n", "[INFO] serf: EventMemberJoin: node-1 10.1.10.38"},
		{"memberlist", "[DEBUG] memberlist: Stream connection from=127.0.0.1:1", "[DEBUG] memberlist: Stream connection from=127.0.0.1:1"},
		{"err", "[ERR] memberlist: x", "[ERR] memberlist: x"},
		{"error", "[ERROR] memberlist: x", "[ERR] memberlist: x"},
		{"trace", "[TRACE] serf: Rejected coordinate from x: y\n", "[TRACE] serf: Rejected coordinate from x: y"},
		{"warn_without_prefix", "[WARN] name conflict: a", "[WARN] agent: name conflict: a"},
		{"err_without_brackets", "Err: Could not set the deadline: x", "[ERR] agent: Could not set the deadline: x"},
		{"two_blanks", "[INFO]  serf: x", "[INFO] serf: x"},
		{"date", "2026/11/22 07:31:00 [INFO] serf: x\n", "[INFO] serf: x"},
		{"microseconds", "2026/11/22 07:31:00.123456 [INFO] serf: x\n", "[INFO] serf: x"},
		{"date_alone", "2026/11/22 07:31:00", "[INFO] agent: 2026/11/22 07:31:00"},
		{"date_and_blank", "2026/11/22 07:31:00 ", "[INFO] agent: "},
		{"almost_a_date", "2026/11/22 07:31-00 x", "[INFO] agent: 2026/11/22 07:31-00 x"},
		{"no_level", "http: TLS handshake error from x", "[INFO] agent: http: TLS handshake error from x"},
		{"no_level_but_its_own_name", "agent: x", "[INFO] agent: x"},
		{"unknown_level", "[LOUD] serf: x", "[INFO] agent: [LOUD] serf: x"},
		{"level_within", "x [ERR] serf: y", "[INFO] agent: x [ERR] serf: y"},
		{"no_name", "[INFO] Not A Name: x", "[INFO] agent: Not A Name: x"},
		{"name_with_control", "[INFO] a\x1b: x", `[INFO] agent: a\x1b: x`},
		{"long_name", "[INFO] " + strings.Repeat("a", 33) + ": x", "[INFO] agent: " + strings.Repeat("a", 33) + ": x"},
		{"dotted_name", "[INFO] consul.rpc-1: x", "[INFO] consul.rpc-1: x"},
		{"empty", "\n", "[INFO] agent: "},
		{"forged_second_line", "[INFO] serf: EventMemberJoin: a\n[ERR] agent: b 10.1.10.38\n", `[INFO] serf: EventMemberJoin: a\n[ERR] agent: b 10.1.10.38`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			log, p := paged()
			if n, err := StdWriter(log.Named("agent")).Write([]byte(tt.in)); n != len(tt.in) || err != nil {
				t.Errorf("Write = %d, %v", n, err)
			}
			if got := p.lines(); !slices.Equal(got, []string{tt.want}) {
				t.Errorf("wrote %q, want %q", got, tt.want)
			}
		})
	}
}

func TestStdLogKeepsFields(t *testing.T) {
	log, p := paged()
	StdLog(log.Named("serf").With(zap.String("pool", "wan"))).Printf("[INFO] serf: %s", "x")
	if got := p.lines(); !slices.Equal(got, []string{"[INFO] serf: x pool=wan"}) {
		t.Errorf("wrote %q", got)
	}
}

// secret is a message that must not be seen.
type secret struct{ Token string }

// loud is a message that describes itself.
type loud struct{ Token string }

func (l *loud) String() string { return l.Token }

func TestSlog(t *testing.T) {
	const token = "s3cret-token"
	pid := actor.NewPID("nonhost", "agent/http")
	tests := []struct {
		name string
		log  func(*slog.Logger)
		want string
	}{
		{"recovering", func(l *slog.Logger) {
			l.Info("[ACTOR] Recovering", slog.Any("self", pid), slog.Any("reason", errors.New("boom")))
		}, "[WARN] actor: Recovering self=agent/http reason=boom"},
		{"recovering_from_a_value", func(l *slog.Logger) {
			l.Info("[ACTOR] Recovering", slog.Any("self", pid), slog.Any("reason", &secret{token}))
		}, "[WARN] actor: Recovering self=agent/http reason=*logs.secret"},
		{"dead_letter", func(l *slog.Logger) {
			l.Info("[DeadLetter]", slog.Any("pid", pid), slog.Any("message", &secret{token}), slog.Any("sender", (*actor.PID)(nil)))
		}, "[TRACE] actor: dead letter pid=agent/http message=*logs.secret"},
		{"dead_letters_throttled", func(l *slog.Logger) { l.Info("[DeadLetter]", slog.Int64("throttled", 7)) },
			"[TRACE] actor: dead letter throttled=7"},
		{"message_that_describes_itself", func(l *slog.Logger) { l.Error("unknown system message", slog.Any("message", &loud{token})) },
			`[ERR] actor: unknown system message message=*logs.loud`},
		{"message_that_is_a_text", func(l *slog.Logger) { l.Warn("x", slog.String("message", token)) },
			"[WARN] actor: x message=string"},
		{"info_is_debug", func(l *slog.Logger) { l.Info("actor system started", slog.String("id", "a")) },
			"[DEBUG] actor: actor system started id=a"},
		{"supervision", func(l *slog.Logger) {
			l.Debug("[SUPERVISION]", slog.Any("actor", pid), slog.Any("directive", actor.RestartDirective), slog.Any("reason", "boom"))
		}, "[DEBUG] actor: [SUPERVISION] actor=agent/http directive=" + actor.RestartDirective.String() + " reason=boom"},
		{"values", func(l *slog.Logger) {
			l.Warn("x", "n", 1, "d", time.Second, "m", map[string]string{"t": token}, "s", []string{token}, "v", secret{token}, "nil", nil, "level", zap.InfoLevel)
		}, "[WARN] actor: x n=1 d=1s m=map[string]string s=[]string v=logs.secret nil=<nil> level=info"},
		{"with", func(l *slog.Logger) { l.With("message", &secret{token}, "a", 1).Warn("x") },
			"[WARN] actor: x message=*logs.secret a=1"},
		{"group", func(l *slog.Logger) {
			l.WithGroup("g").Warn("x", slog.Group("h", slog.Any("message", &secret{token}), slog.Int("n", 1)))
		}, `[WARN] actor: x g.h={"message":"*logs.secret","n":1}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			log, p := paged()
			tt.log(Slog(log.Named("actor")))
			got := strings.Join(p.lines(), "\n")
			if got != tt.want {
				t.Errorf("wrote\n%s\nwant\n%s", got, tt.want)
			}
			if strings.Contains(got, token) {
				t.Error("the secret is out")
			}
		})
	}
}

// TestSlogWithTheFramework lets the framework itself meet a dead letter and a
// panic.
func TestSlogWithTheFramework(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, p := paged()
		sys := actor.NewActorSystem(
			actor.WithDeadLetterThrottleInterval(time.Millisecond),
			actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return Slog(log.Named("actor")) }),
		)
		pid := sys.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
			if _, ok := ctx.Message().(*secret); ok {
				panic("boom")
			}
		}))
		sys.Root.Send(pid, &secret{"s3cret"})
		sys.Root.Send(sys.NewLocalPID("ghost"), &secret{"s3cret"})
		synctest.Wait()
		sys.Root.StopFuture(pid).Wait()
		time.Sleep(10 * time.Millisecond) // the throttle of dead letters ends
		sys.Shutdown()

		got := strings.Join(p.lines(), "\n")
		for _, want := range []string{
			"[TRACE] actor: dead letter pid=ghost message=*logs.secret",
			"[WARN] actor: Recovering self=" + pid.Id + " reason=boom",
		} {
			if !strings.Contains(got, want) {
				t.Errorf("the framework logged\n%s\nwithout\n%s", got, want)
			}
		}
		if strings.Contains(got, "s3cret") {
			t.Errorf("the secret is out:\n%s", got)
		}
	})
}
