package catalog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/actor-consul/consul/messages/wire"
)

// A leader of Consul's cuts up writes of keys that are longer than 512 KiB. Each part is
// an entry whose Extensions say which part of what it is, in protobuf, as
// github.com/hashicorp/go-raftchunking has it; the last to come carries out the whole.
// Leaders of ours cut up nothing.

// maxChunked bounds what is kept of entries that have not come whole, in bytes.
const maxChunked = MaxRecord / 2

// maxParts is how many parts an entry may have. Consul makes them 512 KiB long.
const maxParts = 4096

// chunks are the parts of entries that have not come whole. A new term forgets those of
// the last: who proposed them has been told that they are lost.
type chunks struct {
	term uint64
	ops  map[uint64]*chunked
	size int
}

// chunked is an entry of which some parts are there. The parts are not changed.
type chunked struct {
	count uint32
	parts map[uint32][]byte
}

// place is which part of which entry one is.
type place struct {
	op         uint64
	seq, count uint32
}

var errChunk = errors.New("it does not say which part of an entry it is")

// The fields of go-raftchunking's ChunkInfo.
const (
	fieldOp protowire.Number = iota + 1
	fieldSeq
	fieldCount
)

func readPlace(b []byte) (p place, err error) {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return p, errChunk
		}
		b = b[n:]
		if typ != protowire.VarintType {
			if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
				return p, errChunk
			}
			b = b[n:]
			continue
		}
		v, n := protowire.ConsumeVarint(b)
		if n < 0 {
			return p, errChunk
		}
		b = b[n:]
		switch num {
		case fieldOp:
			p.op = v
		case fieldSeq:
			p.seq = uint32(v) //nolint:gosec // as protobuf reads it
		case fieldCount:
			p.count = uint32(v) //nolint:gosec // the same
		}
	}
	if p.seq >= p.count || p.count > maxParts {
		return p, errChunk
	}
	return p, nil
}

// take takes in a part, and returns the whole when it was the last that lacked.
func (c *chunks) take(log *raft.Log) (whole []byte, err error) {
	at, err := readPlace(log.Extensions)
	if err != nil {
		return nil, err
	}
	if c.ops == nil || c.term != log.Term {
		*c = chunks{term: log.Term, ops: map[uint64]*chunked{}}
	}
	op := c.ops[at.op]
	if op == nil {
		op = &chunked{count: at.count, parts: map[uint32][]byte{}}
		c.ops[at.op] = op
	}
	if c.size += len(log.Data) - len(op.parts[at.seq]); c.size > maxChunked {
		*c = chunks{term: log.Term, ops: map[uint64]*chunked{}}
		return nil, fmt.Errorf("more than %d bytes of entries in parts have not come whole", maxChunked)
	}
	op.parts[at.seq] = log.Data
	if len(op.parts) < int(op.count) {
		return nil, nil
	}
	delete(c.ops, at.op)
	for _, seq := range slices.Sorted(maps.Keys(op.parts)) {
		whole = append(whole, op.parts[seq]...)
	}
	c.size -= len(whole)
	return whole, nil
}

// checkpointMagic begins the Extensions of a checkpoint; it is ExtensionMagicPrefix of
// github.com/hashicorp/raft-wal/verifier, and no protobuf.
const checkpointMagic = 0xafd1f9d60392a503

// checkpoint reports whether an entry is one with which Consul verifies its log. There
// is nothing to be done about it.
func checkpoint(log *raft.Log) bool {
	return len(log.Data) > 0 && wire.MessageType(log.Data[0])&^wire.IgnoreUnknownTypeFlag == wire.RaftLogVerifierCheckpoint &&
		len(log.Extensions) >= 8 && binary.LittleEndian.Uint64(log.Extensions) == checkpointMagic
}

// chunkRecord is the record of a snapshot that has the parts.
type chunkRecord struct {
	ChunkMap map[uint64][]*chunkPart
}

// chunkPart is a part in a snapshot; one that lacks is nil.
type chunkPart struct {
	OpNum       uint64
	SequenceNum uint32
	NumChunks   uint32
	Term        uint64
	Data        []byte
}

// record returns what a snapshot has of the parts; nil when there are none.
func (c *chunks) record() *chunkRecord {
	if len(c.ops) == 0 {
		return nil
	}
	r := &chunkRecord{ChunkMap: make(map[uint64][]*chunkPart, len(c.ops))}
	for id, op := range c.ops {
		parts := make([]*chunkPart, op.count)
		for seq, data := range op.parts {
			parts[seq] = &chunkPart{OpNum: id, SequenceNum: seq, NumChunks: op.count, Term: c.term, Data: data}
		}
		r.ChunkMap[id] = parts
	}
	return r
}

// chunks returns what the record of a snapshot stands for.
func (r *chunkRecord) chunks() (c chunks) {
	c.ops = map[uint64]*chunked{}
	for id, parts := range r.ChunkMap {
		if len(parts) > maxParts {
			continue
		}
		op := &chunked{count: uint32(len(parts)), parts: map[uint32][]byte{}} //nolint:gosec // there are as many
		for seq, p := range parts {
			if p != nil {
				c.term = max(c.term, p.Term)
				op.parts[uint32(seq)] = p.Data //nolint:gosec // the same
				c.size += len(p.Data)
			}
		}
		c.ops[id] = op
	}
	return c
}
