package gossip

import (
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-msgpack/v2/codec"
	"github.com/hashicorp/memberlist"

	"github.com/actor-consul/consul/messages"
)

func TestMendSnapshot(t *testing.T) {
	tests := []struct {
		name, before, after string
		damaged             bool
	}{
		{"whole", "alive: a 10.0.0.1:8301\nclock: 7\nevent-clock: 1\nquery-clock: 2\n# note\nleave\n",
			"alive: a 10.0.0.1:8301\nclock: 7\nevent-clock: 1\nquery-clock: 2\n# note\nleave\n", false},
		{"empty", "", "", false},
		{"name_with_spaces", "alive: my node [::1]:8301\nnot-alive: my node\n", "alive: my node [::1]:8301\nnot-alive: my node\n", false},
		{"of_an_old_version", "coordinate: {}\n", "coordinate: {}\n", false},
		{"torn_last_line", "clock: 7\nalive: a 10.0", "clock: 7\n", false},
		{"zeroes_after_a_crash", "clock: 7\n\x00\x00\x00\x00", "clock: 7\n", true},
		{"garbage_in_between", "clock: 7\n\x1b[31mred\nalive: a 10.0.0.1:8301\n", "clock: 7\nalive: a 10.0.0.1:8301\n", true},
		{"not_an_address", "alive: a nowhere\nclock: 7\n", "clock: 7\n", true},
		{"clock_out_of_range", "clock: 18446744073709551615\nclock: 7\n", "clock: 7\n", true},
		{"unknown_key", "serf: 1\nclock: 7\n", "clock: 7\n", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "local.snapshot")
			write(t, path, tt.before)
			note, err := mendSnapshot(path)
			if err != nil || (note != "") != tt.damaged {
				t.Fatalf("mendSnapshot = %q, %v; want a note: %t", note, err, tt.damaged)
			}
			if got := read(t, path); got != tt.after {
				t.Errorf("the snapshot is now %q, want %q", got, tt.after)
			}
			_, err = os.Stat(path + ".damaged")
			if (err == nil) != tt.damaged {
				t.Errorf("the damaged file was kept: %t, want %t", err == nil, tt.damaged)
			}
		})
	}
}

func TestMendSnapshotThatIsNoFile(t *testing.T) {
	_, err := mendSnapshot(t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "is not a file; move it away") {
		t.Errorf("err = %v, want what to do", err)
	}
	if note, err := mendSnapshot(filepath.Join(t.TempDir(), "none")); note != "" || err != nil {
		t.Errorf("mendSnapshot = %q, %v without a file; want nothing", note, err)
	}
	huge := filepath.Join(t.TempDir(), "huge")
	write(t, huge, "")
	if err := os.Truncate(huge, maxSnapshot+1); err != nil {
		t.Fatal(err)
	}
	if note, err := mendSnapshot(huge); !strings.Contains(note, "join them again") || err != nil {
		t.Errorf("mendSnapshot = %q, %v of a huge file; want it moved aside", note, err)
	}
}

func TestSnapshotError(t *testing.T) {
	err := snapshotError("/d/serf/local.snapshot", &fs.PathError{Op: "open", Path: "/d/serf/local.snapshot", Err: fs.ErrPermission})
	want := "serf snapshot /d/serf/local.snapshot: permission denied; let the agent read and write it, or move it away and join the peers again"
	if err.Error() != want || !errors.Is(err, fs.ErrPermission) {
		t.Errorf("err = %v, want %s", err, want)
	}
}

func TestLoadKeyring(t *testing.T) {
	key := func(c string, n int) string { return base64.StdEncoding.EncodeToString([]byte(strings.Repeat(c, n))) }
	k1, k2 := key("1", 16), key("2", 32)
	tests := []struct {
		name    string
		encrypt string
		file    string // "" is none
		memory  bool   // no keyring file
		primary string // "" is in the clear
		note    string
		err     string
	}{
		{name: "in_the_clear"},
		{name: "first_key", encrypt: k1, primary: k1},
		{name: "in_memory", encrypt: k1, memory: true, primary: k1},
		{name: "file_not_wanted", encrypt: k1, file: `["` + k2 + `"]`, memory: true, primary: k1},
		{name: "from_the_file", file: `["` + k2 + `","` + k1 + `"]`, primary: k2},
		{name: "file_has_the_key", encrypt: k1, file: `["` + k2 + `","` + k1 + `"]`, primary: k2},
		{name: "file_has_another_key", encrypt: k1, file: `["` + k2 + `"]`, primary: k2, note: "is not in the keyring"},
		{name: "not_base64", encrypt: "secret!", err: "gossip lan: encrypt: the key is not base64; make a key by consul keygen"},
		{name: "wrong_length", encrypt: key("1", 17), err: "the key is 17 bytes long, not 16, 24 or 32"},
		{name: "not_json", file: "{{", err: "not a JSON list of keys; restore it"},
		{name: "empty_list", file: "[]", err: "no key in it"},
		{name: "bad_key_in_file", file: `["` + k1 + `","x"]`, err: "its key number 2: the key is not base64"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := Config{Pool: messages.LAN, DataDir: t.TempDir(), DisableKeyringFile: tt.memory, EncryptKey: tt.encrypt}
			file := cfg.file("keyring")
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if tt.file != "" {
				write(t, file, tt.file)
			}
			k, err := loadKeyring(cfg)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) || strings.Contains(err.Error(), "secret") {
					t.Errorf("err = %v, want %s", err, tt.err)
				}
				return
			}
			if err != nil || !strings.Contains(k.note, tt.note) || (tt.note == "") != (k.note == "") {
				t.Fatalf("note %q, err %v; want note %q", k.note, err, tt.note)
			}
			if got := primary(k.keys); got != tt.primary {
				t.Errorf("primary key %s, want %s", got, tt.primary)
			}
		})
	}
}

func TestFirstKeyringFile(t *testing.T) {
	cfg := Config{Pool: messages.WAN, DataDir: t.TempDir(), EncryptKey: "MDEyMzQ1Njc4OWFiY2RlZg=="}
	file := filepath.Join(cfg.DataDir, "serf", "remote.keyring")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := loadKeyring(cfg); err != nil {
		t.Fatal(err)
	}
	if got, want := read(t, file), `["MDEyMzQ1Njc4OWFiY2RlZg=="]`; got != want {
		t.Errorf("the file is %s, want %s", got, want)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, err %v; want the agent alone to read it", info.Mode(), err)
	}
}

func primary(ring *memberlist.Keyring) string {
	if ring == nil {
		return ""
	}
	return base64.StdEncoding.EncodeToString(ring.GetPrimaryKey())
}

func TestTags(t *testing.T) {
	id := Identity{Datacenter: "dc1", NodeID: "adf4238a-882b-9ddc-4a9d-5b6758e4159e", Build: "1.19.2:", ReconnectTimeout: 8 * time.Hour, RPCPort: 8300, Bootstrap: true, Expect: 3, UseTLS: true, WANPort: 8302}
	server := ServerTags(id)
	want := map[string]string{"role": "consul", "dc": "dc1", "vsn": "2", "vsn_min": "2", "vsn_max": "3", "port": "8300", "bootstrap": "1", "expect": "3", "raft_vsn": "3", "acls": "0", "segment": "", "use_tls": "1", "wan_join_port": "8302"}
	for key, value := range want {
		if got, ok := server[key]; !ok || got != value {
			t.Errorf("tag %s = %q, want %q", key, got, value)
		}
	}
	if err := checkTags(server); err != nil {
		t.Errorf("the tags of a server do not fit: %v", err)
	}
	if client := ClientTags(id); client["role"] != "node" || client["id"] != id.NodeID || client[reconnectTag] != "8h0m0s" {
		t.Errorf("the tags of a client are %v", client)
	}
	if err := checkTags(map[string]string{"long": strings.Repeat("x", 600)}); err == nil || !strings.Contains(err.Error(), "limit is 512") {
		t.Errorf("err = %v, want the limit", err)
	}
}

func TestDecodeTags(t *testing.T) {
	var raw []byte
	if err := codec.NewEncoderBytes(&raw, &codec.MsgpackHandle{}).Encode(map[string]string{"dc": "dc1"}); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		meta []byte
		key  string
		want string
		bad  bool
	}{
		{name: "map", meta: append([]byte{tagsMagic}, raw...), key: "dc", want: "dc1"},
		{name: "bare_role", meta: []byte("web"), key: "role", want: "web"},
		{name: "nothing", key: "role", want: ""},
		{name: "garbage", meta: []byte{tagsMagic, 0xc1}, bad: true},
		{name: "torn", meta: append([]byte{tagsMagic}, raw[:len(raw)-2]...), bad: true},
		{name: "promises_four_billion", meta: []byte{tagsMagic, 0xdf, 0xff, 0xff, 0xff, 0xff}, bad: true},
		{name: "too_long", meta: make([]byte, memberlist.MetaMaxSize+1), bad: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tags, err := decodeTags(tt.meta)
			if (err != nil) != tt.bad || tags[tt.key] != tt.want {
				t.Errorf("decodeTags = %v, %v; want %s=%s, error: %t", tags, err, tt.key, tt.want, tt.bad)
			}
		})
	}
}

func TestNodeMemberWithoutAddress(t *testing.T) {
	_, err := nodeMember(&memberlist.Node{Name: "x", Addr: []byte{1, 2, 3}})
	if err == nil || !strings.Contains(err.Error(), "has 3 bytes") {
		t.Errorf("err = %v, want the address refused", err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
