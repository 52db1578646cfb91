package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/consul/api"
	"golang.org/x/sys/unix"

	"github.com/actor-consul/consul/cmd/consul/agenttest"
)

// TestDefaultRPCPortTaken shows that an agent does without the port that nobody
// asked for. It comes back for it: see actors/rpc.
func TestDefaultRPCPortTaken(t *testing.T) {
	t.Parallel()
	const addr = "127.0.0.84" // where nobody else is, whoever uses 8400 on this machine
	holder, err := net.Listen("tcp", addr+":8400")
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close()
	a := agenttest.Start(t, agenttest.Options{Addr: addr, Ports: agenttest.Ports{RPC: agenttest.Default}})
	a.AwaitOutput(`\[WARN\] agent\.rpc: an RPC address could not be bound; going on without it and trying again every=\S+ ` +
		`error="RPC address 127\.0\.0\.84:8400 is taken, perhaps by another agent; `)
	if _, err := a.Client().Agent().Self(); err != nil {
		t.Error(err)
	}
}

// TestDamagedLog garbles what a server has on disk. It then has everything, or it
// says what is damaged and what to do; it never runs without what it acknowledged.
func TestDamagedLog(t *testing.T) {
	t.Parallel()
	keeper := keepSome(t)
	whole := readTree(t, keeper.DataDir)
	tests := []struct {
		name   string
		garble func(t *testing.T, raft string) // raft is the folder of that name
		say    string                          // why it does not start; empty when it does
	}{
		{name: "nothing", garble: func(*testing.T, string) {}},
		{name: "meta_garbled", say: `raft/wal/wal-meta\.db is damaged: `, garble: func(t *testing.T, raft string) {
			overwrite(t, filepath.Join(raft, "wal/wal-meta.db"), 0, 100_000)
		}},
		{name: "meta_empty", say: `raft/wal/wal-meta\.db is damaged: it is empty`, garble: func(t *testing.T, raft string) {
			check(t, os.Truncate(filepath.Join(raft, "wal/wal-meta.db"), 0))
		}},
		{name: "meta_gone", say: `raft/wal/wal-meta\.db is damaged: it is missing`, garble: func(t *testing.T, raft string) {
			check(t, os.Remove(filepath.Join(raft, "wal/wal-meta.db")))
		}},
		{name: "segment_head_garbled", say: `\.wal is damaged: `, garble: func(t *testing.T, raft string) {
			overwrite(t, segment(t, raft), 0, 32)
		}},
		{name: "segment_garbled", say: `\.wal is damaged: the checksum is wrong`, garble: func(t *testing.T, raft string) {
			overwrite(t, segment(t, raft), 100, 200)
		}},
		{name: "segment_cut_off", say: `\.wal is damaged: it was cut off`, garble: func(t *testing.T, raft string) {
			check(t, os.Truncate(segment(t, raft), 200))
		}},
		{name: "peers_garbled", say: `raft/peers\.json is there, and cannot be used: `, garble: func(t *testing.T, raft string) {
			check(t, os.WriteFile(filepath.Join(raft, "peers.json"), []byte("rubbish"), 0o600))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { // one after the other: they have one port
			dir := filepath.Join(t.TempDir(), "data")
			whole.write(t, dir)
			tt.garble(t, filepath.Join(dir, "raft"))
			o := agenttest.Options{Name: keeper.Name, DataDir: dir, Ports: agenttest.Ports{Server: keeper.Ports.Server}, Args: agenttest.Bootstrap()}
			if tt.say == "" {
				a := agenttest.Start(t, o)
				a.AwaitLeader()
				hasAll(t, a)
				return
			}
			a := agenttest.Launch(t, o)
			if status := a.Wait(); status != 1 {
				t.Errorf("exit status = %d, want 1", status)
			}
			last := lastLine(a.Output())
			if !regexp.MustCompile(`^==> Error starting agent: raft: .*` + tt.say).MatchString(last) {
				t.Errorf("it said %s", last)
			}
		})
	}
}

const kept = 20 // entries that keepSome writes

// keepSome returns a server that has acknowledged some writes and was killed.
func keepSome(t *testing.T) *agenttest.Agent {
	t.Helper()
	a := agenttest.Start(t, agenttest.Options{Name: "keeper", Args: agenttest.Bootstrap()})
	a.AwaitLeader()
	for i := range kept {
		if _, err := a.Client().KV().Put(&api.KVPair{Key: fmt.Sprint("k", i), Value: bytes.Repeat([]byte("v"), 100)}, nil); err != nil {
			t.Fatal(err)
		}
	}
	a.Kill()
	return a
}

func hasAll(t *testing.T, a *agenttest.Agent) {
	t.Helper()
	pairs, _, err := a.Client().KV().List("k", &api.QueryOptions{RequireConsistent: true})
	if err != nil || len(pairs) != kept {
		t.Errorf("%d entries are left of %d, %v", len(pairs), kept, err)
	}
}

func segment(t *testing.T, raft string) string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(raft, "wal/*.wal"))
	if err != nil || len(all) != 1 {
		t.Fatalf("segments: %q, %v", all, err)
	}
	return all[0]
}

// overwrite puts n bytes that make no sense into a file.
func overwrite(t *testing.T, path string, at int64, n int) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	check(t, err)
	defer f.Close()
	_, err = f.WriteAt(bytes.Repeat([]byte{0xa5}, n), at)
	check(t, err)
}

// tree is a directory in memory.
type tree map[string]content

// content is a file without the zeros at its end, of which logs have many: room
// for what is to come.
type content struct {
	text []byte
	size int64
}

func readTree(t *testing.T, dir string) tree {
	t.Helper()
	all := tree{}
	check(t, fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(dir, path))
		all[path] = content{bytes.TrimRight(text, "\x00"), int64(len(text))}
		return err
	}))
	return all
}

func (all tree) write(t *testing.T, dir string) {
	t.Helper()
	for path, c := range all {
		path = filepath.Join(dir, path)
		check(t, os.MkdirAll(filepath.Dir(path), 0o755))
		check(t, os.WriteFile(path, c.text, 0o600))
		check(t, os.Truncate(path, c.size))
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func lastLine(text string) string {
	text = strings.TrimSuffix(text, "\n")
	return text[strings.LastIndex(text, "\n")+1:]
}

// TestFullDisk takes the room to write away from a running server, and gives it
// back: no file may be written from its second byte on. The write that finds out
// waits, for nobody knows what has become of it; all others are refused, and told
// why; reads go on; and all is well when there is room again.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	a := agenttest.Start(t, agenttest.Options{Name: "full", Args: agenttest.Bootstrap()})
	a.AwaitLeader()
	a.AwaitOutput(`Synced node info$`)
	kv := a.Client().KV()
	put := func(key string) error {
		_, err := kv.Put(&api.KVPair{Key: key, Value: []byte(key)}, nil)
		return err
	}
	check(t, put("before"))

	limit(t, a, 1)
	first := make(chan error, 1)
	go func() { first <- put("first") }()
	a.AwaitOutput(`\[ERR\] raft: the raft log cannot be written: writes are refused and reads go on until it can; make room on its disk, or mend it path=\S+/raft/wal .*error=.*file too large`)
	err := put("second")
	var refusal api.StatusError
	if !errors.As(err, &refusal) || refusal.Code != 500 || !strings.HasPrefix(refusal.Body, "the raft log cannot be written: ") {
		t.Errorf("a write is answered by %v", err)
	}
	for what, read := range map[string]func() error{
		"default":    func() error { _, _, err := kv.Get("before", nil); return err },
		"consistent": func() error { _, _, err := kv.Get("before", &api.QueryOptions{RequireConsistent: true}); return err },
		"stale":      func() error { _, _, err := kv.Get("before", &api.QueryOptions{AllowStale: true}); return err },
		"catalog":    func() error { _, _, err := a.Client().Catalog().Nodes(nil); return err },
	} {
		if err := read(); err != nil {
			t.Errorf("%s read: %v", what, err)
		}
	}

	limit(t, a, unix.RLIM_INFINITY)
	a.AwaitOutput(`\[INFO\] raft: the raft log can be written again, writes are taken on$`)
	a.Await("take writes again", func() bool { return put("after") == nil })
	acknowledged := []string{"before", "after"}
	if err := <-first; err == nil {
		acknowledged = append(acknowledged, "first")
	}
	a.Restart()
	a.AwaitLeader()
	for _, key := range acknowledged {
		if pair, _, err := kv.Get(key, nil); err != nil || pair == nil {
			t.Errorf("%s is %v, %v after a restart", key, pair, err)
		}
	}
}

// limit bounds the size of the files that the agent may write from now on.
func limit(t *testing.T, a *agenttest.Agent, size uint64) {
	t.Helper()
	check(t, unix.Prlimit(a.Pid(), unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: size, Max: unix.RLIM_INFINITY}, nil))
}
