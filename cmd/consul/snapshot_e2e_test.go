package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/actor-consul/consul/cmd/consul/agenttest"
)

// must runs a command against an agent that is to do its work.
func must(t *testing.T, a *agenttest.Agent, args ...string) (stdout string) {
	t.Helper()
	stdout, stderr, status := a.Consul(args...)
	if status != 0 || stderr != "" {
		t.Fatalf("consul %s = %d, %q, %q", strings.Join(args, " "), status, stdout, stderr)
	}
	return stdout
}

func setKey(t *testing.T, a *agenttest.Agent, key, value string) {
	t.Helper()
	if _, err := a.Client().KV().Put(&api.KVPair{Key: key, Value: []byte(value)}, nil); err != nil {
		t.Fatal(err)
	}
}

// keyIs fails unless a key has this value; "" is none.
func keyIs(t *testing.T, a *agenttest.Agent, when, key, want string) {
	t.Helper()
	pair, _, err := a.Client().KV().Get(key, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	if pair != nil {
		got = string(pair.Value)
	}
	if got != want {
		t.Errorf("%s %s is %q, want %q", when, key, got, want)
	}
}

// TestSnapshotOfAnAgent saves, goes on, restores, and kills the agent.
func TestSnapshotOfAnAgent(t *testing.T) {
	t.Parallel()
	a := agenttest.Start(t, agenttest.Options{Name: "keeper", Args: agenttest.Bootstrap()})
	a.AwaitLeader()
	setKey(t, a, "k", "saved")
	path := filepath.Join(t.TempDir(), "backup.snap")
	if out := must(t, a, "snapshot", "save", path); !strings.HasPrefix(out, "Saved and verified snapshot to index ") {
		t.Errorf("save said %q", out)
	}
	if out := must(t, a, "snapshot", "inspect", "-kvdetails", path); !strings.Contains(out, "\n KVS ") || !strings.Contains(out, "\n k ") {
		t.Errorf("inspect said\n%s", out)
	}
	setKey(t, a, "k", "later")
	setKey(t, a, "l", "later")

	_, meta, err := a.Client().KV().Get("l", nil)
	if err != nil {
		t.Fatal(err)
	}
	waits, kv := make(chan error, 1), a.Client().KV()
	go func() {
		_, _, err := kv.Get("l", &api.QueryOptions{WaitIndex: meta.LastIndex, WaitTime: agenttest.Patience})
		waits <- err
	}()
	if out := must(t, a, "snapshot", "restore", path); out != "Restored snapshot\n" {
		t.Errorf("restore said %q", out)
	}
	select {
	case err := <-waits: // it was answered, or had not begun to wait
		if err != nil {
			t.Errorf("a blocking query: %v", err)
		}
	case <-time.After(agenttest.Patience / 2):
		t.Error("a blocking query goes on waiting for the state that is gone")
	}
	keyIs(t, a, "restored,", "k", "saved")
	keyIs(t, a, "restored,", "l", "")
	setKey(t, a, "m", "after")

	a.Restart() // by a kill
	a.AwaitLeader()
	keyIs(t, a, "after a crash", "k", "saved")
	keyIs(t, a, "after a crash", "l", "")
	keyIs(t, a, "after a crash", "m", "after")
}

// TestSnapshotOfAnotherCluster restores into a cluster whose server has the name of
// one of the old cluster, and another ID; and it is there, and the old ones are not:
// https://github.com/hashicorp/consul/pull/18060.
func TestSnapshotOfAnotherCluster(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "backup.snap")
	old := agenttest.Start(t, agenttest.Options{Name: "server", Args: agenttest.Bootstrap()})
	old.AwaitLeader()
	old.AwaitOutput("Synced node info$")
	_, err := old.Client().Catalog().Register(&api.CatalogRegistration{
		Node: "external", Address: "10.9.9.9", Service: &api.AgentService{Service: "db", Port: 5432},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	must(t, old, "snapshot", "save", path)
	old.Kill()

	fresh := agenttest.Start(t, agenttest.Options{Name: "server", Args: agenttest.Bootstrap()})
	fresh.AwaitLeader()
	fresh.AwaitOutput("Synced node info$")
	must(t, fresh, "snapshot", "restore", path)
	id, err := os.ReadFile(filepath.Join(fresh.DataDir, "node-id"))
	if err != nil {
		t.Fatal(err)
	}
	catalog := fresh.Client().Catalog()
	fresh.Await("be in the catalog with what it says of itself", func() bool {
		node, _, err := catalog.Node("server", nil)
		return err == nil && node != nil && node.Node.ID == strings.TrimSpace(string(id)) && node.Node.Meta["consul-version"] != "" && node.Services["consul"] != nil
	})
	if db, _, err := catalog.Service("db", "", nil); err != nil || len(db) != 1 {
		t.Errorf("what no agent vouches for: %+v, %v", db, err)
	}
	fresh.Restart()
	fresh.AwaitLeader()
	if db, _, err := catalog.Service("db", "", nil); err != nil || len(db) != 1 {
		t.Errorf("after a crash: %+v, %v", db, err)
	}
}

// TestSnapshotThatIsNone changes nothing.
func TestSnapshotThatIsNone(t *testing.T) {
	t.Parallel()
	a := agenttest.Start(t, agenttest.Options{Name: "keeper", Args: agenttest.Bootstrap()})
	a.AwaitLeader()
	setKey(t, a, "k", "v")
	req, err := http.NewRequest(http.MethodPut, "http://"+a.HTTPAddr+"/v1/snapshot", strings.NewReader("foo"))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusInternalServerError {
		t.Errorf("garbage: %s", resp.Status)
	}
	keyIs(t, a, "after garbage", "k", "v")
}
