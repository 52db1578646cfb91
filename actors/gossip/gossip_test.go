package gossip

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/messages"
)

func TestJoinAndLeave(t *testing.T) {
	a, b := start(t, config("a")), start(t, config("b"))
	a.hears(t, messages.Joined, "a")
	if !a.log.has("[INFO] serf: EventMemberJoin: a 127.0.0.1") {
		t.Errorf("the log has no line of Serf's about the join: %s", a.log.buf.String())
	}
	b.join(t, a)
	if b.status("a") != messages.MemberAlive {
		t.Errorf("the join was answered before the view had it")
	}
	a.hears(t, messages.Joined, "b")
	b.hears(t, messages.Joined, "a")

	if note := b.leaves(t); note != "told 1 peer" {
		t.Errorf("note = %q", note)
	}
	a.hears(t, messages.Left, "b")
	if a.status("b") != messages.MemberLeft || b.status("b") != messages.MemberLeft {
		t.Errorf("b is %s at a and %s at itself, want left", a.status("b"), b.status("b"))
	}
	if _, err := do(t, b, &messages.JoinPool{Addresses: []string{a.at()}}); !errors.Is(err, messages.ErrLeaving) {
		t.Errorf("a join after the goodbye: err = %v, want %v", err, messages.ErrLeaving)
	}
	if note := a.leaves(t); note != "nobody else is in the pool" {
		t.Errorf("note = %q", note)
	}
	if note := a.leaves(t); note != "nobody else is in the pool" {
		t.Errorf("note = %q the second time", note)
	}
}

func TestGoodbyeInTime(t *testing.T) {
	cfg := config("b")
	cfg.Gossip.GossipInterval = time.Hour // nothing gets out
	a, b := start(t, config("a")), start(t, cfg)
	b.join(t, a)
	leave := actortest.NewProbe(t, b.sys, "leave")
	for step := range 2 {
		b.sys.Root.RequestWithCustomSender(b.addr.PID(), &messages.LeavePool{Step: messages.StepID(step), Budget: time.Millisecond}, leave.PID())
	}
	for step := range 2 {
		done := actortest.Next[*messages.StepDone](t, leave)
		if int(done.Step) != step || done.Err == nil {
			t.Errorf("done: %+v, want step %d with the reason", done, step)
		}
	}
}

func TestGoodbyeIsForGood(t *testing.T) {
	a := start(t, config("a"))
	a.leaves(t)
	a.fail(t)
	if _, err := do(t, a, &messages.FireUserEvent{Name: "x"}); !errors.Is(err, messages.ErrLeaving) {
		t.Errorf("err = %v, want %v: it came back after a failure", err, messages.ErrLeaving)
	}
}

func TestFailure(t *testing.T) {
	a, b := start(t, config("a")), start(t, config("b"))
	b.join(t, a)
	a.hears(t, messages.Joined, "b")
	b.kill(t)
	a.hears(t, messages.Failed, "b")
	if a.status("b") != messages.MemberFailed {
		t.Errorf("b is %s in the view, want failed", a.status("b"))
	}

	_, err := do(t, a, &messages.ForceLeave{Node: "x"})
	if err == nil || err.Error() != "agent: No node found with name 'x'" {
		t.Errorf("err = %v", err)
	}
	if _, err := do(t, a, &messages.ForceLeave{Node: "b"}); err != nil || a.status("b") != messages.MemberLeft {
		t.Errorf("err = %v, b is %s; want left", err, a.status("b"))
	}
	a.hears(t, messages.Left, "b")
	if _, err := do(t, a, &messages.ForceLeave{Node: "b", Prune: true}); err != nil {
		t.Error(err)
	}
	a.hears(t, messages.Reaped, "b")
	if _, known := a.view.Load().Member("b"); known {
		t.Error("b is in the view after it was pruned")
	}
}

func TestTagsReachThePool(t *testing.T) {
	a, b := start(t, config("a")), start(t, config("b"))
	b.join(t, a)
	b.addr.Tell(&messages.SetTags{Set: map[string]string{"long": strings.Repeat("x", 600)}}) // no effect
	b.addr.Tell(&messages.SetTags{Set: map[string]string{"bootstrap": "1", "vsn": "2"}})
	b.addr.Tell(&messages.SetTags{Delete: []string{"vsn"}})
	for {
		a.hears(t, messages.Updated, "b")
		m, _ := a.view.Load().Member("b")
		if _, there := m.Tags["vsn"]; there {
			continue // told of the first change only
		}
		if m.Tags["bootstrap"] != "1" || m.Tags["long"] != "" || m.Tags["id"] != "id-b" {
			t.Errorf("the tags of b are %v", m.Tags)
		}
		return
	}
}

func TestRestartKeepsTheIdentity(t *testing.T) {
	for _, dir := range []string{"", t.TempDir()} {
		t.Run(fmt.Sprintf("data_dir_%t", dir != ""), func(t *testing.T) {
			cfg := config("b")
			cfg.DataDir = dir
			a, b, c := start(t, config("a")), start(t, cfg), start(t, config("c"))
			b.join(t, a)
			c.join(t, a)
			b.hears(t, messages.Joined, "c")
			b.addr.Tell(&messages.SetTags{Set: map[string]string{"bootstrap": "1"}})
			a.hears(t, messages.Updated, "b")
			c.kill(t)
			b.hears(t, messages.Failed, "c")
			b.news.Messages()
			before := b.at()

			b.fail(t)
			if b.at() != before {
				t.Errorf("b is at %s after the restart, was at %s", b.at(), before)
			}
			if b.status("a") != messages.MemberAlive || b.status("c") != messages.MemberFailed {
				t.Errorf("after the restart, a is %s and c is %s; want alive and failed", b.status("a"), b.status("c"))
			}
			b.news.Messages()
			a.addr.Tell(&messages.SetTags{Set: map[string]string{"x": "1"}})
			b.hears(t, messages.Updated, "a") // so it is in the pool again
			a.leaves(t)
			b.hears(t, messages.Left, "a")
			if m, _ := a.view.Load().Member("b"); m.Tags["bootstrap"] != "1" {
				t.Errorf("the tags of b after the restart are %v", m.Tags)
			}
		})
	}
}

func TestRestartForgetsInTheEnd(t *testing.T) {
	cfg := config("b")
	cfg.ReconnectTimeout = time.Millisecond
	a, b := start(t, config("a")), start(t, cfg)
	b.join(t, a)
	a.kill(t)
	b.hears(t, messages.Failed, "a")
	b.fail(t)
	b.hears(t, messages.Reaped, "a")
}

func TestNewProcessRejoins(t *testing.T) {
	cfg := config("b")
	cfg.DataDir = t.TempDir()
	a, b := start(t, config("a")), start(t, cfg)
	b.join(t, a)
	a.hears(t, messages.Joined, "b")
	cfg.Bind = netip.MustParseAddrPort(b.at())
	b.kill(t)
	if s := read(t, filepath.Join(cfg.DataDir, "serf", "local.snapshot")); !strings.Contains(s, "alive: a "+a.at()) {
		t.Fatalf("the snapshot has no line for a:\n%s", s)
	}
	b = start(t, cfg)
	b.hears(t, messages.Joined, "a")
}

func TestDamagedSnapshot(t *testing.T) {
	cfg := config("a")
	cfg.DataDir = t.TempDir()
	path := cfg.file("snapshot")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, path, "\x00\x01\x02\nclock: 41\n")
	a := start(t, cfg)
	if got := a.view.Load().Stats["member_time"]; got != "42" {
		t.Errorf("the clock is at %s, want it to go on from the readable line", got)
	}
	if read(t, path+".damaged") == "" {
		t.Error("the damaged file was not kept")
	}
}

func TestKeyRotation(t *testing.T) {
	const first, second = "MDEyMzQ1Njc4OWFiY2RlZg==", "ZmVkY2JhOTg3NjU0MzIxMA=="
	cfg := config("a")
	cfg.EncryptKey, cfg.DataDir = first, t.TempDir()
	cfg.Gossip.GossipInterval = 200 * time.Millisecond // members have 16 times that to answer
	a := start(t, cfg)
	keyring := cfg.file("keyring")
	cfg = config("b")
	cfg.EncryptKey = first
	b := start(t, cfg)
	b.join(t, a)
	a.hears(t, messages.Joined, "b")
	if !a.view.Load().Encrypted {
		t.Error("the view says that gossip is in the clear")
	}
	change := func(verb messages.KeyringVerb, key string) messages.KeyringChanged {
		t.Helper()
		got, err := do(t, a, &messages.ChangeKeyring{Verb: verb, Key: key})
		if err != nil || got.NumNodes != 2 || got.NumResp != 2 {
			t.Fatalf("%s: %+v, %v; want both members to answer", verb, got, err)
		}
		return got
	}
	change(messages.InstallKey, second)
	if got := change(messages.ListKeys, ""); got.Keys[first] != 2 || got.Keys[second] != 2 || got.PrimaryKeys[first] != 2 {
		t.Errorf("keys %v, primary %v; want both keys on both members", got.Keys, got.PrimaryKeys)
	}
	change(messages.UseKey, second)
	change(messages.RemoveKey, first)
	if got := change(messages.ListKeys, ""); len(got.Keys) != 1 || got.PrimaryKeys[second] != 2 || len(got.PrimaryKeys) != 1 {
		t.Errorf("keys %v, primary %v; want the second key alone", got.Keys, got.PrimaryKeys)
	}
	if file := read(t, keyring); !strings.Contains(file, second) || strings.Contains(file, first) {
		t.Errorf("the keyring file of a is %s, want the second key alone", file)
	}
	b.fail(t) // it has no keyring file, and must have the second key still
	if got := change(messages.ListKeys, ""); got.PrimaryKeys[second] != 2 {
		t.Errorf("primary keys after the restart of b: %v", got.PrimaryKeys)
	}

	resp, err := do(t, a, &messages.ChangeKeyring{Verb: messages.RemoveKey, Key: second})
	if err == nil || resp.NumErr != 2 || !strings.Contains(resp.Messages["b"], "primary key") {
		t.Errorf("removing the primary key: %+v, %v; want the reason of both members", resp, err)
	}
	if _, err := do(t, a, &messages.ChangeKeyring{Verb: messages.InstallKey, Key: "x"}); err == nil {
		t.Error("a bad key was taken")
	}
	if _, err := do(t, a, &messages.ChangeKeyring{Verb: "burn", Key: first}); err == nil {
		t.Error("an unknown verb was taken")
	}
	c := start(t, config("c")) // in the clear
	if _, err := do(t, c, &messages.JoinPool{Addresses: []string{a.at()}}); err == nil {
		t.Error("an agent without the key has joined")
	}
}

func TestUserEvents(t *testing.T) {
	a, b := start(t, config("a")), start(t, config("b"))
	b.join(t, a)
	if _, err := do(t, b, &messages.FireUserEvent{Name: "deploy", Payload: []byte("v2")}); err != nil {
		t.Fatal(err)
	}
	for _, at := range []*agent{a, b} {
		e := actortest.Next[*messages.UserEventReceived](t, at.news)
		if e.Name != "deploy" || string(e.Payload) != "v2" || e.LTime == 0 {
			t.Errorf("received %+v", e)
		}
	}
	_, err := do(t, b, &messages.FireUserEvent{Name: "big", Payload: make([]byte, 600)})
	if err == nil || err.Error() != `user event "big" is 603 bytes long with its payload, the limit is 512` {
		t.Errorf("err = %v", err)
	}
}

func TestRefusedNewcomers(t *testing.T) {
	a, b := start(t, config("a")), start(t, config("b"))
	b.join(t, a)
	sameName := config("b")
	sameName.NodeID, sameName.Tags["id"] = "id-x", "id-x"
	sameID := config("x")
	sameID.NodeID, sameID.Tags["id"] = "id-b", "id-b"
	otherDC := config("y")
	otherDC.Datacenter, otherDC.Tags["dc"] = "dc2", "dc2"
	tests := []struct {
		name string
		cfg  Config
		want []string
	}{
		{"same_name", sameName, []string{`node name "b"`, `held by agent "b" (ID id-b, ` + b.at(), `claimed by this agent, "b" (ID id-x, 127.0.0.1:`}},
		{"same_id", sameID, []string{"node ID id-b", `held by agent "b"`, `claimed by this agent, "x"`}},
		{"other_datacenter", otherDC, []string{`"dc1"`, `"dc2"`, "-join-wan"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := start(t, tt.cfg)
			n, err := do(t, c, &messages.JoinPool{Addresses: []string{a.at()}})
			if n != 0 || err == nil || strings.Contains(err.Error(), "\n") {
				t.Fatalf("joined %d, err %v; want it refused in one line", n, err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("err = %v, want it to say %s", err, want)
				}
			}
			if len(a.view.Load().Members) != 2 {
				t.Errorf("a has the members %v", a.view.Load().Members)
			}
		})
	}
}

func TestCannotStart(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "serf", "local.snapshot"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "file"), "")

	tests := []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"tcp_port_taken", func(c *Config) { c.Bind = netip.MustParseAddrPort(tcp.Addr().String()) },
			"gossip lan: listen on " + tcp.Addr().String() + ": address already in use; is another agent running here? Choose other ports with ports.serf_lan or another -bind address"},
		{"udp_port_taken", func(c *Config) { c.Bind = netip.MustParseAddrPort(udp.LocalAddr().String()) },
			"gossip lan: listen on " + udp.LocalAddr().String() + ": address already in use"},
		{"of_the_wan", func(c *Config) { c.Pool, c.Bind = messages.WAN, netip.MustParseAddrPort(tcp.Addr().String()) },
			"Choose other ports with ports.serf_wan"},
		{"address_of_nobody", func(c *Config) { c.Bind = netip.MustParseAddrPort("192.0.2.1:0") },
			"gossip lan: listen on 192.0.2.1:0: this machine has no such address; choose another -bind address"},
		{"no_address", func(c *Config) { c.Bind = netip.AddrPort{} }, "choose another by -bind"},
		{"advertises_everything", func(c *Config) { c.Advertise = netip.MustParseAddrPort("0.0.0.0:8301") }, "give one by -advertise"},
		{"long_name", func(c *Config) { c.NodeName = strings.Repeat("n", 129) }, "the limit is 128; choose another by -node"},
		{"control_character_in_name", func(c *Config) { c.NodeName = "a\tb" }, "has a control character"},
		{"long_tags", func(c *Config) { c.Tags["x"] = strings.Repeat("x", 600) }, "the tags are"},
		{"bad_key", func(c *Config) { c.EncryptKey = "x" }, "encrypt: the key is not base64"},
		{"folder_for_snapshot", func(c *Config) { c.DataDir = dir }, "local.snapshot is not a file; move it away"},
		{"file_for_folder", func(c *Config) { c.DataDir = filepath.Join(dir, "file") }, "choose another by -data-dir"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := config("a")
			tt.change(&cfg)
			if got := startFailure(t, cfg); !strings.Contains(got, tt.want) {
				t.Errorf("it says %q, want %q", got, tt.want)
			}
		})
	}
}

func TestRestartWaitsForThePort(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	cfg := config("a")
	cfg.Bind = netip.MustParseAddrPort(taken.Addr().String())
	a := spawn(t, cfg)
	actortest.Next[*messages.StartFailed](t, a.parent) // at its first start it does not wait
	a.addr.Tell(&outcome[int]{})                       // panics
	taken.Close()
	actortest.AwaitReady(t, a.parent)
}

func TestStartJoin(t *testing.T) {
	a := start(t, config("a"))
	cfg := config("b")
	cfg.Join = []string{a.at()}
	b := start(t, cfg)
	if b.status("a") != messages.MemberAlive {
		t.Error("b was ready before it had joined a")
	}

	cfg = config("c")
	cfg.Join = []string{freeAddr(t).String()}
	c := spawn(t, cfg)
	err := actortest.Next[*messages.StartFailed](t, c.parent).Err
	for _, want := range []string{"gossip lan: -join [" + cfg.Join[0] + "] reached nobody: join " + cfg.Join[0], "connection refused", "-retry-join"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("err = %v, want it to say %s", err, want)
		}
	}
}

func TestRetryJoin(t *testing.T) {
	bAt := freeAddr(t)
	cfg := config("a")
	cfg.Bind = freeAddr(t)
	cfg.RetryJoin = []string{cfg.Bind.String(), bAt.String()} // itself as well
	cfg.RetryInterval = 50 * time.Millisecond
	a := start(t, cfg)
	cfg = config("b")
	cfg.Bind = bAt
	start(t, cfg)
	a.hears(t, messages.Joined, "b")

	cfg = config("c")
	cfg.RetryJoin, cfg.RetryInterval, cfg.RetryMax = []string{freeAddr(t).String()}, time.Millisecond, 2
	c := start(t, cfg)
	if err := actortest.Next[*messages.StartFailed](t, c.parent).Err; !strings.Contains(err.Error(), "reached nobody in 2 attempts") {
		t.Errorf("err = %v", err)
	}
}

func TestWANPool(t *testing.T) {
	server := func(name, dc string) Config {
		cfg := config(name + "." + dc)
		cfg.Pool, cfg.Datacenter, cfg.Tags["dc"] = messages.WAN, dc, dc
		return cfg
	}
	a, b := start(t, server("a", "dc1")), start(t, server("b", "dc2"))
	b.join(t, a)
	a.hears(t, messages.Joined, "b.dc2")

	client := server("c", "dc1")
	client.Tags["role"] = "node"
	if got := startFailure(t, client); !strings.Contains(got, "only servers are members of the WAN pool") {
		t.Errorf("a client in the WAN pool: %s", got)
	}
}

func TestCoordinates(t *testing.T) {
	a := start(t, config("a"))
	v := a.view.Load()
	if c := v.Coordinate("a"); c == nil || len(c.Vec) == 0 {
		t.Errorf("the agent's own coordinate is %+v", c)
	}
	if c := v.Coordinate("b"); c != nil {
		t.Errorf("a stranger has the coordinate %+v", c)
	}
}

func TestUnexpectedMessage(t *testing.T) {
	a := start(t, config("a"))
	a.addr.Tell("hello")
	if _, err := do(t, a, &messages.FireUserEvent{Name: "x"}); err != nil {
		t.Errorf("it does not go on after a message that it does not know: %v", err)
	}
}

// TestTwins has an agent be alive twice, as when its data directory was copied: at
// two addresses, with one name and one ID. Nobody can know which is the right one,
// so the pool keeps the one that it has, and both sides are told of the other.
func TestTwins(t *testing.T) {
	a, b := start(t, config("a")), start(t, config("b"))
	b.join(t, a)
	a.hears(t, messages.Joined, "b")
	twin := start(t, config("b"))
	twin.join(t, a)
	twin.hears(t, messages.Joined, "a")
	if m, _ := a.view.Load().Member("b"); address(m) != b.at() {
		t.Errorf("a has b at %s, want it where it was, at %s", address(m), b.at())
	}
	a.log.await(t, fmt.Sprintf("[WARN] serf: Name conflict for 'b' both %s and %s are claiming", b.at(), twin.at()))
	twin.log.await(t, fmt.Sprintf("[ERR] serf: Node name conflicts with another node at %s. Names must be unique! (Resolution enabled: false)", b.at()))
}
