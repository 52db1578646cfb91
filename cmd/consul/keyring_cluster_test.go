package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/actor-consul/consul/cmd/consul/agenttest"
)

// TestClusterKeyring changes the gossip keys of three servers and two client agents,
// each way in which that can be asked for, while events are fired: nobody is lost by
// it, and nothing that is said.
func TestClusterKeyring(t *testing.T) {
	if !*clusters {
		return
	}
	t.Parallel()
	key := func(char string, length int) string {
		return base64.StdEncoding.EncodeToString([]byte(strings.Repeat(char, length)))
	}
	first, second, third, fourth := key("1", 16), key("2", 24), key("3", 32), key("4", 32)
	c := newCluster(t, 81, "-encrypt", first)
	k := &keyringCluster{cluster: c, other: agenttest.Start(t, agenttest.Options{
		Name: "other", Addr: loopback(85), Args: append(retryJoin(c.addresses()), "-encrypt", first),
	})}
	for _, a := range k.all() {
		c.awaitMember(k.other.Name, serfAlive, a)
	}
	k.awaitKeys(map[string]int{first: 5}, map[string]int{first: 3})
	fired := k.fire()

	k.keyring("install", second)
	k.awaitKeys(map[string]int{first: 5, second: 5}, map[string]int{first: 3, second: 3})
	k.keyring("use", second, "-relay-factor=2")
	k.keyring("remove", first)
	k.awaitKeys(map[string]int{second: 5}, map[string]int{second: 3})
	k.files(second)

	operator := c.api(c.servers[1]).Operator()
	k.until("install over HTTP", func() error { return operator.KeyringInstall(third, nil) })
	k.until("use over HTTP", func() error { return operator.KeyringUse(third, &api.WriteOptions{RelayFactor: 1}) })
	k.until("remove over HTTP", func() error { return operator.KeyringRemove(second, nil) })
	k.awaitKeys(map[string]int{third: 5}, map[string]int{third: 3})
	k.files(third)
	k.refused(third, first)

	k.allHeard(fired())
	k.missed(third, fourth)
	k.other.Restart() // with the first key in its arguments, which is long gone
	c.awaitMember(k.other.Name, serfAlive, k.all()...)
	k.nobodyFailed(append(slices.Clone(c.servers), c.client)...)
}

type keyringCluster struct {
	*cluster
	other *agenttest.Agent // the second client agent
}

func (k *keyringCluster) all() []*agenttest.Agent {
	return append(slices.Clone(k.servers), k.client, k.other)
}

// until does something that all members have to confirm, again when one could not be
// heard in time.
func (k *keyringCluster) until(what string, do func() error) {
	k.t.Helper()
	k.servers[0].Await(what, func() bool {
		err := do()
		if err != nil {
			k.t.Logf("%s: %v; once more", what, err)
		}
		return err == nil
	})
}

// keyring runs consul keyring on a server.
func (k *keyringCluster) keyring(verb, key string, more ...string) {
	k.t.Helper()
	k.until("keyring -"+verb, func() error {
		stdout, stderr, status := k.servers[0].Consul(append([]string{"keyring", "-" + verb + "=" + key}, more...)...)
		if status != 0 || !strings.HasSuffix(stdout, "==> Done!\n") {
			return fmt.Errorf("status %d, %s%s", status, stdout, stderr)
		}
		return nil
	})
}

// awaitKeys waits until both the command and the API list these keys, each on so
// many members. All members have one of them.
func (k *keyringCluster) awaitKeys(lan, wan map[string]int) {
	k.t.Helper()
	nodes := func(keys map[string]int) int { return slices.Max(slices.Collect(maps.Values(keys))) }
	lines := func(title string, keys map[string]int) string {
		var all []string
		for key, n := range keys {
			all = append(all, fmt.Sprintf("  %s [%d/%d]\n", key, n, nodes(keys)))
		}
		slices.Sort(all)
		return "\n" + title + ":\n" + strings.Join(all, "")
	}
	want := lines("WAN", wan) + lines("dc1 (LAN)", lan)
	k.until("list the keys", func() error {
		if stdout, stderr, status := k.servers[0].Consul("keyring", "-list"); status != 0 || !strings.Contains(stdout, want) {
			return fmt.Errorf("status %d, %s%s; want%s", status, stdout, stderr, want)
		}
		return nil
	})
	operator := k.api(k.servers[2]).Operator()
	for _, local := range []bool{false, true} {
		k.until("list the keys over HTTP", func() error {
			all, err := operator.KeyringList(&api.QueryOptions{RelayFactor: 1, LocalOnly: local})
			if err != nil {
				return err
			}
			if pools := map[bool]int{false: 2, true: 1}[local]; len(all) != pools {
				return fmt.Errorf("%d pools with local-only %t, want %d", len(all), local, pools)
			}
			for _, pool := range all {
				want := lan
				if pool.WAN {
					want = wan
				}
				if fmt.Sprint(pool.Keys) != fmt.Sprint(want) || pool.NumNodes != nodes(want) || len(pool.Messages) > 0 {
					return fmt.Errorf("the pool says %+v; want %v on %d nodes", pool, want, nodes(want))
				}
			}
			return nil
		})
	}
}

// files wants the keyring files to have one key, for nobody else to read.
func (k *keyringCluster) files(key string) {
	k.t.Helper()
	want := fmt.Sprintf("[%q]", key)
	for _, a := range k.all() {
		names := []string{"local.keyring"}
		if slices.Contains(k.servers, a) {
			names = append(names, "remote.keyring")
		}
		for _, name := range names {
			path := filepath.Join(a.DataDir, "serf", name)
			text, err := os.ReadFile(path)
			if compact := strings.Join(strings.Fields(string(text)), ""); err != nil || compact != want {
				k.t.Errorf("%s of %s: %v, %s; want %s", name, a.Name, err, text, want)
			}
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
				k.t.Errorf("%s of %s: %v, mode %v", name, a.Name, err, info.Mode())
			}
		}
	}
}

// refused asks for what no member may do.
func (k *keyringCluster) refused(primary, gone string) {
	k.t.Helper()
	operator := k.api(k.servers[1]).Operator()
	if err := operator.KeyringRemove(primary, nil); err == nil || !strings.Contains(err.Error(), "primary key") {
		k.t.Errorf("the key in use was removed: %v", err)
	}
	if _, stderr, status := k.servers[1].Consul("keyring", "-remove", primary); status != 1 || !strings.Contains(stderr, "primary key") || !strings.Contains(stderr, "dc1 (LAN) error: 5/5 nodes reported failure") {
		k.t.Errorf("keyring -remove of the key in use: status %d, %s", status, stderr)
	}
	if err := operator.KeyringUse(gone, nil); err == nil || !strings.Contains(err.Error(), "not in the keyring") {
		k.t.Errorf("a key that is gone is in use: %v", err)
	}
	if err := operator.KeyringInstall("c2hvcnQ=", nil); err == nil || !strings.Contains(err.Error(), "5 bytes long, not 16, 24 or 32") {
		k.t.Errorf("a short key was installed: %v", err)
	}
	var refusal api.StatusError
	if _, err := operator.KeyringList(&api.QueryOptions{RelayFactor: 6}); !errors.As(err, &refusal) || refusal.Code != http.StatusBadRequest {
		k.t.Errorf("relay-factor=6: %v, want it refused", err)
	}
	if _, err := k.api(k.client).Operator().KeyringList(nil); err == nil || !strings.Contains(err.Error(), "must run against a server node") {
		k.t.Errorf("a client agent lists keys: %v", err)
	}
}

// missed installs a key while a member is away: the lists say that it lacks it.
func (k *keyringCluster) missed(all, some string) {
	k.t.Helper()
	k.other.Kill()
	remain := k.all()[:4]
	k.awaitMember(k.other.Name, serfFailed, remain...)
	k.keyring("install", some)
	k.awaitKeys(map[string]int{all: 4, some: 4}, map[string]int{all: 3, some: 3}) // and nobody passes on the order any more
	k.other.Restart()
	k.awaitMember(k.other.Name, serfAlive, remain...)
	k.awaitKeys(map[string]int{all: 5, some: 4}, map[string]int{all: 3, some: 3})
	k.keyring("install", some)
	k.awaitKeys(map[string]int{all: 5, some: 5}, map[string]int{all: 3, some: 3})
}

// fire fires events through a client agent until the returned function is called,
// which returns their names.
func (k *keyringCluster) fire() (end func() []string) {
	event := k.api(k.client).Event()
	var fired []string
	stop := k.begin(func(ctx context.Context, n int) error {
		name := fmt.Sprintf("event-%03d", n)
		_, _, err := event.Fire(&api.UserEvent{Name: name}, (&api.WriteOptions{}).WithContext(ctx))
		if err == nil {
			fired = append(fired, name)
		}
		select { // not more than an agent keeps
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
		}
		return err
	})
	return func() []string {
		k.tell("events through the client", stop(), true)
		return fired
	}
}

// allHeard waits until every agent has every event.
func (k *keyringCluster) allHeard(names []string) {
	k.t.Helper()
	newest := names[max(0, len(names)-250):] // an agent keeps no more
	for _, a := range k.all() {
		a.Await(fmt.Sprintf("have all %d events", len(newest)), func() bool {
			events, _, err := k.api(a).Event().List("", nil)
			return err == nil && !slices.ContainsFunc(newest, func(name string) bool {
				return !slices.ContainsFunc(events, func(e *api.UserEvent) bool { return e.Name == name })
			})
		})
	}
}

// nobodyFailed wants the agents never to have missed one that was there.
func (k *keyringCluster) nobodyFailed(agents ...*agenttest.Agent) {
	k.t.Helper()
	for _, a := range agents {
		for line := range strings.Lines(a.Output()) {
			if strings.Contains(line, "EventMemberFailed: ") && !strings.Contains(line, "EventMemberFailed: "+k.other.Name+" ") {
				k.t.Errorf("%s: %s", a.Name, line)
			}
		}
	}
}
