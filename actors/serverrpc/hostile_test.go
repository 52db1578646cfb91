package serverrpc

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/hashicorp/consul/api"
	"go.uber.org/zap"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/actors/catalog/state"
	"github.com/actor-consul/consul/actors/invoke"
	"github.com/actor-consul/consul/actors/serverrpc/frame"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

func within[T any](t *testing.T, ch <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-ch:
	case <-time.After(patience):
		t.Fatal("nothing came")
	}
	return v
}

// TestFirstByte sends every first byte there is, twice.
func TestFirstByte(t *testing.T) {
	const tls, other = "wants TLS, which is not configured here", "for something else than this server has"
	for _, tt := range []struct {
		name string
		kind frame.Kind
		says string
	}{
		{"tls", frame.TLS, tls},
		{"gossip", frame.Gossip, other + " kind=WAN gossip"},
		{"tls_insecure", frame.TLSInsecure, tls},
		{"raft_forwarding", frame.RaftForwarding, other + " kind=raft forwarding"},
		{"native_tls", frame.NativeTLS, tls},
		{"http", 'G', other + " kind=0x47"},
		{"unknown", 0xff, other + " kind=0xff"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t, nil)
			for range 2 {
				nc := s.dial(t, byte(tt.kind))
				closed(t, nc)
			}
			lines := s.lines()
			if n := count(lines, tt.says); n != 1 || len(lines) != 1 || !strings.Contains(lines[0], "from=127.0.0.1:") {
				t.Errorf("logged %q, want one line that says %q and from whom", lines, tt.says)
			}
		})
	}
}

// TestRaft gets what comes after the first byte, all of it.
func TestRaft(t *testing.T) {
	s := open(t, nil)
	nc := s.dial(t, byte(frame.Raft), 'a', 'b')
	conn := actortest.Next[*messages.RaftConnAccepted](t, s.raft).Conn
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	write(t, nc, "c")
	got := make([]byte, 3)
	if _, err := io.ReadFull(conn, got); string(got) != "abc" || err != nil {
		t.Errorf("raft reads %q, %v", got, err)
	}
	write(t, conn, "d")
	if _, err := io.ReadFull(nc, got[:1]); got[0] != 'd' || err != nil {
		t.Errorf("raft writes %q, %v", got[:1], err)
	}
}

// TestNoRaft has nobody to give a connection to.
func TestNoRaft(t *testing.T) {
	sys := actortest.System(t)
	s := open(t, func(cfg *Config) { cfg.Raft = ask.At(sys, sys.NewLocalPID("nobody")) })
	closed(t, s.dial(t, byte(frame.Raft)))
}

// TestSlow says nothing, or not enough, and is closed.
func TestSlow(t *testing.T) {
	s := open(t, func(cfg *Config) { cfg.HandshakeTimeout = 10 * time.Millisecond })
	closed(t, s.dial(t))
	closed(t, s.dial(t))
	if lines := s.lines(); len(lines) != 1 || !strings.Contains(lines[0], "did not say in time") {
		t.Errorf("logged %q", lines)
	}
	// Who has said what he wants has time.
	nc := s.dial(t, byte(frame.RPC))
	r := reader(nc)
	for range 3 {
		write(t, nc, request(t, 1, "Status.Ping", struct{}{}))
		answer(t, r, new(struct{}))
	}
}

// TestConnsPerClient counts the connections of an address, raft's as well.
func TestConnsPerClient(t *testing.T) {
	s := open(t, func(cfg *Config) { cfg.MaxConnsPerClient = 2 })
	first := s.dial(t, byte(frame.RPC))
	_ = s.dial(t, byte(frame.Raft))
	raft := actortest.Next[*messages.RaftConnAccepted](t, s.raft).Conn
	closed(t, s.dial(t))
	closed(t, s.dial(t))
	if n := count(s.lines(), "limits.rpc_max_conns_per_client"); n != 1 {
		t.Errorf("logged %d times, want once", n)
	}
	write(t, first, request(t, 1, "Status.Ping", struct{}{}))
	answer(t, reader(first), new(struct{}))
	_ = raft.Close()
	nc := s.dial(t, byte(frame.RPC))
	write(t, nc, request(t, 1, "Status.Ping", struct{}{}))
	answer(t, reader(nc), new(struct{}))
}

// TestGarbage sends what is no request. It is said once per peer, and others go on.
func TestGarbage(t *testing.T) {
	deep := strings.Repeat("\x91", 3000) + "\xc0"
	head := "\x82\xa3Seq\x01\xadServiceMethod\xabStatus.Ping"
	for _, tt := range []struct {
		name, text string
	}{
		{"http", "GET / HTTP/1.1\r\n\r\n"},
		{"no_msgpack", "\xc1"},
		{"no_map", "\x91\x01"},
		{"long_name", "\x81\xadServiceMethod\xdb\x00\x10\x00\x00"},
		{"long_arguments", head + "\xdb\x7f\xff\xff\xff"},
		{"many_arguments", head + "\xdd\xff\xff\xff\xff"},
		{"wrong_header", "\x81\xa3Seq\xa1x"},
		{"random_frames", "\x00\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t, nil)
			if err := s.pool.Ping(t.Context(), s.addr()); err != nil {
				t.Fatal(err)
			}
			for range 3 {
				nc := s.dial(t, append([]byte{byte(frame.RPC)}, tt.text...)...)
				closed(t, nc)
				nc = s.dial(t, append([]byte{byte(frame.MultiplexV2)}, tt.text+strings.Repeat("\xff", 12)...)...)
				for n, err := 1, error(nil); err == nil && n > 0; { // it may say goodbye
					n, err = nc.Read(make([]byte, 100))
				}
				nc = s.stream(t, frame.MultiplexV2)
				write(t, nc, tt.text)
				closed(t, nc)
			}
			if err := s.pool.Ping(t.Context(), s.addr()); err != nil {
				t.Errorf("somebody else's connection: %v", err)
			}
			lines := s.lines()
			for _, text := range []string{"no request could be read", "closed a stream for something else", "closed a multiplexed connection"} {
				if n := count(lines, text); n > 1 {
					t.Errorf("%q is logged %d times", text, n)
				}
			}
		})
	}
	t.Run("arguments_in_arguments", func(t *testing.T) {
		s := open(t, nil)
		nc := s.dial(t, append([]byte{byte(frame.RPC)}, "\x82\xa3Seq\x01\xadServiceMethod\xa7KVS.Get"+deep...)...)
		if got := answer(t, reader(nc), nil); !strings.Contains(got.Error, "malformed") {
			t.Errorf("answer %+v", got)
		}
	})
}

// TestManyStreams opens more streams than a connection may have.
func TestManyStreams(t *testing.T) {
	s := open(t, nil)
	session := s.mux(t, frame.MultiplexV2)
	var streams []net.Conn
	for range maxStreams {
		nc, err := session.Open()
		if err != nil {
			t.Fatal(err)
		}
		streams = append(streams, nc)
	}
	one, err := session.Open()
	if err != nil {
		t.Fatal(err)
	}
	closed(t, one)
	s.await(t, "closed a stream: its connection has too many")
	last := streams[len(streams)-1]
	write(t, last, request(t, 1, "Status.Ping", struct{}{}))
	answer(t, reader(last), new(struct{}))
}

// FuzzConn sends anything at all; afterwards the server is as good as before.
func FuzzConn(f *testing.F) {
	ping := request(f, 1, "Status.Ping", struct{}{})
	get := request(f, 2, "KVS.Get", &wire.KeyRequest{Key: "k"})
	for _, seed := range []string{
		"", "\x00", "\x00" + ping, "\x00" + ping + get, "\x00\xc1", "\x00" + ping[:10], "\x03\x16\x03\x01",
		"\x04", "\x04\x00\x01\x00\x01\x00\x00\x00\x01\x00\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00" + string(rune(len(ping))) + ping,
		"\x04\x00\x00\x00\x01\x00\x00\x00\x01\xff\xff\xff\xff", "\x05\x81\xa2Op\x00", "\x05\x82\xa2Op\x01\xaaDatacenter\xa3dc1archive", "\x05\x98\x5c\x5b\xc9\xc9\x6f\x00\x00\xff", "\x02\x01", "GET / HTTP/1.0\r\n\r\n", "\x16\x03\x01\x02\x00",
	} {
		f.Add([]byte(seed))
	}
	store := state.NewStore()
	status := new(messages.Published[messages.RaftStatus])
	s := newServer(Config{
		Logger: zap.NewNop(), Status: status, Datacenter: "dc1", MaxConnsPerClient: 10, MaxRequest: 1 << 16, HandshakeTimeout: patience, Security: insecure{},
		Invoker: invoke.New(invoke.Config{Datacenter: "dc1", View: store.View, Status: status, Hold: time.Millisecond}),
	}, zap.NewNop())
	f.Cleanup(s.close)
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 0 && (b[0] == byte(frame.Raft) || b[0] == byte(frame.GRPC)) {
			return // raft's; and net/http's, which takes a second to part from who makes no sense
		}
		here, there := net.Pipe()
		served, said := make(chan bool), make(chan bool)
		go func() { s.serve(there); close(served) }()
		go func() { _, _ = io.Copy(io.Discard, here); close(said) }()
		_ = here.SetWriteDeadline(time.Now().Add(patience))
		_, _ = here.Write(b)
		_ = here.Close()
		<-served
		<-said
	})
}

// FuzzMethods gives each method arguments of any kind. It answers or says what is
// wrong, the same to the same, and takes no more than RequestLimits lets it.
func FuzzMethods(f *testing.F) {
	store := state.NewStore()
	status := new(messages.Published[messages.RaftStatus])
	status.Publish(&messages.RaftStatus{State: messages.Leader, Ready: true, LeaderID: "me", LeaderAddr: "127.0.0.1:1"})
	sys := actortest.System(f)
	leads := actortest.NewProbeFunc(f, sys, "raft", func(ctx actor.Context) bool {
		switch msg := ctx.Message().(type) {
		case *messages.ConfirmLeader:
			msg.Answer(messages.ReadIndex{Index: 2})
		case interface{ Refuse(error) }: // what would change something
			msg.Refuse(messages.ErrUnavailable)
		}
		return true
	}).Address(sys)
	cfg := Config{
		Logger: zap.NewNop(), Status: status, Datacenter: "dc1", Raft: leads,
		Invoker: invoke.New(invoke.Config{Datacenter: "dc1", View: store.View, Status: status, Raft: leads, Hold: time.Millisecond}),
	}
	err := store.Update(2, time.Now(), func(tx *state.Tx) error {
		tx.KVSSet(&wire.DirEntry{Key: "a/b", Value: []byte("v")})
		return tx.EnsureRegistration(&wire.RegisterRequest{
			Node: "n", Address: "10.0.0.1", NodeMeta: map[string]string{"k": "v"}, Service: &wire.NodeService{ID: "w", Service: "web", Tags: []string{"x"}, Port: 80},
			Checks: wire.HealthChecks{{Node: "n", CheckID: "c", ServiceID: "w", Status: wire.HealthPassing}},
		})
	})
	if err != nil {
		f.Fatal(err)
	}
	all := methods(cfg)
	names := slices.Sorted(maps.Keys(all))
	for i, name := range names {
		args := all[name].newArgs()
		fill(reflect.ValueOf(args).Elem(), 4)
		if c, ok := args.(*wire.ConfigEntryRequest); ok {
			c.Entry = &api.ServiceConfigEntry{Kind: api.ServiceDefaults, Name: "web"}
		}
		var body bytes.Buffer
		if err := wire.NewEncoder(&body).Encode(args); err != nil {
			f.Fatal(name, err)
		}
		f.Add(uint16(i), body.Bytes())
	}
	f.Fuzz(func(t *testing.T, which uint16, body []byte) {
		m := all[names[int(which)%len(names)]]
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		carry := func() (text string, err error) {
			in := frame.NewReader(bytes.NewReader(body), frame.RequestLimits(1<<16))
			one, err := in.Body()
			if err != nil {
				return "", err
			}
			args, reply := m.newArgs(), m.newReply()
			if err := in.Decode(one, args); err != nil {
				return "", err
			}
			if err := m.run(ctx, args, reply); err != nil {
				return "", err
			}
			answer, err := frame.Marshal(&frame.Response{ServiceMethod: m.name}, reply)
			if err != nil {
				t.Errorf("the reply of %s to %x cannot be encoded: %v", m.name, body, err)
			}
			return string(answer), nil
		}
		before := store.View().LastIndex()
		var once string
		var err error
		if n := actortest.Allocated(func() { once, err = carry() }); n > 16<<20+60*uint64(len(body)) {
			t.Errorf("%s allocates %d bytes for %d", m.name, n, len(body))
		}
		if errors.Is(err, messages.ErrCrashed) || store.View().LastIndex() != before {
			t.Errorf("%s with %x: %v, at index %d, before %d", m.name, body, err, store.View().LastIndex(), before)
		}
		if again, errAgain := carry(); ctx.Err() == nil && ((err == nil) != (errAgain == nil) || len(again) != len(once)) {
			t.Errorf("%s with %x is answered %q, %v, and then %q, %v", m.name, body, once, err, again, errAgain)
		}
	})
}

// fill sets everything in v, so that its encoding has all that there is, to so many
// levels.
func fill(v reflect.Value, levels int) {
	if levels == 0 || !v.CanSet() {
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; name != "MinQueryIndex" && name != "RequireConsistent" { // nobody waits
				fill(v.Field(i), levels-1)
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), levels)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), levels)
	case reflect.String:
		v.SetString("n")
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	case reflect.Bool:
		v.SetBool(true)
	}
}
