package http

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	consul "github.com/hashicorp/consul/api"
	"github.com/hashicorp/raft"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/actors/catalog"
	"github.com/actor-consul/consul/actors/invoke"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/archive"
)

// newKeeper returns a stage whose raft saves and restores snapshots of the state.
func newKeeper(t *testing.T) *stage {
	t.Helper()
	s := newStage(t)
	keeper := actortest.NewProbeFunc(t, s.sys, "keeper", func(ctx actor.Context) bool {
		switch msg := ctx.Message().(type) {
		case *messages.SaveSnapshot:
			msg.Settle(s.save())
		case *messages.RestoreSnapshot:
			go func() { msg.Settle(messages.SnapshotRestored{}, s.restore(msg.Archive)) }()
		default:
			return s.raft(ctx)
		}
		return true
	}).Address(s.sys)
	s.cfg.Invoker = invoke.New(invoke.Config{
		Datacenter: "dc1", View: s.fsm.View, Status: &s.status, Raft: keeper, Hold: 50 * time.Millisecond,
	})
	return s
}

func (s *stage) save() (*messages.SnapshotSaved, error) {
	var state, packed bytes.Buffer
	view := s.fsm.View()
	err := catalog.WriteState(&state, view)
	meta := &raft.SnapshotMeta{Version: 1, Index: view.LastIndex(), Size: int64(state.Len())}
	err = errors.Join(err, archive.Write(&packed, meta, &state))
	return &messages.SnapshotSaved{Index: meta.Index, Size: int64(packed.Len()), Archive: io.NopCloser(&packed)}, err
}

func (s *stage) restore(from io.Reader) error {
	var state bytes.Buffer
	if _, err := archive.Read(from, &state, archive.Limits{}); err != nil {
		return err
	}
	return s.fsm.Restore(io.NopCloser(&state))
}

// TestOfficialSnapshotClient does what the client's own test does.
func TestOfficialSnapshotClient(t *testing.T) {
	c := official(t, newKeeper(t))
	put := func(value []byte) {
		t.Helper()
		if _, err := c.KV().Put(&consul.KVPair{Key: "k", Value: value}, nil); err != nil {
			t.Fatal(err)
		}
	}
	large := bytes.Repeat([]byte("hello"), 50_000) // more than a buffer
	put(large)
	snap, meta, err := c.Snapshot().Save(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close()
	if meta.LastIndex == 0 || !meta.KnownLeader || meta.RequestTime == 0 || meta.LastContact != 0 {
		t.Errorf("meta: %+v", meta)
	}
	put([]byte("goodbye"))
	if err := c.Snapshot().Restore(nil, snap); err != nil {
		t.Fatal(err)
	}
	if pair, _, err := c.KV().Get("k", nil); err != nil || !bytes.Equal(pair.Value, large) {
		t.Errorf("restored: %+v, %v", pair, err)
	}
	if _, _, err := c.Snapshot().Save(&consul.QueryOptions{Datacenter: "nope"}); !hasText(err, "No path to datacenter") {
		t.Errorf("another datacenter: %v", err)
	}
	if err := c.Snapshot().Restore(&consul.WriteOptions{Datacenter: "nope"}, strings.NewReader("")); !hasText(err, "No path to datacenter") {
		t.Errorf("another datacenter: %v", err)
	}
	stale, _, err := c.Snapshot().Save(&consul.QueryOptions{AllowStale: true})
	if err != nil {
		t.Fatal(err)
	}
	stale.Close()
	if err := c.Snapshot().Restore(nil, strings.NewReader("foo")); !isStatus(err, http.StatusInternalServerError) || !hasText(err, "failed to decompress snapshot: unexpected EOF") {
		t.Errorf("garbage: %v", err)
	}
}

func hasText(err error, text string) bool { return err != nil && strings.Contains(err.Error(), text) }

func TestSnapshotHeaders(t *testing.T) {
	s := newKeeper(t)
	a := s.api(t)
	call(a, "PUT", "/v1/kv/k", "v")
	got := call(a, "GET", "/v1/snapshot", "", "Accept-Encoding", "gzip")
	if got.Code != http.StatusOK {
		t.Fatalf("%d %s", got.Code, got.Body)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/x-gzip", "Content-Length": strconv.Itoa(got.Body.Len()), "Content-Encoding": "",
		"X-Consul-Index": "2", "X-Consul-KnownLeader": "true", "X-Consul-LastContact": "0", "X-Consul-Effective-Consistency": "",
	} {
		if value := got.Header().Get(name); value != want {
			t.Errorf("%s is %q, want %q", name, value, want)
		}
	}
	if meta, err := archive.Verify(got.Body, archive.Limits{}); err != nil || meta.Index != 2 {
		t.Errorf("the archive: %+v, %v", meta, err)
	}
}

func TestSnapshotRefusals(t *testing.T) {
	s := newKeeper(t)
	a := s.api(t)
	call(a, "PUT", "/v1/kv/k", "v")
	s.follow(3 * time.Second)
	stale := call(a, "GET", "/v1/snapshot?stale", "")
	if stale.Code != http.StatusOK || stale.Header().Get("X-Consul-LastContact") < "3000" {
		t.Errorf("a stale archive of a follower: %d, %v", stale.Code, stale.Header())
	}
	tests := []struct {
		name, method, target, body string
		leads                      bool
		status                     int
		want                       string
	}{
		{name: "save_without_a_leader", method: "GET", status: 500, want: "No cluster leader"},
		{name: "restore_without_a_leader", method: "PUT", body: "foo", status: 500, want: "No cluster leader"},
		{name: "stale_restore", method: "PUT", target: "?stale", body: "foo", leads: true, status: 500, want: "stale not allowed for restore"},
		{name: "no_body", method: "PUT", leads: true, status: 500, want: "failed to decompress snapshot: EOF"},
		{name: "garbage", method: "PUT", body: "foo", leads: true, status: 500, want: "failed to decompress snapshot: unexpected EOF"},
		{name: "long_garbage", method: "PUT", body: strings.Repeat("foo", 1<<20), leads: true, status: 500, want: "failed to decompress snapshot: gzip: invalid header"},
		{name: "cut_off", method: "PUT", body: stale.Body.String()[:100], leads: true, status: 500, want: "the archive is cut off"},
		{name: "another_method", method: "DELETE", leads: true, status: 405, want: "method DELETE not allowed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.leads {
				s.lead()
			} else {
				s.follow(0)
			}
			got := call(a, tt.method, "/v1/snapshot"+tt.target, tt.body)
			if got.Code != tt.status || !strings.HasPrefix(got.Body.String(), tt.want) {
				t.Errorf("%d %q, want %d %q", got.Code, got.Body, tt.status, tt.want)
			}
		})
	}
	s.lead()
	if got := call(a, "GET", "/v1/kv/k?raw", ""); got.Body.String() != "v" {
		t.Errorf("afterwards: %d %q", got.Code, got.Body)
	}
}

// TestSnapshotThatBreaksOff: the client must not take half an archive for a whole
// one, whether it was told the length or not.
func TestSnapshotThatBreaksOff(t *testing.T) {
	for name, size := range map[string]int64{"of_known_size": 1 << 20, "from_elsewhere": -1} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			a := s.api(t)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, hr *http.Request) {
				r := &request{Request: hr, api: a, out: &writer{ResponseWriter: w}}
				if size >= 0 {
					w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
				}
				r.send(r.out, &invoke.SavedSnapshot{Size: size, Archive: io.NopCloser(io.MultiReader(
					io.LimitReader(zeros{}, 100<<10), errorReader{},
				))})
			}))
			defer server.Close()
			resp, err := server.Client().Get(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if n, err := io.Copy(io.Discard, resp.Body); err == nil {
				t.Errorf("%d bytes looked like all", n)
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

type errorReader struct{}

func (errorReader) Read([]byte) (int, error) { return 0, errors.New("broken") }
