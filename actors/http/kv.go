package http

import (
	"maps"
	"net/http"
	"strconv"

	"github.com/actor-consul/consul/actors/catalog/endpoint"
	"github.com/actor-consul/consul/messages/wire"
)

// The routes below /v1/kv: https://developer.hashicorp.com/consul/api-docs/kv.
var (
	kvGet = query[wire.KeyRequest, wire.IndexedDirEntries]{
		read: endpoint.KVGet, silent: true, show: showEntries, form: formOfEntries,
		args: func(r *request, args *wire.KeyRequest) error {
			if r.tail == "" {
				return missing("key name")
			}
			return ofKey(r, args)
		},
	}.handle

	kvRecurse = query[wire.KeyRequest, wire.IndexedDirEntries]{
		read: endpoint.KVList, silent: true, args: ofKey, show: showEntries, worth: true, form: as("entries"),
	}.handle

	kvKeys = query[wire.KeyListRequest, wire.IndexedKeyList]{
		read: endpoint.KVListKeys, silent: true, worth: true, form: as("keys"),
		args: func(r *request, args *wire.KeyListRequest) error {
			args.Datacenter = r.datacenter()
			args.Prefix = r.tail
			args.Seperator = r.param("seperator") // as Consul once spelt it
			if r.has("separator") {
				args.Seperator = r.param("separator")
			}
			return nil
		},
		show: func(r *request, reply *wire.IndexedKeyList) (*answer, error) {
			if len(reply.Keys) == 0 && r.tail != "" {
				return &answer{status: http.StatusNotFound}, nil
			}
			return with(orEmpty(reply.Keys)), nil
		},
	}.handle

	kvPut = command[wire.KVSRequest, bool]{
		write: endpoint.KVApply, args: putArgs,
		show: func(args *wire.KVSRequest, changed *bool) *answer {
			if args.Op == wire.KVSet {
				return with(true)
			}
			return with(*changed)
		},
	}.handle

	kvDelete = command[wire.KVSRequest, bool]{
		write: endpoint.KVApply, args: deleteArgs,
		show: func(args *wire.KVSRequest, changed *bool) *answer {
			if args.Op == wire.KVDeleteCAS {
				return with(*changed)
			}
			return with(true)
		},
	}.handle
)

// kvRead answers GET, which is three reads.
func kvRead(r *request) (*answer, error) {
	switch {
	case r.has("keys"):
		return kvKeys(r)
	case r.has("recurse"):
		return kvRecurse(r)
	default:
		return kvGet(r)
	}
}

func ofKey(r *request, args *wire.KeyRequest) error {
	args.Datacenter = r.datacenter()
	args.Key = r.tail
	return nil
}

func showEntries(r *request, reply *wire.IndexedDirEntries) (*answer, error) {
	if len(reply.Entries) == 0 {
		return &answer{status: http.StatusNotFound}, nil
	}
	if r.has("raw") && !r.has("recurse") {
		// A value may be anything, such as a script, and a browser shall not run it:
		// it is text, and in a sandbox.
		return &answer{
			raw:    &raw{contentType: "text/plain", bytes: reply.Entries[0].Value},
			header: http.Header{"Content-Security-Policy": {"sandbox"}},
		}, nil
	}
	return with(reply.Entries), nil
}

// formOfEntries tells what showEntries makes of a request for one key.
func formOfEntries(r *request) string {
	if r.has("raw") {
		return "value"
	}
	return "entries"
}

func putArgs(r *request, args *wire.KVSRequest) error {
	if r.tail == "" {
		return missing("key name")
	}
	if err := r.oneOf("cas", "acquire", "release"); err != nil {
		return err
	}
	args.Datacenter = r.datacenter()
	args.Op = wire.KVSet
	args.DirEnt.Key = r.tail
	args.DirEnt.Value = r.body
	if r.has("flags") {
		flags, err := strconv.ParseUint(r.param("flags"), 10, 64)
		if err != nil {
			return err
		}
		args.DirEnt.Flags = flags
	}
	switch {
	case r.has("cas"):
		args.Op = wire.KVCAS
		return r.casArgs(args)
	case r.has("acquire"):
		args.Op, args.DirEnt.Session = wire.KVLock, r.param("acquire")
	case r.has("release"):
		args.Op, args.DirEnt.Session = wire.KVUnlock, r.param("release")
	}
	return nil
}

func deleteArgs(r *request, args *wire.KVSRequest) error {
	if err := r.oneOf("recurse", "cas"); err != nil {
		return err
	}
	args.Datacenter = r.datacenter()
	args.Op = wire.KVDelete
	args.DirEnt.Key = r.tail
	switch {
	case r.has("recurse"):
		args.Op = wire.KVDeleteTree
		return nil
	case r.tail == "":
		return missing("key name")
	case r.has("cas"):
		args.Op = wire.KVDeleteCAS
		return r.casArgs(args)
	}
	return nil
}

func (r *request) casArgs(args *wire.KVSRequest) error {
	index, err := strconv.ParseUint(r.param("cas"), 10, 64)
	args.DirEnt.ModifyIndex = index
	return err
}

// oneOf refuses a request that has more than one of the parameters.
func (r *request) oneOf(names ...string) error {
	found := false
	for _, name := range names {
		if !r.has(name) {
			continue
		}
		if found {
			told := maps.Clone(r.query)
			told.Del("token") // it would go to the log too
			return refusal(http.StatusBadRequest, "Conflicting flags: "+told.Encode()+"\n")
		}
		found = true
	}
	return nil
}
