// Package archive reads and writes snapshots of a whole cluster's state as Consul
// archives them: what `consul snapshot save` writes, and GET /v1/snapshot answers.
//
//	actors/raft  ──Write──▶ archive ──Read──▶ actors/raft
//	cmd/consul   ◀──Verify, Inspect──
//
// # The format
//
// An archive is a gzipped tar of three files, in the format of Consul 0.7 and
// later (learned from snapshot/archive.go of Consul 1.16):
//
//	meta.json   what raft says of the snapshot: raft.SnapshotMeta as JSON
//	state.bin   the snapshot of the state machine, as it is
//	SHA256SUMS  the sums of both, as sha256sum(1) writes them
//
// state.bin is msgpack: a header, then records to the end, each a type byte and a
// value. Inspect counts the records without knowing what is in them, so that it
// shows the archives of any Consul.
//
// # Trust
//
// An archive may come from anywhere. Reading one allocates nothing that its bytes
// have not paid for, writes no files, follows no names, and takes nothing for good
// before all of it has come and all sums are right: who uses Read keeps what it was
// given apart until Read returns. An error names the file and what is wrong.
//
// The package owns nothing, and knows neither the network nor the disk.
package archive
