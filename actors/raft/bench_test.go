package raft

import (
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/actor-consul/consul/messages"
)

// entrySize is that of the log entry of a small PUT.
const entrySize = 200

// BenchmarkFsync is what BenchmarkApply has to be compared with: one write of an
// entry's size into a file that has its size already, and one fsync.
func BenchmarkFsync(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "file"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // a benchmark's
	const size = 64 << 20
	if err := f.Truncate(size); err != nil {
		b.Fatal(err)
	}
	entry := make([]byte, entrySize)
	for i := range b.N {
		if _, err := f.WriteAt(entry, int64(i*entrySize)%(size-entrySize)); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkApply is a write from its asker to the answer, on one server. In one run
// on 2 cores, where BenchmarkFsync was 195 µs, one asker waited 181 µs, of 64
// askers each write cost 14 µs, and without a disk a write took 17 µs: what the
// agent adds to an fsync is little, and writers share it.
func BenchmarkApply(b *testing.B) {
	for _, askers := range []int{0, 1, 64} {
		name, dir := fmt.Sprint("disk_askers_", askers), b.TempDir()
		if askers == 0 {
			name, dir, askers = "memory_askers_1", "", 1
		}
		b.Run(name, func(b *testing.B) {
			s := newServer(b, "a", func(c *Config) { c.Bootstrap = true; c.DataDir = dir; c.SegmentSize = 64 << 20 }).start().leads()
			entry := make([]byte, entrySize)
			parallel(b, askers, func() error {
				_, err := do(s, &messages.ApplyEntry{Entry: entry})
				return err
			})
		})
	}
}

// BenchmarkConfirm is a read index, from the mailbox and past it.
func BenchmarkConfirm(b *testing.B) {
	for _, askers := range []int{1, 64} {
		b.Run(fmt.Sprint("three_servers_askers_", askers), func(b *testing.B) {
			leader, _ := leaderOf(b, newCluster(b, nil)...)
			leader.leads()
			parallel(b, askers, func() error {
				_, err := do(leader, &messages.ConfirmLeader{})
				return err
			})
		})
	}
	b.Run("lone_server_asked", func(b *testing.B) {
		s := newServer(b, "a", bootstrap).start().leads()
		parallel(b, 1, func() error {
			_, err := do(s, &messages.ConfirmLeader{})
			return err
		})
	})
	b.Run("lone_server_read", func(b *testing.B) {
		s := newServer(b, "a", bootstrap).start().leads()
		for b.Loop() {
			s.status.Load().LoneReadIndex()
		}
	})
}

func parallel(b *testing.B, askers int, ask func() error) {
	b.Helper()
	var next atomic.Int64
	failed := make(chan error, askers)
	b.ResetTimer()
	for range askers {
		go func() {
			for next.Add(1) <= int64(b.N) {
				if err := ask(); err != nil {
					failed <- err
					return
				}
			}
			failed <- nil
		}()
	}
	for range askers {
		if err := <-failed; err != nil {
			b.Fatal(err)
		}
	}
}
