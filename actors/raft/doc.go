// Package raft is the raft node of a server: it keeps the log that all servers
// agree on and applies it to the state machine.
//
//	invoke ──ApplyEntry, ConfirmLeader──▶ raft ──FSM.Apply──▶ catalog
//	       ──SaveSnapshot, RestoreSnapshot──▶  ──StateRestored──▶ leader, local
//	leader ──Barrier, PutPeer, LeaderReady──▶  ──LeadershipChanged──▶ leader
//	leave  ──HandOver, LeavePeers──▶           ──NewLeader──▶ leader, local
//	http   ──RecoverPeers──▶
//	serverrpc ──RaftConnAccepted──▶            ──RaftStatus (published)──▶ everybody
//
// The actor owns hashicorp/raft with its log (raft-wal), its snapshots and its
// transport. The library has goroutines of its own and blocks where it likes, so
// the actor never calls what may wait: node, in bridge.go, does so on goroutines
// that send back what came of it.
//
// # What is promised
//
// A write is answered when a quorum has it on disk and it is applied here. A read
// index is answered when a quorum has said, after the question came, that this
// server leads. All questions that come while one such round is under way share
// the next.
//
// An archive is restored as a whole or not at all: it is read to its end into a
// scratch file, its sums are checked, and the state machine is asked whether it can
// read it, before raft, which cannot go back, is given it.
//
// # On disk, below DIR/raft
//
//	wal/        the log and the votes; raft-wal's format
//	snapshots/  what was made of the log, up to an index; raft's format
//	peers.json  put there by an operator to force a peer set; read at start, and
//	            renamed then
//	peers.info  how to do that
//
// All of it survives a restart. Before the log is used its checksums are checked
// (damage.go says why, and what cannot be found out), and a server whose files are
// damaged does not start: it would deny what it has acknowledged. When the disk is
// full, writes are refused and reads go on until there is room again (store.go).
//
// A server whose peer set has lost its quorum for good can be told to go on with
// those that are left (recovery.go): the node is closed and opened anew.
//
// A failure of the node or of the state machine is not mended by a restart: the
// agent ends, in order, with the log closed.
//
// The package does not know what the entries mean, who may write them, nor who is
// to be in the peer set: that is for catalog, invoke and leader.
package raft
