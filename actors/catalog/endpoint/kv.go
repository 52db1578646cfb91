package endpoint

import (
	"errors"
	"fmt"

	"github.com/actor-consul/consul/messages/wire"
)

// KVGet returns a key.
var KVGet = Read[wire.KeyRequest, wire.IndexedDirEntries]{"KVS.Get", kvGet}

func kvGet(env *Env, args *wire.KeyRequest, reply *wire.IndexedDirEntries) error {
	if err := env.may(func(a Authorizer) bool { return a.KeyRead(args.Key) }); err != nil {
		return err
	}
	idx, e := env.View.KVSGet(env.Watch, args.Key)
	reply.Index = idx
	if e == nil {
		return ErrNotFound
	}
	reply.Entries = wire.DirEntries{e}
	return nil
}

// KVList returns the keys with a prefix and their values.
var KVList = Read[wire.KeyRequest, wire.IndexedDirEntries]{"KVS.List", kvList}

func kvList(env *Env, args *wire.KeyRequest, reply *wire.IndexedDirEntries) error {
	if err := env.may(func(a Authorizer) bool { return a.KeyList(args.Key) }); err != nil {
		return err
	}
	reply.Index, reply.Entries = env.View.KVSList(env.Watch, args.Key)
	reply.Entries = visible(env, &reply.QueryMeta, reply.Entries, func(a Authorizer, e *wire.DirEntry) bool { return a.KeyRead(e.Key) })
	return nil
}

// KVListKeys returns the keys with a prefix, up to a separator.
var KVListKeys = Read[wire.KeyListRequest, wire.IndexedKeyList]{"KVS.ListKeys", kvListKeys}

func kvListKeys(env *Env, args *wire.KeyListRequest, reply *wire.IndexedKeyList) error {
	if err := env.may(func(a Authorizer) bool { return a.KeyList(args.Prefix) }); err != nil {
		return err
	}
	reply.Index, reply.Keys = env.View.KVSListKeys(env.Watch, args.Prefix, args.Seperator)
	reply.Keys = visible(env, &reply.QueryMeta, reply.Keys, Authorizer.KeyRead)
	return nil
}

// KVApply changes keys. The reply says whether it did.
var KVApply = Write[wire.KVSRequest, bool]{"KVS.Apply", wire.KVSRequestType, prepareKV, resultBool}

func prepareKV(env *Env, args *wire.KVSRequest, reply *bool) (bool, error) {
	*reply = false
	if err := mayKV(env, args.Op, &args.DirEnt); err != nil {
		return false, err
	}
	return args.Op != wire.KVLock || !held(env, &args.DirEnt) && !delayed(env, &args.DirEnt), nil
}

// held says whether a lock is another session's. So does the state, and for good; but
// the lock delay can only be looked at before the entry is written, and a holder that
// ended between the look and the entry would leave a lock without one.
func held(env *Env, e *wire.DirEntry) bool {
	_, have := env.View.KVSGet(nil, e.Key)
	return have != nil && have.Session != "" && have.Session != e.Session
}

// delayed says whether a lock was taken from a session so lately that its holder may
// not have noticed.
func delayed(env *Env, e *wire.DirEntry) bool { return env.View.LockDelay(e.Key).After(env.Now) }

// mayKV returns why an operation on a key makes no sense or is not allowed.
func mayKV(env *Env, op wire.KVOp, e *wire.DirEntry) error {
	if e.Key == "" && op != wire.KVDeleteTree {
		return errors.New("Must provide key")
	}
	var allows func(Authorizer) bool
	switch op {
	case wire.KVDeleteTree:
		allows = func(a Authorizer) bool { return a.KeyWritePrefix(e.Key) }
	case wire.KVGet, wire.KVGetOrEmpty, wire.KVGetTree, wire.KVCheckSession, wire.KVCheckIndex, wire.KVCheckNotExists:
		allows = func(a Authorizer) bool { return a.KeyRead(e.Key) }
	case wire.KVSet, wire.KVDelete, wire.KVDeleteCAS, wire.KVCAS, wire.KVLock, wire.KVUnlock:
		allows = func(a Authorizer) bool { return a.KeyWrite(e.Key) }
	default:
		return fmt.Errorf("unknown KV operation: %s", op)
	}
	return env.may(allows)
}
