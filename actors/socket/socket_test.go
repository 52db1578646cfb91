package socket

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// dir is a short path: that of a socket may have some hundred bytes.
func dir(t *testing.T) string {
	t.Helper()
	d, err := os.MkdirTemp("", "sock") //nolint:usetesting // short, as said
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(d) })
	return d
}

func TestListen(t *testing.T) {
	path := filepath.Join(dir(t), "s")
	ln, err := Listen(path, Owner{User: strconv.Itoa(os.Getuid()), Group: strconv.Itoa(os.Getgid()), Mode: "0640"})
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("%v, %v", info, err)
	}
	if _, err := Listen(path, Owner{}); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a second time: %v", err)
	}
	_ = ln.Close()
	if _, err := os.Stat(path); err == nil {
		t.Error("the file is still there")
	}
}

// TestRemains finds what others have left where the socket is to be.
func TestRemains(t *testing.T) {
	d := dir(t)
	dead, file := filepath.Join(d, "dead"), filepath.Join(d, "file")
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	ln.SetUnlinkOnClose(false) // as kill -9 does
	_ = ln.Close()
	if err := os.WriteFile(file, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := Listen(dead, Owner{})
	if err != nil {
		t.Fatalf("the socket of one that was killed: %v", err)
	}
	_ = again.Close()
	if _, err := Listen(file, Owner{}); err == nil {
		t.Error("a file was taken for a socket")
	}
	if text, err := os.ReadFile(file); string(text) != "kept" {
		t.Errorf("the file is gone: %v", err)
	}
}

func TestMistakes(t *testing.T) {
	for name, tt := range map[string]struct {
		owner Owner
		want  string
	}{
		"user":  {Owner{User: "no-such-user"}, "unix_sockets.user: "},
		"group": {Owner{Group: "no-such-group"}, "unix_sockets.group: "},
		"mode":  {Owner{Mode: "rwx"}, "unix_sockets.mode "},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir(t), "s")
			if _, err := Listen(path, tt.owner); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("err = %v, want %s", err, tt.want)
			}
			if _, err := os.Stat(path); err == nil {
				t.Error("the file is still there")
			}
		})
	}
}
