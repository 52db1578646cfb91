package serverrpc

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/rpc"
	"slices"
	"strings"
	"sync"
	"testing"

	msgpackrpc "github.com/hashicorp/net-rpc-msgpackrpc/v2"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/actors/invoke"
	"github.com/actor-consul/consul/actors/serverrpc/frame"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// TestBytes speaks byte by byte, on every way that requests come.
func TestBytes(t *testing.T) {
	const ( // {Seq: 5, ServiceMethod: "Status.Leader"}, {Datacenter: "dc1"}
		ask    = "82a353657105ad536572766963654d6574686f64ad5374617475732e4c6561646572" + "81aa4461746163656e746572a3646331"
		answer = "83a54572726f72a0a353657105ad536572766963654d6574686f64ad5374617475732e4c6561646572" + "ab3132372e302e302e313a31"
		// the same for "Status.Nobody", with nothing for arguments
		bad  = "82a353657106ad536572766963654d6574686f64ad5374617475732e4e6f626f6479" + "c0"
		sigh = "83a54572726f72da0024" + "7270633a2063616e27742066696e64206d6574686f64205374617475732e4e6f626f6479" +
			"a353657106ad536572766963654d6574686f64ad5374617475732e4e6f626f6479" + "80"
	)
	s := open(t, nil)
	for name, dial := range map[string]func() net.Conn{
		"plain":        func() net.Conn { return s.dial(t, byte(frame.RPC)) },
		"multiplex":    func() net.Conn { return s.stream(t, frame.Multiplex) },
		"multiplex_v2": func() net.Conn { return s.stream(t, frame.MultiplexV2) },
		"stream_with_first_byte": func() net.Conn {
			nc := s.stream(t, frame.MultiplexV2)
			write(t, nc, string(rune(frame.RPC)))
			return nc
		},
	} {
		t.Run(name, func(t *testing.T) {
			nc := dial()
			for _, x := range [][2]string{{ask, answer}, {bad, sigh}, {ask, answer}} {
				b, err := hex.DecodeString(x[0])
				if err != nil {
					t.Fatal(err)
				}
				write(t, nc, string(b))
				got := make([]byte, len(x[1])/2)
				if _, err := io.ReadFull(nc, got); err != nil {
					t.Fatalf("%v after %x", err, got)
				}
				if hex.EncodeToString(got) != x[1] {
					t.Errorf("asked   %s\ngot     %x\nwant    %s", x[0], got, x[1])
				}
			}
		})
	}
}

// TestConsulsClient calls with net/rpc and the codec that Consul has.
func TestConsulsClient(t *testing.T) {
	s := open(t, nil)
	for name, nc := range map[string]net.Conn{"plain": s.dial(t, byte(frame.RPC)), "multiplex_v2": s.stream(t, frame.MultiplexV2)} {
		t.Run(name, func(t *testing.T) {
			c := rpc.NewClientWithCodec(msgpackrpc.NewCodecFromHandle(true, true, nc, wire.Handle))
			defer nc.Close() // the codec's own Close races with its reads
			set := &wire.KVSRequest{Datacenter: "dc1", Op: wire.KVSet, DirEnt: wire.DirEntry{Key: name, Value: []byte("v")}}
			if err := c.Call("KVS.Apply", set, new(bool)); err != nil {
				t.Fatal(err)
			}
			var all sync.WaitGroup
			for range 20 { // on one stream, at the same time
				all.Go(func() {
					var reply wire.IndexedDirEntries
					err := c.Call("KVS.Get", &wire.KeyRequest{Datacenter: "dc1", Key: name}, &reply)
					if err != nil || len(reply.Entries) != 1 || string(reply.Entries[0].Value) != "v" {
						t.Errorf("read %+v, %v", reply, err)
					}
				})
			}
			all.Wait()
			if err := c.Call("KVS.Nothing", set, new(bool)); err == nil || err.Error() != "rpc: can't find method KVS.Nothing" {
				t.Errorf("a method that does not exist: %v", err)
			}
			if err := c.Call("KVS.Get", "text", new(bool)); err == nil || !strings.Contains(err.Error(), "malformed") {
				t.Errorf("arguments of another type: %v", err)
			}
		})
	}
}

func TestOwnMethods(t *testing.T) {
	s := open(t, nil)
	ctx, addr := t.Context(), s.addr()
	if err := s.pool.Ping(ctx, addr); err != nil {
		t.Errorf("ping: %v", err)
	}
	var leader string
	if err := s.pool.Call(ctx, addr, "Status.Leader", &wire.DCSpecificRequest{}, &leader); leader != "127.0.0.1:1" || err != nil {
		t.Errorf("leader %q, %v", leader, err)
	}
	if peers, err := s.pool.AskPeers(ctx, addr); !slices.Equal(peers, []string{"10.0.0.1:8300", "10.0.0.2:8300"}) || err != nil {
		t.Errorf("peers %v, %v", peers, err)
	}
	if got, err := s.pool.RaftStats(ctx, addr); err != nil || *got != (wire.RaftStats{LastContact: "0", LastTerm: 3, LastIndex: 42}) {
		t.Errorf("stats %+v, %v", got, err)
	}
	if err := s.pool.RemovePeer(ctx, addr, "b"); err != nil {
		t.Errorf("remove: %v", err)
	}
	if got := actortest.Next[*messages.RemovePeer](t, s.raft); got.ID != "b" {
		t.Errorf("removed %q, want b", got.ID)
	}
	if err := s.pool.RemovePeer(ctx, addr, ""); err == nil {
		t.Error("nobody was removed, and no error")
	}
	var set wire.RaftConfigurationResponse
	if err := s.pool.Call(ctx, addr, "Operator.RaftGetConfiguration", &wire.DCSpecificRequest{}, &set); err != nil || len(set.Servers) != 2 {
		t.Errorf("peer set %+v, %v", set, err)
	}
	s.follow("")
	if err := s.pool.RemovePeer(ctx, addr, "b"); err == nil || err.Error() != messages.ErrNotLeader.Error() {
		t.Errorf("remove, asked of a follower: %v", err)
	}
	if got, err := s.pool.RaftStats(ctx, addr); err == nil {
		t.Errorf("stats of a raft that has none: %+v", got)
	}
}

// TestElsewhere asks for what is of another datacenter.
func TestElsewhere(t *testing.T) {
	s := open(t, nil)
	other := openIn(t, "dc2", nil)
	other.lead("127.0.0.1:2")
	leader := func() (leader string, err error) {
		err = s.pool.Call(t.Context(), s.addr(), "Status.Leader", &wire.DCSpecificRequest{Datacenter: "dc2"}, &leader)
		return leader, err
	}
	if _, err := leader(); err == nil || err.Error() != invoke.ErrNoPath.Error() {
		t.Errorf("err = %v, want %v", err, invoke.ErrNoPath)
	}
	s.routes.Publish(&messages.Routes{Servers: map[string][]messages.Server{
		"dc2": {{Name: "o", Datacenter: "dc2", Addr: netip.MustParseAddrPort(other.addr())}},
	}})
	if got, err := leader(); got != "127.0.0.1:2" || err != nil {
		t.Errorf("leader %q, %v", got, err)
	}
}

// TestForward has a follower pass requests on to the leader, both of them over real
// sockets.
func TestForward(t *testing.T) {
	leader, follower := open(t, nil), open(t, nil)
	follower.follow(leader.addr())
	ctx := t.Context()
	if err := leader.put(ctx, follower.addr(), "v"); err != nil {
		t.Fatal(err)
	}
	if got, err := leader.get(ctx, follower.addr(), "k", wire.QueryOptions{}); got != "v" || err != nil {
		t.Errorf("read %q, %v through the follower", got, err)
	}
	if n := follower.store.View().LastIndex(); n != 0 {
		t.Errorf("the follower's own state is at %d", n)
	}
	// A query that waits, through both.
	var first wire.IndexedDirEntries
	args := &wire.KeyRequest{Datacenter: "dc1", Key: "k"}
	if err := leader.pool.Call(ctx, follower.addr(), "KVS.Get", args, &first); err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 1)
	go func() {
		v, err := leader.get(ctx, follower.addr(), "k", wire.QueryOptions{MinQueryIndex: first.Index})
		got <- v + errText(err)
	}()
	if err := leader.put(ctx, follower.addr(), "w"); err != nil {
		t.Fatal(err)
	}
	if v := within(t, got); v != "w" {
		t.Errorf("the query that waited has %q", v)
	}
}

func errText(err error) string {
	if err != nil {
		return err.Error()
	}
	return ""
}

// TestPanicIsOfOneRequest lets a method fail; the stream goes on.
func TestPanicIsOfOneRequest(t *testing.T) {
	s := open(t, func(cfg *Config) { cfg.Invoker = nil })
	nc := s.dial(t, byte(frame.RPC))
	r := reader(nc)
	write(t, nc, request(t, 1, "KVS.Get", &wire.KeyRequest{}))
	if got := answer(t, r, nil); got.Error != messages.ErrCrashed.Error() || got.Seq != 1 {
		t.Errorf("answer %+v", got)
	}
	s.await(t, "ERROR consul.rpc: a request failed")
	s.await(t, "DEBUG consul.rpc: the stack of a failure")
	write(t, nc, request(t, 2, "Status.Ping", struct{}{}))
	if got := answer(t, r, new(struct{})); got.Error != "" {
		t.Errorf("afterwards: %+v", got)
	}
}

// TestTooManyRequests sends more requests than are carried out at a time.
func TestTooManyRequests(t *testing.T) {
	s := open(t, nil)
	if err := s.put(t.Context(), s.addr(), "v"); err != nil {
		t.Fatal(err)
	}
	nc := s.dial(t, byte(frame.RPC))
	wait := wire.QueryOptions{MinQueryIndex: 1000}
	for i := range maxRequests {
		write(t, nc, request(t, uint64(i), "KVS.Get", &wire.KeyRequest{Datacenter: "dc1", Key: "k", QueryOptions: wait}))
	}
	write(t, nc, request(t, 1<<40, "Status.Ping", struct{}{}))
	if got := answer(t, reader(nc), nil); got.Seq != 1<<40 || got.Error != messages.ErrOverloaded.Error() {
		t.Errorf("answer %+v, want %v", got, messages.ErrOverloaded)
	}
}

// TestRequestsEndWithTheirConnection has requests wait for a raft that does not
// answer, while their askers go. Nothing else ends them: a drain would wait for ever.
func TestRequestsEndWithTheirConnection(t *testing.T) {
	s := open(t, nil)
	s.silent.Store(true)
	ask := request(t, 1, "KVS.Get", &wire.KeyRequest{Datacenter: "dc1", Key: "k"})
	plain, stream, mux := s.dial(t, byte(frame.RPC)), s.stream(t, frame.MultiplexV2), s.mux(t, frame.MultiplexV2)
	other, err := mux.Open()
	if err != nil {
		t.Fatal(err)
	}
	for _, nc := range []net.Conn{plain, stream, other} {
		write(t, nc, ask)
		actortest.Next[*messages.ConfirmLeader](t, s.raft)
	}
	_, _, _ = plain.Close(), stream.Close(), mux.Close()
	if done := s.drain(t, 1); done.Err != nil {
		t.Errorf("drain: %v", done.Err)
	}
}

// drain asks for a step and waits for its end.
func (s *stage) drain(t *testing.T, step messages.StepID) *messages.StepDone {
	t.Helper()
	leave := actortest.NewProbe(t, s.sys, fmt.Sprint("leave", step))
	s.sys.Root.RequestWithCustomSender(s.at.PID(), &messages.Drain{Step: step}, leave.PID())
	return actortest.Next[*messages.StepDone](t, leave)
}

// TestDrain answers a query that waits with what there is, and nothing new.
func TestDrain(t *testing.T) {
	s := open(t, nil)
	ctx, addr := t.Context(), s.addr()
	if err := s.put(ctx, addr, "v"); err != nil {
		t.Fatal(err)
	}
	idle := s.stream(t, frame.MultiplexV2)
	nc := s.dial(t, byte(frame.RPC))
	wait := wire.QueryOptions{MinQueryIndex: 1000}
	write(t, nc, request(t, 1, "KVS.Get", &wire.KeyRequest{Datacenter: "dc1", Key: "k", QueryOptions: wait}))
	write(t, nc, request(t, 2, "Status.Ping", struct{}{})) // once it is answered, the first is under way
	r := reader(nc)
	answer(t, r, new(struct{}))

	done := s.drain(t, 7)
	if done.Step != 7 || done.Err != nil || done.Note != "answered 1 request" {
		t.Errorf("drain: %+v", done)
	}
	var reply wire.IndexedDirEntries
	if got := answer(t, r, &reply); got.Seq != 1 || got.Error != "" || len(reply.Entries) != 1 {
		t.Errorf("the query that waited: %+v, %+v", got, reply)
	}
	write(t, idle, request(t, 1, "Status.Ping", struct{}{}))
	if got := answer(t, reader(idle), nil); got.Error != messages.ErrLeaving.Error() {
		t.Errorf("afterwards: %+v, want %v", got, messages.ErrLeaving)
	}
	if nc, err := net.Dial("tcp", addr); err == nil {
		_ = nc.Close()
		t.Error("new connections are accepted")
	}
	if done := s.drain(t, 8); done.Note != "no request was under way" {
		t.Errorf("another drain: %+v", done)
	}
}

// TestRestart lets the actor fail: it is at the same address again, and the pool
// finds it. Raft keeps its connection.
func TestRestart(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = free.Close()
	s := open(t, func(cfg *Config) { cfg.Addr = free.Addr().String() })
	if err := s.pool.Ping(t.Context(), s.addr()); err != nil {
		t.Fatal(err)
	}
	raft := s.dial(t, byte(frame.Raft))
	kept := actortest.Next[*messages.RaftConnAccepted](t, s.raft).Conn
	defer kept.Close()

	s.at.Tell(&fail{})
	actortest.AwaitReady(t, s.parent)
	for range 5 { // what was kept in the pool may have to fail first
		if err = s.pool.Ping(t.Context(), s.addr()); err == nil {
			break
		}
		var unsent *invoke.Unsent
		if !errors.As(err, &unsent) {
			t.Fatalf("err = %v, want one that lets ask again", err)
		}
	}
	if err != nil {
		t.Errorf("after the restart: %v", err)
	}
	write(t, raft, "x")
	var b [1]byte
	if _, err := io.ReadFull(kept, b[:]); err != nil || b[0] != 'x' {
		t.Errorf("raft has read %q, %v", b, err)
	}
}

// TestPortTaken is told in words, and after a moment.
func TestPortTaken(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	s := newStage(t, func(cfg *Config) { cfg.Addr = ln.Addr().String() })
	text := actortest.Next[*messages.StartFailed](t, s.parent).Err.Error()
	for _, want := range []string{ln.Addr().String(), "ports.server", "-bind", "address already in use"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q does not name %q", text, want)
		}
	}
}

// TestPortComesFree binds a port that is let go while the actor tries.
func TestPortComesFree(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := newStage(t, func(cfg *Config) { cfg.Addr = ln.Addr().String() })
	_ = ln.Close()
	actortest.AwaitReady(t, s.parent)
	if err := s.pool.Ping(t.Context(), s.addr()); err != nil {
		t.Error(err)
	}
}

func TestUnknownAddress(t *testing.T) {
	s := newStage(t, func(cfg *Config) { cfg.Addr = "192.0.2.1:8300" })
	if text := actortest.Next[*messages.StartFailed](t, s.parent).Err.Error(); !strings.Contains(text, "-bind") {
		t.Errorf("%q does not say what to do", text)
	}
}

// TestDeadLeader has a follower whose leader does not answer: the write was not
// sent, and is held until somebody leads.
func TestDeadLeader(t *testing.T) {
	s := open(t, nil)
	s.follow("127.0.0.1:1")
	got := make(chan error, 1)
	go func() { got <- s.put(t.Context(), s.addr(), "v") }()
	if failed := actortest.Next[*messages.ServerFailed](t, s.raft); failed.Address != "127.0.0.1:1" {
		t.Errorf("the server at %s is said to have failed", failed.Address)
	}
	s.lead(s.addr())
	if err := within(t, got); err != nil {
		t.Errorf("err = %v", err)
	}
}
