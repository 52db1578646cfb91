package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/cli"
	"github.com/hashicorp/raft"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/actor-consul/consul/messages/archive"
	"github.com/actor-consul/consul/messages/wire"
)

// testState is a state.bin with some keys and a session.
func testState(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	enc := wire.NewEncoder(&b)
	put := func(v any) {
		t.Helper()
		if err := enc.Encode(v); err != nil {
			t.Fatal(err)
		}
	}
	put(map[string]uint64{"LastIndex": 7})
	b.WriteByte(byte(wire.SessionRequestType))
	put(&wire.Session{ID: "s"})
	for _, key := range []string{"app/a/x", "app/a/y", "app/b", "z\x1b[2J"} {
		b.WriteByte(byte(wire.KVSRequestType))
		put(&wire.DirEntry{Key: key, Value: make([]byte, 1000)})
	}
	return b.Bytes()
}

// testArchive is an archive of testState.
func testArchive(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	state := testState(t)
	meta := &raft.SnapshotMeta{Version: 1, ID: "2-7-1602222343947", Index: 7, Term: 2, Size: int64(len(state))}
	if err := archive.Write(&b, meta, bytes.NewReader(state)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestSnapshotScripts runs the commands that need no agent as an operator would; see
// testdata/snapshot/*.txtar. In each directory good.snap is an archive, and raw/ is a
// snapshot of raft's own.
func TestSnapshotScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/snapshot",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("CONSUL_HTTP_ADDR", "127.0.0.1:1") // nobody's
			env.Setenv("GORACE", "atexit_sleep_ms=0")
			raw := filepath.Join(env.WorkDir, "raw")
			good, state := testArchive(t), testState(t)
			return errors.Join(
				os.Mkdir(raw, 0o700),
				os.WriteFile(filepath.Join(env.WorkDir, "good.snap"), good, 0o600),
				os.WriteFile(filepath.Join(env.WorkDir, "half.snap"), good[:len(good)/2], 0o600),
				os.WriteFile(filepath.Join(raw, "state.bin"), state, 0o600),
			)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}

// fakeAgent answers /v1/snapshot, and knows who it is.
type fakeAgent struct {
	t       *testing.T
	archive []byte
	length  string // Content-Length that is told
	version string
	asked   []string // method and URL
	token   string
	put     []byte
	refuse  string
}

func (f *fakeAgent) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.asked = append(f.asked, r.Method+" "+r.URL.String())
	f.token = r.Header.Get("X-Consul-Token")
	switch {
	case r.URL.Path == "/v1/agent/self":
		body := map[string]map[string]string{"Config": {"Version": f.version, "Datacenter": "dc1"}}
		if err := json.NewEncoder(w).Encode(body); err != nil {
			f.t.Error(err)
		}
	case f.refuse != "":
		http.Error(w, f.refuse, http.StatusInternalServerError)
	case r.Method == http.MethodGet:
		w.Header().Set("X-Consul-Index", "7")
		w.Header().Set("X-Consul-LastContact", "0")
		w.Header().Set("X-Consul-KnownLeader", "true")
		if f.length != "" {
			w.Header().Set("Content-Length", f.length)
		}
		w.Write(f.archive) //nolint:errcheck // the client may go
	default:
		var b bytes.Buffer
		if _, err := b.ReadFrom(r.Body); err != nil {
			f.t.Error(err)
		}
		f.put = b.Bytes()
	}
}

// serve starts an agent that has what the test says, and returns how to run a command
// against it.
func (f *fakeAgent) serve(t *testing.T) (run func(create func(cli.Ui) cli.Command, args ...string) (stdout, stderr string, status int)) {
	t.Helper()
	f.t = t
	if f.archive == nil {
		f.archive = testArchive(t)
	}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	t.Setenv("CONSUL_HTTP_ADDR", server.URL)
	return func(create func(cli.Ui) cli.Command, args ...string) (string, string, int) {
		ui := cli.NewMockUi()
		status := create(ui).Run(args)
		return ui.OutputWriter.String(), ui.ErrorWriter.String(), status
	}
}

// files returns the names of what is in a directory.
func files(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

func TestSnapshotSave(t *testing.T) {
	dir := t.TempDir()
	f := &fakeAgent{version: "1.19.2"}
	run := f.serve(t)
	path := filepath.Join(dir, "backup.snap")
	out, errs, status := run(newSnapshotSaveCommand, "-stale", "-datacenter=dc2", "-token=secret", path)
	if out != "Saved and verified snapshot to index 7\n" || errs != "" || status != 0 {
		t.Fatalf("save = %d, %q, %q", status, out, errs)
	}
	if got := f.asked[0]; got != "GET /v1/snapshot?dc=dc2&stale=" || f.token != "secret" {
		t.Errorf("asked %s with the token %q", got, f.token)
	}
	saved, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(saved, f.archive) {
		t.Errorf("the file differs from the archive, %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v", info.Mode(), err)
	}
	if _, errs, status := run(newSnapshotSaveCommand, "-append-filename=dc,version", path); status != 0 {
		t.Errorf("save under a longer name = %d, %q", status, errs)
	}
	if got, want := files(t, dir), "backup-1.19.2-dc1.snap backup.snap"; got != want {
		t.Errorf("files %q, want %q", got, want)
	}
}

func TestSnapshotSaveLeavesNothing(t *testing.T) {
	good := testArchive(t)
	flipped := bytes.Clone(good)
	flipped[len(flipped)/2] ^= 1
	tests := []struct {
		name  string
		agent fakeAgent
		args  []string
		want  string
	}{
		{name: "refused", agent: fakeAgent{refuse: "Permission denied"}, want: "Error saving snapshot: Unexpected response code: 500 (Permission denied)"},
		{name: "garbage", agent: fakeAgent{archive: []byte("garbage")}, want: "Error saving snapshot: what the agent sent was not kept: failed to decompress snapshot: unexpected EOF"},
		{name: "damaged", agent: fakeAgent{archive: flipped}, want: "Error saving snapshot: what the agent sent was not kept: the archive is damaged"},
		{name: "cut_off", agent: fakeAgent{archive: good[:len(good)-4]}, want: "Error saving snapshot: what the agent sent was not kept: the archive is cut off"},
		{name: "broken_off", agent: fakeAgent{length: "100000"}, want: "Error saving snapshot: the archive did not come whole: unexpected EOF"},
		{name: "hostile_version", agent: fakeAgent{version: "/../../etc/x"}, args: []string{"-append-filename=version"}, want: `Error connecting to Consul agent: the agent says "/../../etc/x" for its version, which fits no file name`},
		{name: "unknown_word", args: []string{"-append-filename=dc,node"}, want: `consul snapshot save: -append-filename takes version and dc, separated by a comma, and not "node"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "backup.snap")
			if err := os.WriteFile(path, []byte("yesterday's"), 0o600); err != nil {
				t.Fatal(err)
			}
			out, errs, status := tt.agent.serve(t)(newSnapshotSaveCommand, append(tt.args, path)...)
			if out != "" || status != 1 || !strings.HasPrefix(errs, tt.want) {
				t.Errorf("save = %d, %q, %q; want %q", status, out, errs, tt.want)
			}
			if kept, err := os.ReadFile(path); err != nil || string(kept) != "yesterday's" || files(t, dir) != "backup.snap" {
				t.Errorf("the file is %q, %v, beside %s", kept, err, files(t, dir))
			}
		})
	}
}

func TestSnapshotSaveNeedsAFile(t *testing.T) {
	dir := t.TempDir()
	run := (&fakeAgent{}).serve(t)
	for path, want := range map[string]string{
		dir:                                "Error saving snapshot: " + dir + " is there and no file",
		os.DevNull:                         "Error saving snapshot: " + os.DevNull + " is there and no file",
		filepath.Join(dir, "no", "b.snap"): "Error saving snapshot: open " + filepath.Join(dir, "no"),
	} {
		if _, errs, status := run(newSnapshotSaveCommand, path); status != 1 || !strings.HasPrefix(errs, want) {
			t.Errorf("%s: %d, %q; want %q", path, status, errs, want)
		}
	}
}

func TestSnapshotRestore(t *testing.T) {
	dir := t.TempDir()
	f := &fakeAgent{}
	run := f.serve(t)
	good, bad := filepath.Join(dir, "good.snap"), filepath.Join(dir, "bad.snap")
	if err := errors.Join(os.WriteFile(good, f.archive, 0o600), os.WriteFile(bad, f.archive[:100], 0o600)); err != nil {
		t.Fatal(err)
	}
	out, errs, status := run(newSnapshotRestoreCommand, "-datacenter=dc2", good)
	if out != "Restored snapshot\n" || errs != "" || status != 0 || !bytes.Equal(f.put, f.archive) || f.asked[0] != "PUT /v1/snapshot?dc=dc2" {
		t.Errorf("restore = %d, %q, %q, by %v", status, out, errs, f.asked)
	}
	f.asked = nil
	want := "Error opening snapshot file: " + bad + ": the archive is cut off: it ends in "
	if _, errs, status := run(newSnapshotRestoreCommand, bad); status != 1 || !strings.HasPrefix(errs, want) || f.asked != nil {
		t.Errorf("restore of half an archive = %d, %q by %v; want %q", status, errs, f.asked, want)
	}
	f.refuse = "No cluster leader"
	want = "Error restoring snapshot: Unexpected response code: 500 (No cluster leader)"
	if _, errs, status := run(newSnapshotRestoreCommand, good); status != 1 || !strings.HasPrefix(errs, want) {
		t.Errorf("a restore that is refused = %d, %q; want %q", status, errs, want)
	}
}

func TestByteSize(t *testing.T) {
	for bytes, want := range map[int64]string{
		0: "0", 1: "1B", 1023: "1023B", 1024: "1KB", 1741: "1.7KB", 5141: "5KB",
		1 << 20: "1MB", 1 << 30: "1GB", 1 << 40: "1TB", 1 << 50: "1024TB",
	} {
		if got := byteSize(bytes); got != want {
			t.Errorf("byteSize(%d) = %s, want %s", bytes, got, want)
		}
	}
}
