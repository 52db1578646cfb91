package rpcclient

import (
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/actor-consul/consul/messages/agentrpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// remote is one connection as an agent sees it.
type remote struct {
	t *testing.T
	net.Conn
	dec *agentrpc.Decoder
	enc *agentrpc.Encoder
}

// agent plays an agent that serves its connections one after the other, each with
// the next of serve, and returns its address. A connection is closed when its
// function returns. Unless raw, hands are shaken already.
func agent(t *testing.T, raw bool, serve ...func(*remote)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, one := range serve {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			_ = nc.SetDeadline(time.Now().Add(patience))
			r := &remote{t: t, Conn: nc, dec: agentrpc.NewDecoder(nc, agentrpc.MaxRequest), enc: agentrpc.NewEncoder(nc)}
			if !raw {
				r.reply(r.expect(agentrpc.Handshake, &agentrpc.HandshakeRequest{Version: 1}), "")
			}
			one(r)
			_ = nc.Close()
		}
	}()
	t.Cleanup(func() {
		_ = ln.Close()
		<-done
	})
	return ln.Addr().String()
}

// expect reads a request and compares its body, if it has one.
func (r *remote) expect(cmd agentrpc.Command, body any) uint64 {
	r.t.Helper()
	var h agentrpc.RequestHeader
	if err := r.dec.Decode(&h); err != nil || h.Command != cmd {
		r.t.Errorf("asked for %+v, %v; want %s", h, err, cmd)
	}
	if body != nil {
		got := reflect.New(reflect.TypeOf(body).Elem()).Interface()
		if err := r.dec.Decode(got); err != nil || !reflect.DeepEqual(got, body) {
			r.t.Errorf("%s came with %+v, %v; want %+v", cmd, got, err, body)
		}
	}
	return h.Seq
}

func (r *remote) reply(seq uint64, text string, body ...any) {
	r.t.Helper()
	if err := r.enc.Encode(append([]any{&agentrpc.ResponseHeader{Seq: seq, Error: text}}, body...)...); err != nil {
		r.t.Error(err)
	}
	if err := r.enc.Flush(); err != nil {
		r.t.Error(err)
	}
}

func connect(t *testing.T, addr string) *Client {
	t.Helper()
	c, err := Dial(addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// check compares an answer.
func check(t *testing.T, what string, got any, err error, want any, wantErr string) {
	t.Helper()
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != wantErr || (err == nil && !reflect.DeepEqual(got, want)) {
		t.Errorf("%s = %+v, %q; want %+v, %q", what, got, text, want, wantErr)
	}
}

func TestCommands(t *testing.T) {
	member := agentrpc.Member{Name: "n", Addr: net.IP{10, 0, 0, 1}, Port: 8301, Status: "alive", Tags: map[string]string{"role": "consul"}}
	keyring := agentrpc.KeyringResponse{Info: []agentrpc.KeyringInfo{{Datacenter: "dc1", Pool: "LAN", NumNodes: 1}}}
	stats := map[string]map[string]string{"agent": {"checks": "0"}}
	c := connect(t, agent(t, false, func(r *remote) {
		r.reply(r.expect(agentrpc.MembersLAN, nil), "", &agentrpc.MembersResponse{Members: []agentrpc.Member{member}})
		r.reply(r.expect(agentrpc.MembersWAN, nil), "", &agentrpc.MembersResponse{Members: []agentrpc.Member{}})
		r.reply(r.expect(agentrpc.Join, &agentrpc.JoinRequest{Existing: []string{"a"}, WAN: true}), "", &agentrpc.JoinResponse{Num: 1})
		r.reply(r.expect(agentrpc.Join, &agentrpc.JoinRequest{Existing: []string{"b"}}), "1 error", &agentrpc.JoinResponse{})
		r.reply(r.expect(agentrpc.ForceLeave, &agentrpc.ForceLeaveRequest{Node: "n", Prune: true}), "")
		r.reply(r.expect(agentrpc.ForceLeave, &agentrpc.ForceLeaveRequest{Node: "n"}), "no such node")
		r.reply(r.expect(agentrpc.Stats, nil), "", stats)
		r.reply(r.expect(agentrpc.Actors, nil), "", &agentrpc.ActorsResponse{Actors: []agentrpc.Actor{{Name: "raft"}}})
		r.reply(r.expect(agentrpc.ReloadReport, nil), "", &agentrpc.ReloadResponse{Unchanged: 3})
		r.reply(r.expect(agentrpc.ReloadReport, nil), "bad file", &agentrpc.ReloadResponse{})
		r.reply(r.expect(agentrpc.UseKey, &agentrpc.KeyringRequest{Key: "k", RelayFactor: 2}), "", &keyring)
		r.reply(r.expect(agentrpc.ListKeys, &agentrpc.KeyringRequest{}), "not a server", &agentrpc.KeyringResponse{})
	}))

	members, err := c.Members(false)
	check(t, "Members", members, err, []agentrpc.Member{member}, "")
	members, err = c.Members(true)
	check(t, "Members of the WAN", members, err, []agentrpc.Member{}, "")
	n, err := c.Join([]string{"a"}, true)
	check(t, "Join", n, err, 1, "")
	n, err = c.Join([]string{"b"}, false)
	check(t, "Join of nobody", n, err, 0, "1 error")
	check(t, "ForceLeave", nil, c.ForceLeave("n", true), nil, "")
	check(t, "ForceLeave of nobody", nil, c.ForceLeave("n", false), nil, "no such node")
	gotStats, err := c.Stats()
	check(t, "Stats", gotStats, err, stats, "")
	actors, err := c.Actors()
	check(t, "Actors", actors, err, []agentrpc.Actor{{Name: "raft"}}, "")
	report, err := c.Reload()
	check(t, "Reload", report, err, &agentrpc.ReloadResponse{Unchanged: 3}, "")
	report, err = c.Reload()
	check(t, "Reload of a bad file", report, err, nil, "bad file")
	keys, err := c.Keyring(agentrpc.UseKey, "k", 2, "token")
	check(t, "Keyring", keys, err, &keyring, "")
	keys, err = c.Keyring(agentrpc.ListKeys, "", 0, "")
	check(t, "Keyring of a client", keys, err, nil, "not a server")
	_, err = c.Stats()
	check(t, "Stats after the end", nil, err, nil, ErrClosed.Error())
}

// TestOldAgent speaks to an agent of Consul, which ends the connection after a
// command that it does not know.
func TestOldAgent(t *testing.T) {
	unknown := func(cmd agentrpc.Command, body any) func(*remote) {
		return func(r *remote) { r.reply(r.expect(cmd, body), agentrpc.UnsupportedCommand) }
	}
	known := func(cmd agentrpc.Command) func(*remote) {
		return func(r *remote) { r.reply(r.expect(cmd, nil), "") }
	}
	t.Run("reload", func(t *testing.T) {
		c := connect(t, agent(t, false, unknown(agentrpc.ReloadReport, nil), known(agentrpc.Reload)))
		report, err := c.Reload()
		check(t, "Reload", report, err, (*agentrpc.ReloadResponse)(nil), "")
	})
	t.Run("leave", func(t *testing.T) {
		c := connect(t, agent(t, false, unknown(agentrpc.LeaveProgress, &agentrpc.LeaveRequest{}), known(agentrpc.Leave)))
		check(t, "Leave", nil, c.Leave(false, nil), nil, "")
	})
	t.Run("actors", func(t *testing.T) {
		c := connect(t, agent(t, false, unknown(agentrpc.Actors, nil)))
		if _, err := c.Actors(); !errors.Is(err, ErrUnsupported) {
			t.Errorf("err = %v, want %v", err, ErrUnsupported)
		}
	})
	t.Run("list_keys_answered_twice", func(t *testing.T) {
		c := connect(t, agent(t, false, func(r *remote) {
			seq := r.expect(agentrpc.ListKeys, &agentrpc.KeyringRequest{})
			r.reply(seq, "", &agentrpc.KeyringResponse{})
			r.reply(seq, "", &agentrpc.KeyringResponse{})
			r.reply(r.expect(agentrpc.Stats, nil), "", map[string]map[string]string{"agent": {}})
		}))
		_, err := c.Keyring(agentrpc.ListKeys, "", 0, "")
		check(t, "Keyring", nil, err, nil, "")
		stats, err := c.Stats()
		check(t, "Stats", stats, err, map[string]map[string]string{"agent": {}}, "")
	})
}

func TestLeave(t *testing.T) {
	steps := []agentrpc.LeaveRecord{
		{Step: "withdraw", Owner: "local", Budget: time.Second},
		{Step: "withdraw", Owner: "local", Done: true, Note: "1 service", Took: time.Millisecond},
	}
	begin := func(r *remote) uint64 {
		seq := r.expect(agentrpc.LeaveProgress, &agentrpc.LeaveRequest{Force: true})
		r.reply(seq, "")
		for _, s := range steps {
			r.reply(seq, "", &s)
		}
		return seq
	}
	tests := []struct {
		name    string
		serve   func(*remote)
		told    []agentrpc.LeaveRecord
		wantErr string
	}{
		{"to_the_end", func(r *remote) { r.reply(begin(r), "", &agentrpc.LeaveRecord{End: true}) }, steps, ""},
		{"cut_off", func(r *remote) { begin(r) }, steps, "the agent was leaving: " + ErrClosed.Error()},
		{"refused", func(r *remote) {
			r.reply(r.expect(agentrpc.LeaveProgress, &agentrpc.LeaveRequest{Force: true}), "the quorum would be lost")
		}, nil, "the quorum would be lost"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := connect(t, agent(t, false, tt.serve))
			var told []agentrpc.LeaveRecord
			err := c.Leave(true, func(r agentrpc.LeaveRecord) { told = append(told, r) })
			check(t, "Leave", nil, err, nil, tt.wantErr)
			if !reflect.DeepEqual(told, tt.told) {
				t.Errorf("told %+v, want %+v", told, tt.told)
			}
		})
	}
}

func TestMonitor(t *testing.T) {
	serve := func(end func(*remote)) func(*remote) {
		return func(r *remote) {
			seq := r.expect(agentrpc.Monitor, &agentrpc.MonitorRequest{LogLevel: "debug", JSON: true})
			r.reply(seq, "")
			r.reply(seq, "", &agentrpc.LogRecord{Log: "a"})
			r.reply(seq, "", &agentrpc.LogRecord{Log: "b"})
			end(r)
		}
	}
	untilClosed := func(r *remote) { _, _ = io.Copy(io.Discard, r) }
	t.Run("until_stopped", func(t *testing.T) {
		c := connect(t, agent(t, false, serve(untilClosed)))
		ctx, stop := context.WithCancel(t.Context())
		var got []string
		err := c.Monitor(ctx, "debug", true, func(l string) {
			if got = append(got, l); len(got) == 2 {
				stop()
			}
		})
		check(t, "Monitor", got, err, []string{"a", "b"}, "")
	})
	t.Run("until_the_agent_ends", func(t *testing.T) {
		c := connect(t, agent(t, false, serve(func(*remote) {})))
		check(t, "Monitor", nil, c.Monitor(t.Context(), "debug", true, func(string) {}), nil, ErrClosed.Error())
	})
	t.Run("refused", func(t *testing.T) {
		c := connect(t, agent(t, false, func(r *remote) {
			r.reply(r.expect(agentrpc.Monitor, &agentrpc.MonitorRequest{LogLevel: "loud"}), "Unknown log level: LOUD")
		}))
		check(t, "Monitor", nil, c.Monitor(t.Context(), "loud", false, func(string) {}), nil, "Unknown log level: LOUD")
	})
}

func TestDial(t *testing.T) {
	free, err := net.Listen("tcp", "127.84.0.2:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = free.Close()
	silent := func(r *remote) { _, _ = io.Copy(io.Discard, r) }
	shout := func(text string) func(*remote) {
		return func(r *remote) {
			_, _ = io.WriteString(r, text)
			silent(r)
		}
	}
	tests := []struct {
		name    string
		addr    string
		timeout time.Duration
		want    string // %s is the address
	}{
		{"nobody", free.Addr().String(), patience, "nothing listens at %s: is the agent running there?; for another address use -rpc-addr or CONSUL_RPC_ADDR ("},
		{"no_socket", filepath.Join(t.TempDir(), "no.sock"), patience, "nothing listens at %s: is the agent running there?"},
		{"no_port", "127.0.0.1", patience, "\"%s\" is no address: write host:port, such as 127.0.0.1:8400 ("},
		{"http", agent(t, true, shout("HTTP/1.1 400 Bad Request\r\n\r\n")), patience, "%s does not speak the agent's RPC: it is the port"},
		{"closes_at_once", agent(t, true, func(*remote) {}), patience, "%s does not speak the agent's RPC: "},
		{"silent", agent(t, true, silent), 10 * time.Millisecond, "%s took the connection and said nothing in time: "},
		{"another_version", agent(t, true, func(r *remote) {
			r.reply(r.expect(agentrpc.Handshake, &agentrpc.HandshakeRequest{Version: 1}), agentrpc.UnsupportedVersion)
		}), patience, "the agent at %s refused the handshake: Unsupported RPC version"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Dial(tt.addr, tt.timeout)
			if err == nil {
				_ = c.Close()
				t.Fatal("connected")
			}
			if want := strings.ReplaceAll(tt.want, "%s", tt.addr); !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%q, want %q...", err, want)
			}
		})
	}
}
