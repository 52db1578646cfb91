package endpoint

import (
	"errors"
	"fmt"

	"github.com/actor-consul/consul/messages/wire"
)

// ConfigEntryGet returns one config entry.
var ConfigEntryGet = Read[wire.ConfigEntryQuery, wire.ConfigEntryResponse]{"ConfigEntry.Get", configEntryGet}

func configEntryGet(env *Env, args *wire.ConfigEntryQuery, reply *wire.ConfigEntryResponse) error {
	sample, err := wire.NewConfigEntry(args.Kind, args.Name)
	if err != nil {
		return err
	}
	if err := env.may(func(a Authorizer) bool { return canReadEntry(a, sample) }); err != nil {
		return err
	}
	if reply.Index, reply.Entry = env.View.ConfigEntry(env.Watch, args.Kind, args.Name); reply.Entry == nil {
		return ErrNotFound
	}
	return nil
}

// ConfigEntryList returns the config entries of a kind.
var ConfigEntryList = Read[wire.ConfigEntryQuery, wire.IndexedConfigEntries]{"ConfigEntry.List", configEntryList}

func configEntryList(env *Env, args *wire.ConfigEntryQuery, reply *wire.IndexedConfigEntries) error {
	if _, err := wire.NewConfigEntry(args.Kind, ""); err != nil {
		return fmt.Errorf("invalid config entry kind: %s", args.Kind)
	}
	if args.Filter != "" {
		return fmt.Errorf("filtering not supported for config entry kind=%v", args.Kind)
	}
	reply.Kind = args.Kind
	reply.Index, reply.Entries = env.View.ConfigEntries(env.Watch, args.Kind)
	reply.Entries = visible(env, &reply.QueryMeta, reply.Entries, canReadEntry)
	if len(reply.Entries) == 0 {
		return ErrNotFound
	}
	return nil
}

// ConfigEntryApply sets a config entry. The reply says whether it did.
var ConfigEntryApply = Write[wire.ConfigEntryRequest, bool]{"ConfigEntry.Apply", wire.ConfigEntryRequestType, prepareEntry, resultBool}

func prepareEntry(env *Env, args *wire.ConfigEntryRequest, reply *bool) (bool, error) {
	*reply = false
	if args.Op != wire.ConfigEntryUpsertCAS {
		args.Op = wire.ConfigEntryUpsert
	}
	if err := mayWriteEntry(env, args.Entry); err != nil {
		return false, err
	}
	wire.NormalizeConfigEntry(args.Entry)
	return true, nil
}

// ConfigEntryDelete deletes a config entry.
var ConfigEntryDelete = Write[wire.ConfigEntryRequest, wire.ConfigEntryDeleteResponse]{
	"ConfigEntry.Delete", wire.ConfigEntryRequestType, prepareEntryDelete,
	func(result any, reply *wire.ConfigEntryDeleteResponse) error {
		return resultBool(result, &reply.Deleted)
	},
}

func prepareEntryDelete(env *Env, args *wire.ConfigEntryRequest, _ *wire.ConfigEntryDeleteResponse) (bool, error) {
	if args.Op != wire.ConfigEntryDeleteCAS {
		args.Op = wire.ConfigEntryDelete
	}
	err := mayWriteEntry(env, args.Entry)
	return err == nil, err
}

// mayWriteEntry says whether an entry has a name that it may have, and whether the
// asker may write it.
func mayWriteEntry(env *Env, e wire.ConfigEntry) error {
	if e == nil {
		return errors.New("Must provide a config entry")
	}
	name := e.GetName()
	switch only := onlyEntry[e.GetKind()]; {
	case name == "":
		return errors.New("Name is required")
	case only != "" && name != only:
		return fmt.Errorf("invalid name (%q), only %q is supported", name, only)
	}
	return env.may(func(a Authorizer) bool {
		if onlyEntry[e.GetKind()] != "" {
			return a.OperatorWrite()
		}
		return a.ServiceWrite(name)
	})
}

// onlyEntry has the kinds of which there is one, and its name.
var onlyEntry = map[string]string{"proxy-defaults": "global", "mesh": "mesh", "exported-services": "default"}

func canReadEntry(a Authorizer, e wire.ConfigEntry) bool {
	return onlyEntry[e.GetKind()] != "" || a.ServiceRead(e.GetName())
}
