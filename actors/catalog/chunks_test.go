package catalog

import (
	"strings"
	"testing"

	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/actor-consul/consul/messages/wire"
)

// part is an entry that is a part of another.
func part(term, op uint64, seq, count uint32, data []byte) *raft.Log {
	var ext []byte
	for num, v := range map[protowire.Number]uint64{fieldOp: op, fieldSeq: uint64(seq), fieldCount: uint64(count)} {
		ext = protowire.AppendVarint(protowire.AppendTag(ext, num, protowire.VarintType), v)
	}
	ext = protowire.AppendBytes(protowire.AppendTag(ext, 4, protowire.BytesType), []byte("next_extensions"))
	return &raft.Log{Term: term, Data: data, Extensions: ext}
}

// thirds returns a write of a key in three parts.
func thirds(t *testing.T, term, op uint64, key string) (parts []*raft.Log) {
	t.Helper()
	entry, err := wire.Encode(wire.KVSRequestType, &wire.KVSRequest{Op: wire.KVSet, DirEnt: wire.DirEntry{Key: key, Value: []byte(strings.Repeat("v", 100))}})
	if err != nil {
		t.Fatal(err)
	}
	third := len(entry) / 3
	for i, data := range [][]byte{entry[:third], entry[third : 2*third], entry[2*third:]} {
		parts = append(parts, part(term, op, uint32(i), 3, data)) //nolint:gosec // one of three
	}
	return parts
}

func (a *applied) feed(logs ...*raft.Log) (last any) {
	for _, log := range logs {
		a.idx++
		log.Index = a.idx
		last = a.Apply(log)
	}
	return last
}

func (a *applied) has(key string) bool {
	_, e := a.View().KVSGet(nil, key)
	return e != nil
}

// TestChunks puts together what a leader of Consul's has cut up.
func TestChunks(t *testing.T) {
	a := newApplied(t)
	one, two := thirds(t, 1, 11, "one"), thirds(t, 1, 12, "two")
	if got := a.feed(one[0], two[2], one[2], two[0]); got != nil || a.has("one") || a.has("two") || a.View().LastIndex() != a.idx {
		t.Errorf("before all is there: %v at %d, want nothing at %d", got, a.View().LastIndex(), a.idx)
	}
	if got := a.feed(one[1]); got != true || !a.has("one") || a.has("two") {
		t.Errorf("with the last part: %v", got)
	}
	if got := a.feed(two[0], two[1]); got != true || !a.has("two") {
		t.Errorf("a part that comes twice: %v", got)
	}
	if a.chunks.size != 0 || len(a.chunks.ops) != 0 {
		t.Errorf("%d bytes of %d entries are left", a.chunks.size, len(a.chunks.ops))
	}
	three := thirds(t, 1, 13, "three")
	a.feed(three[:2]...)
	four := thirds(t, 2, 14, "four") // of the next leader
	if a.feed(four...); !a.has("four") {
		t.Error("the next term does not get through")
	}
	three[2].Term = 2
	if a.feed(three[2]); a.has("three") {
		t.Error("what the last term left was completed by this one")
	}
}

// TestChunksInSnapshot: who is sent a snapshot in between has the parts that came before.
func TestChunksInSnapshot(t *testing.T) {
	a := newApplied(t)
	parts := thirds(t, 3, 7, "k")
	a.feed(parts[0], parts[2])
	snap := persist(t, a.FSM)
	b := newApplied(t)
	b.idx = a.idx
	if err := restoreBytes(b.FSM, snap); err != nil {
		t.Fatal(err)
	}
	if again := persist(t, b.FSM); string(again) != string(snap) {
		t.Error("a snapshot of what was restored is another")
	}
	if got := b.feed(parts[1]); got != true || !b.has("k") {
		t.Errorf("the last part: %v", got)
	}
	if err := restoreBytes(b.FSM, persist(t, newApplied(t).FSM)); err != nil || len(b.chunks.ops) != 0 {
		t.Errorf("a snapshot without parts leaves %v, %v", b.chunks, err)
	}
}

func TestHostileChunks(t *testing.T) {
	good := part(1, 1, 0, 2, nil).Extensions
	for name, log := range map[string]*raft.Log{
		"garbage":        {Extensions: []byte("\xff\xff")},
		"cut_off":        {Extensions: good[:len(good)-1]},
		"beyond_the_end": part(1, 1, 2, 2, nil),
		"of_none":        part(1, 1, 0, 0, nil),
		"of_too_many":    part(1, 1, 0, maxParts+1, nil),
	} {
		a := newApplied(t)
		if err, _ := a.feed(log).(error); err == nil || len(a.chunks.ops) != 0 {
			t.Errorf("%s: %v, %d entries are kept", name, err, len(a.chunks.ops))
		}
	}
	a := newApplied(t)
	for seq := uint32(0); ; seq++ {
		err, _ := a.feed(part(1, uint64(seq), 0, 2, make([]byte, 1<<20))).(error)
		if err != nil {
			break
		}
		if a.chunks.size > maxChunked {
			t.Fatalf("%d bytes are kept, and more are taken", a.chunks.size)
		}
	}
	if a.chunks.size != 0 {
		t.Errorf("%d bytes are kept", a.chunks.size)
	}
}
