package coordinate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/serf/coordinate"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// somewhere is a coordinate.
func somewhere() *coordinate.Coordinate { return coordinate.NewCoordinate(coordinate.DefaultConfig()) }

func TestInterval(t *testing.T) {
	for members, want := range map[int]time.Duration{0: 15 * time.Second, 1: 15 * time.Second, 960: 15 * time.Second, 6400: 100 * time.Second} {
		if got := interval(members, DefaultRateTarget, DefaultIntervalMin); got != want {
			t.Errorf("among %d: %v, want %v", members, got, want)
		}
	}
}

func TestBatch(t *testing.T) {
	b := newBatch(3)
	first, newest := &wire.Coordinate{Node: "b", Coord: somewhere()}, &wire.Coordinate{Node: "b", Coord: somewhere()}
	for i, c := range []*wire.Coordinate{first, newest, {Node: "b", Segment: "edge"}, {Node: "a"}} {
		if !b.note(c) {
			t.Errorf("number %d is one too many", i)
		}
	}
	if b.note(&wire.Coordinate{Node: "c"}) || !b.note(newest) {
		t.Error("a fourth is taken, or one that is known is not")
	}
	parts, dropped := b.take(2)
	var got []string
	for _, part := range parts {
		line := ""
		for _, c := range part {
			line += c.Node + c.Segment + " "
		}
		got = append(got, line)
	}
	if !slices.Equal(got, []string{"a b ", "bedge "}) || parts[0][1] != newest || dropped != 1 || !b.empty() {
		t.Errorf("took %q, %d dropped", got, dropped)
	}
	if parts, dropped := b.take(2); len(parts) > 0 || dropped > 0 {
		t.Errorf("then %v, %d", parts, dropped)
	}
}

// stage is an actor with everybody around it.
type stage struct {
	addr ask.Address
	lan  messages.Published[messages.PoolView]

	mu      sync.Mutex
	sent    []time.Time
	written []string // by entry: how many, and of whom the first is
	err     error
}

func newStage(t *testing.T, tweak func(*Config)) *stage {
	s := &stage{}
	s.lan.Publish(&messages.PoolView{Local: "n", Members: make([]messages.Member, 3), Coordinate: func(string) *coordinate.Coordinate { return somewhere() }})
	cfg := Config{
		Logger: zap.NewNop(), NodeName: "n", Datacenter: "dc1", LAN: &s.lan,
		Send: func(_ context.Context, args *wire.CoordinateUpdateRequest) error {
			if args.Node != "n" || args.Datacenter != "dc1" || args.Coord == nil {
				t.Errorf("sent %+v", args)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			s.sent = append(s.sent, time.Now())
			return s.err
		},
		Propose: func(_ context.Context, all wire.Coordinates) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.written = append(s.written, fmt.Sprintf("%d %s", len(all), all[0].Node))
			return s.err
		},
	}
	if tweak != nil {
		tweak(&cfg)
	}
	s.addr = actortest.Spawn(t, actortest.System(t), New(cfg), Name)
	synctest.Wait()
	return s
}

// told returns what was written since the last time, and when something was sent.
func (s *stage) told() (written []string, sent []time.Time) {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	written, sent = s.written, s.sent
	s.written, s.sent = nil, nil
	return written, sent
}

func (s *stage) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *stage) update(t *testing.T, node string) error {
	_, err := ask.Do(t.Context(), s.addr, &messages.UpdateCoordinate{Coordinate: &wire.Coordinate{Node: node, Coord: somewhere()}})
	return err
}

// TestSends: now and then, whatever becomes of it; the more members, the more rarely.
func TestSends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, nil)
		time.Sleep(10 * time.Minute)
		_, sent := s.told()
		if n := len(sent); n < 20 || n > 40 {
			t.Errorf("sent %d times in ten minutes, want one in 15 to 30 s", n)
		}
		s.fail(errors.New("nobody is there"))
		time.Sleep(time.Minute)
		if _, sent := s.told(); len(sent) < 2 {
			t.Error("it gave up")
		}
		s.lan.Publish(&messages.PoolView{Local: "n", Members: make([]messages.Member, 64*600), Coordinate: s.lan.Load().Coordinate})
		time.Sleep(time.Minute)
		s.told()
		time.Sleep(time.Hour)
		if _, sent := s.told(); len(sent) < 3 || len(sent) > 6 {
			t.Errorf("sent %d times in an hour among 38400, want one in 10 to 20 min", len(sent))
		}
	})
}

// TestSilent: where nothing is to be told, or nothing is known, nothing is.
func TestSilent(t *testing.T) {
	for name, tweak := range map[string]func(*Config){
		"disabled": func(cfg *Config) { cfg.Send = nil },
		"unknown":  func(cfg *Config) { cfg.LAN = &messages.Published[messages.PoolView]{} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, tweak)
				time.Sleep(10 * time.Minute)
				if _, sent := s.told(); len(sent) > 0 {
					t.Errorf("sent %d times", len(sent))
				}
			})
		})
	}
}

// TestGathers: what comes within a period is written together, in parts, and what is
// too much is refused.
func TestGathers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, func(cfg *Config) { cfg.BatchSize, cfg.MaxBatches, cfg.Send = 2, 2, nil })
		for i := range 4 {
			if err := s.update(t, fmt.Sprint(i)); err != nil {
				t.Error(err)
			}
		}
		if err := s.update(t, "5"); !errors.Is(err, messages.ErrOverloaded) {
			t.Errorf("one too many: %v", err)
		}
		if written, _ := s.told(); len(written) > 0 {
			t.Errorf("at once: %v", written)
		}
		time.Sleep(DefaultPeriod)
		if written, _ := s.told(); !slices.Equal(written, []string{"2 0", "2 2"}) {
			t.Errorf("after a period: %v", written)
		}
		time.Sleep(time.Minute)
		if written, _ := s.told(); len(written) > 0 {
			t.Errorf("with nothing new: %v", written)
		}
		s.fail(messages.ErrNotLeader)
		if err := s.update(t, "lost"); err != nil {
			t.Error(err)
		}
		time.Sleep(DefaultPeriod)
		s.told()
		s.fail(nil)
		if err := s.update(t, "next"); err != nil {
			t.Error(err)
		}
		time.Sleep(DefaultPeriod)
		if written, _ := s.told(); !slices.Equal(written, []string{"1 next"}) {
			t.Errorf("after one that failed: %v", written)
		}
	})
}

// TestRestart: a failure loses what was gathered and nothing else.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, func(cfg *Config) { cfg.Send = nil })
		if err := s.update(t, "a"); err != nil {
			t.Error(err)
		}
		s.addr.Tell((*messages.UpdateCoordinate)(nil)) // a broken invariant: the actor panics
		time.Sleep(time.Minute)
		if err := s.update(t, "b"); err != nil {
			t.Error(err)
		}
		time.Sleep(DefaultPeriod)
		if written, _ := s.told(); !slices.Equal(written, []string{"1 b"}) {
			t.Errorf("written %v", written)
		}
	})
}
