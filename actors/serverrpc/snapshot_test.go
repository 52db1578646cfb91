package serverrpc

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/actor-consul/consul/actors/invoke"
	"github.com/actor-consul/consul/actors/serverrpc/client"
	"github.com/actor-consul/consul/actors/serverrpc/frame"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/archive"
	"github.com/actor-consul/consul/messages/wire"
)

// packed is an archive of a state that does not compress.
func packed(t testing.TB, size int) []byte {
	t.Helper()
	state := make([]byte, size)
	_, _ = rand.Read(state)
	var b bytes.Buffer
	meta := &raft.SnapshotMeta{Version: 1, ID: "2-9-1", Index: 9, Term: 2, Size: int64(size)}
	if err := archive.Write(&b, meta, bytes.NewReader(state)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// take saves the state of the server at addr.
func (s *stage) take(t *testing.T, addr string, args wire.SnapshotRequest) ([]byte, *wire.SnapshotResponse, error) {
	t.Helper()
	var reply wire.SnapshotResponse
	in, err := s.pool.Snapshot(t.Context(), addr, &args, nil, &reply)
	if err != nil {
		return nil, &reply, err
	}
	defer in.Close()
	content, err := io.ReadAll(in)
	if a, ok := in.(*client.Archive); !ok || a.Size() != int64(len(content)) {
		t.Errorf("its size is not known: %T", in)
	}
	return content, &reply, err
}

func (s *stage) give(t *testing.T, addr string, in io.Reader) error {
	t.Helper()
	done, err := s.pool.Snapshot(t.Context(), addr, &wire.SnapshotRequest{Op: wire.SnapshotRestore}, in, &wire.SnapshotResponse{})
	if err != nil {
		return err
	}
	return done.Close()
}

// TestSnapshot saves and restores through the leader, and through a follower.
func TestSnapshot(t *testing.T) {
	leader, follower := open(t, nil), open(t, nil)
	leader.saved = packed(t, 1<<18)
	follower.follow(leader.addr())
	follower.store.Advance(1)
	follower.saved = packed(t, 1<<10)
	for _, to := range []*stage{leader, follower} {
		content, reply, err := leader.take(t, to.addr(), wire.SnapshotRequest{})
		if !bytes.Equal(content, leader.saved) || err != nil || reply.Index != 9 || !reply.KnownLeader {
			t.Errorf("saved %d bytes, %+v, %v", len(content), reply, err)
		}
		if err := leader.give(t, to.addr(), bytes.NewReader(content)); err != nil {
			t.Error(err)
		}
		if got := within(t, leader.restored); !bytes.Equal(got.content, content) || got.err != nil {
			t.Errorf("restored %d bytes, %v", len(got.content), got.err)
		}
	}
	content, _, err := leader.take(t, follower.addr(), wire.SnapshotRequest{AllowStale: true})
	if !bytes.Equal(content, follower.saved) || err != nil {
		t.Errorf("a stale one of a follower: %d bytes, %v", len(content), err)
	}
	if n := len(leader.lines()) + len(follower.lines()); n > 0 {
		t.Errorf("%d lines were logged", n)
	}
}

// TestSnapshotRefused: who is sending a large archive hears why it is not wanted.
func TestSnapshotRefused(t *testing.T) {
	s := open(t, nil)
	large := make([]byte, 16<<20)
	var reply wire.SnapshotResponse
	for _, tt := range []struct {
		name string
		args wire.SnapshotRequest
		want string
	}{
		{"stale", wire.SnapshotRequest{Op: wire.SnapshotRestore, AllowStale: true}, "stale not allowed for restore"},
		{"elsewhere", wire.SnapshotRequest{Op: wire.SnapshotRestore, Datacenter: "mars"}, "No path to datacenter"},
		{"nonsense", wire.SnapshotRequest{Op: 7}, "a snapshot can be saved or restored, and nothing else"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := s.pool.Snapshot(t.Context(), s.addr(), &tt.args, bytes.NewReader(large), &reply)
			var remote client.RemoteError
			if !errors.As(err, &remote) || string(remote) != tt.want {
				t.Errorf("err = %v, want %q", err, tt.want)
			}
		})
	}
}

// TestSnapshotErrors tells what was not sent from what nobody knows of.
func TestSnapshotErrors(t *testing.T) {
	s := open(t, nil)
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = nobody.Close()
	var unsent *invoke.Unsent
	in := bytes.NewReader(packed(t, 100))
	if err := s.give(t, nobody.Addr().String(), in); !errors.As(err, &unsent) || in.Len() != int(in.Size()) {
		t.Errorf("nobody is there: %v, and %d of %d bytes are left", err, in.Len(), in.Size())
	}
	bad := errors.New("the client is gone")
	if err := s.give(t, s.addr(), io.MultiReader(strings.NewReader("begun"), iotest.ErrReader(bad))); !errors.Is(err, bad) || errors.As(err, &unsent) {
		t.Errorf("what is to be restored breaks off: %v", err)
	}
	if got := within(t, s.restored); string(got.content) != "begun" { // raft finds out that it is not whole
		t.Errorf("the server got %q, %v", got.content, got.err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.pool.Snapshot(ctx, s.addr(), &wire.SnapshotRequest{}, nil, &wire.SnapshotResponse{}); !errors.Is(err, context.Canceled) {
		t.Errorf("nobody waits any more: %v", err)
	}
}

// TestSnapshotCutOff: an archive that is not whole is none.
func TestSnapshotCutOff(t *testing.T) {
	s := open(t, nil)
	whole := packed(t, 1<<16)
	for name, saved := range map[string][]byte{"cut": whole[:len(whole)-100], "empty": nil, "damaged": append(bytes.Clone(whole[:5000]), make([]byte, len(whole)-5000)...)} {
		s.saved = saved
		_, _, err := s.take(t, s.addr(), wire.SnapshotRequest{})
		if err == nil || !strings.Contains(err.Error(), "the archive that came: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSnapshotHostile sends what is no request, or stops in the middle.
func TestSnapshotHostile(t *testing.T) {
	for _, tt := range []struct{ name, text, says string }{
		{"nothing", "", ""},
		{"no_request", "\xc1", "no request could be read"},
		{"endless", "\xdb\x7f\xff\xff\xff" + strings.Repeat("x", 2*maxSnapshotRequest), "no request could be read"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t, nil)
			nc := s.dial(t, byte(frame.Snapshot))
			write(t, nc, tt.text)
			_ = frame.CloseWrite(nc)
			_, _ = io.Copy(io.Discard, nc)
			if tt.says != "" {
				s.await(t, tt.says)
			}
		})
	}
}

// TestSnapshotStalls: one that sends no more is not waited for, and neither is one that
// takes no more.
func TestSnapshotStalls(t *testing.T) {
	s := open(t, func(cfg *Config) { cfg.StallTimeout = 20 * time.Millisecond })
	nc := s.dial(t, byte(frame.Snapshot))
	if err := wire.NewEncoder(nc).Encode(&wire.SnapshotRequest{Op: wire.SnapshotRestore}); err != nil {
		t.Fatal(err)
	}
	write(t, nc, "begun")
	if got := within(t, s.restored); string(got.content) != "begun" || got.err == nil {
		t.Errorf("restored %q, %v", got.content, got.err)
	}
	var reply wire.SnapshotResponse
	if err := wire.NewDecoder(nc).Decode(&reply); err != nil || reply.Error == "" {
		t.Errorf("the answer is %+v, %v", reply, err)
	}
	_ = nc.Close()

	s.saved = make([]byte, 32<<20) // more than the system keeps for who does not read
	taker := s.dial(t, byte(frame.Snapshot))
	if err := wire.NewEncoder(taker).Encode(&wire.SnapshotRequest{}); err != nil {
		t.Fatal(err)
	}
	s.await(t, "whose client did not take the answer")
}

// TestSnapshotRoom: there is an end to what is done at the same time.
func TestSnapshotRoom(t *testing.T) {
	s := open(t, nil)
	for range maxSnapshots {
		nc := s.dial(t, byte(frame.Snapshot))
		if err := wire.NewEncoder(nc).Encode(&wire.SnapshotRequest{Op: wire.SnapshotRestore}); err != nil {
			t.Fatal(err)
		}
		write(t, nc, "x")
	}
	for range maxSnapshots {
		within(t, s.asked) // all have entered
	}
	if _, _, err := s.take(t, s.addr(), wire.SnapshotRequest{}); err == nil || err.Error() != messages.ErrOverloaded.Error() {
		t.Errorf("one more: %v", err)
	}
}
