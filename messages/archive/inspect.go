package archive

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/raft"
)

// A Summary says what is in a snapshot.
type Summary struct {
	LastIndex uint64  // of the log entry that the state is after
	Types     []Usage // by type, the largest first
	Size      int64   // of state.bin, in bytes
	Keys      []Usage // with KeyOptions: by the beginning of the key, the largest first
	KeySize   int64   // of the records that Keys counts, in bytes
}

// Usage is what the records of one kind take up.
type Usage struct {
	Type   byte   // of the record: wire.MessageType
	Prefix string // in Keys: what the keys begin with
	Count  int
	Size   int64 // bytes in state.bin
}

// KeyOptions say how the keys of the KV store are counted.
type KeyOptions struct {
	Depth  int    // keys are taken together that are the same up to so many slashes
	Prefix string // only keys that begin with it
}

// Inspect reads an archive to its end, and counts what is in it. Keys are counted
// when keys is not nil.
func Inspect(r io.Reader, keys *KeyOptions, limits Limits) (*raft.SnapshotMeta, *Summary, error) {
	var s *Summary
	meta, err := unpack(r, limits, func(content io.Reader) (err error) {
		s, err = InspectState(content, keys)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	return meta, s, nil
}

// InspectState counts what is in a state.bin.
func InspectState(r io.Reader, keys *KeyOptions) (*Summary, error) {
	c := &census{keys: keys, types: map[byte]*Usage{}, prefixes: map[string]*Usage{}}
	s := newScanner(r)
	var err error
	if c.summary.LastIndex, err = s.header(); err != nil {
		return nil, fmt.Errorf("%w: the header: %w", ErrNonsense, err)
	}
	for n := 0; ; n++ {
		begin := s.at
		t, end, err := s.recordType()
		if err != nil {
			return nil, err
		}
		if end {
			c.summary.Size = s.at
			return c.conclude(), nil
		}
		key, err := s.record(keys != nil && t == kvRecord)
		if err != nil {
			return nil, fmt.Errorf("%w: record %d, at byte %d: %w", ErrNonsense, n, begin, err)
		}
		c.count(t, key, s.at-begin)
	}
}

// kvRecord is the type of the records that hold a key and its value.
const kvRecord = 2

// census is a count that is going on.
type census struct {
	keys     *KeyOptions
	types    map[byte]*Usage
	prefixes map[string]*Usage
	summary  Summary
}

func (c *census) count(t byte, key string, size int64) {
	add(c.types, t, Usage{Type: t}, size)
	if c.keys == nil || t != kvRecord || !strings.HasPrefix(key, c.keys.Prefix) {
		return
	}
	prefix := c.keys.cut(key)
	add(c.prefixes, prefix, Usage{Type: t, Prefix: prefix}, size)
	c.summary.KeySize += size
}

func add[K comparable](usages map[K]*Usage, key K, first Usage, size int64) {
	u, ok := usages[key]
	if !ok {
		u = &first
		usages[key] = u
	}
	u.Count++
	u.Size += size
}

// cut returns the beginning of a key.
func (o *KeyOptions) cut(key string) string {
	at := 0
	for range o.Depth {
		next := strings.IndexByte(key[at:], '/')
		if next < 0 {
			return key
		}
		at += next + 1
	}
	return key[:max(at-1, 0)]
}

func (c *census) conclude() *Summary {
	c.summary.Types, c.summary.Keys = largest(c.types), largest(c.prefixes)
	return &c.summary
}

func largest[K comparable](usages map[K]*Usage) []Usage {
	var all []Usage
	for u := range maps.Values(usages) {
		all = append(all, *u)
	}
	slices.SortFunc(all, func(a, b Usage) int {
		return cmp.Or(cmp.Compare(b.Size, a.Size), cmp.Compare(a.Type, b.Type), cmp.Compare(a.Prefix, b.Prefix))
	})
	return all
}
