package datadir

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func open(t *testing.T, path string) *Dir {
	t.Helper()
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestOneAgentAtATime(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "on", "the", "way")
	first := open(t, dir)
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "in use by another agent (process ") {
		t.Errorf("a second agent: err = %v", err)
	}
	first.Close()
	open(t, dir)
}

func TestNotADirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, filepath.Join(file, "below")} {
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "choose another with -data-dir") {
			t.Errorf("Open(%s): err = %v", path, err)
		}
	}
}

func TestNodeID(t *testing.T) {
	dir := t.TempDir()
	made, err := open(t, dir).NodeID("")
	if err != nil || len(made) != 36 {
		t.Fatalf("NodeID = %q, %v", made, err)
	}
	const given = "11111111-2222-3333-4444-555555555555"
	tests := []struct {
		name, configured, kept, want, err string
	}{
		{name: "is_kept", kept: made, want: made},
		{name: "the_configured_one_wins", configured: given, kept: made, want: given},
		{name: "capitals_and_space", kept: "  " + strings.ToUpper(given) + "\n", want: given},
		{name: "damaged", kept: "rubbish", err: `"rubbish" is not a node ID`},
		{name: "empty", kept: "", err: "is damaged"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, nodeIDFile), []byte(tt.kept), 0o600); err != nil {
				t.Fatal(err)
			}
			d := open(t, dir)
			got, err := d.NodeID(tt.configured)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("err = %v, want %q", err, tt.err)
				}
				return
			}
			if got != tt.want || err != nil {
				t.Errorf("NodeID = %q, %v; want %q", got, err, tt.want)
			}
			if again, _ := d.NodeID(""); again != tt.want {
				t.Errorf("afterwards it is %q", again)
			}
		})
	}
}
