package raft

import (
	"errors"
	"io/fs"
	"strings"
	"syscall"
	"testing"
)

func TestExplain(t *testing.T) {
	at := func(errno syscall.Errno) error { return &fs.PathError{Op: "open", Path: "/d/raft/wal", Err: errno} }
	for _, tt := range []struct {
		name string
		err  error
		want string
	}{
		{"full", at(syscall.ENOSPC), "free at least 65 MiB on the file system of /d/raft"},
		{"quota", at(syscall.EDQUOT), "free at least"},
		{"denied", at(syscall.EACCES), "have to belong to the user"},
		{"read_only", at(syscall.EROFS), "mount the file system of /d/raft for writing"},
		{"not_a_directory", at(syscall.ENOTDIR), "/d/raft has to be a directory"},
		{"damaged", &damaged{"/d/raft/wal/1.wal", "torn"}, "/d/raft/wal/1.wal is damaged: torn; this server does not start"},
		{"other", errors.New("else"), "raft: else"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := explain("/d/raft", 64<<20, tt.err)
			if !strings.Contains(got.Error(), tt.want) || !errors.Is(got, tt.err) {
				t.Errorf("explain = %q, want %q", got, tt.want)
			}
		})
	}
}
