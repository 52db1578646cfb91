package endpoint

import "github.com/actor-consul/consul/messages/wire"

// How much one answer to a replica may hold.
const (
	replicaRecords = 2000
	replicaBytes   = 1 << 20
)

// ReplicaSnapshot returns a page of the catalog.
var ReplicaSnapshot = Read[wire.ReplicaSnapshotRequest, wire.ReplicaSnapshot]{"Replica.Snapshot", replicaSnapshot}

func replicaSnapshot(env *Env, args *wire.ReplicaSnapshotRequest, reply *wire.ReplicaSnapshot) error {
	if err := env.may(mayReadAll); err != nil {
		return err
	}
	reply.Index, reply.Records, reply.Next = env.View.Registrations(args.After, replicaRecords)
	return nil
}

// ReplicaChanges returns what has changed in the catalog.
var ReplicaChanges = Read[wire.ReplicaChangesRequest, wire.ReplicaChanges]{"Replica.Changes", replicaChanges}

func replicaChanges(env *Env, args *wire.ReplicaChangesRequest, reply *wire.ReplicaChanges) error {
	if err := env.may(mayReadAll); err != nil {
		return err
	}
	last, changes, ok := env.View.ChangesSince(env.Watch, args.MinQueryIndex, replicaBytes)
	reply.Index, reply.TooOld = last, !ok
	if !ok {
		reply.Index = max(last, args.MinQueryIndex+1) // it is news, however old
		return nil
	}
	for _, c := range changes {
		reply.Indexes = append(reply.Indexes, c.Index)
		reply.Entries = append(reply.Entries, c.Entry)
	}
	return nil
}

// mayReadAll says whether the asker may read every node and service; there is no
// replica of a part.
func mayReadAll(a Authorizer) bool { return a.NodeRead("") && a.ServiceRead("") }
