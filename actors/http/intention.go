package http

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/hashicorp/go-uuid"

	"github.com/actor-consul/consul/actors/catalog/endpoint"
	"github.com/actor-consul/consul/actors/invoke"
	"github.com/actor-consul/consul/messages/wire"
)

// The routes below /v1/connect/intentions: which service may connect to which. The
// reads look at all config entries of that kind, which are few; a write changes one of
// them, if nobody else has changed it meanwhile:
// https://developer.hashicorp.com/consul/api-docs/connect/intentions.
var (
	intentionList = aboutIntentions(func(_ *request, entries []wire.ConfigEntry) (any, error) {
		return wire.Intentions(entries), nil
	})

	intentionMatch = aboutIntentions(func(r *request, entries []wire.ConfigEntry) (any, error) {
		by, names := r.param("by"), r.query["name"]
		switch {
		case by != "source" && by != "destination":
			return nil, refusal(http.StatusBadRequest, "'by' parameter must be one of 'source' or 'destination'")
		case len(names) == 0:
			return nil, refusal(http.StatusBadRequest, "required query parameter 'name' not set")
		}
		all, found := wire.Intentions(entries), map[string][]*wire.Intention{}
		for _, given := range names {
			name, err := serviceName("name", given)
			if err != nil {
				return nil, err
			}
			if by == "source" {
				found[given] = wire.IntentionsFor(all, name, "")
			} else {
				found[given] = wire.IntentionsFor(all, "", name)
			}
		}
		return found, nil
	})

	intentionCheck = aboutIntentions(func(r *request, entries []wire.ConfigEntry) (any, error) {
		source, destination, err := r.pair()
		if err != nil {
			return nil, err
		}
		allowed, _ := wire.MayConnect(wire.Intentions(entries), source, destination)
		return struct{ Allowed bool }{allowed}, nil
	})

	intentionExact = aboutIntentions(func(r *request, entries []wire.ConfigEntry) (any, error) {
		source, destination, err := r.pair()
		if err != nil {
			return nil, err
		}
		for _, i := range wire.Intentions(entries) {
			if i.SourceName == source && i.DestinationName == destination {
				return i, nil
			}
		}
		return nil, refusal(http.StatusNotFound, wire.ErrIntentionNotFound.Error())
	})

	intentionGet = aboutIntentions(func(r *request, entries []wire.ConfigEntry) (any, error) {
		if err := checkIntentionID(r.tail); err != nil {
			return nil, err
		}
		for _, i := range wire.Intentions(entries) {
			if i.ID == r.tail {
				return i, nil
			}
		}
		return nil, refusal(http.StatusNotFound, wire.ErrIntentionNotFound.Error())
	})
)

// aboutIntentions is a read that shows something of the entries that hold intentions.
func aboutIntentions(show func(*request, []wire.ConfigEntry) (any, error)) handler {
	return query[wire.ConfigEntryQuery, wire.IndexedConfigEntries]{
		read: endpoint.ConfigEntryList,
		args: func(r *request, args *wire.ConfigEntryQuery) error {
			args.Kind, args.Datacenter, args.Filter = wire.IntentionKind, r.datacenter(), ""
			return nil
		},
		show: func(r *request, reply *wire.IndexedConfigEntries) (*answer, error) {
			shown, err := show(r, reply.Entries)
			if err != nil {
				return nil, err
			}
			return with(shown), nil
		},
	}.handle
}

// intentionCreate sets an intention that is known by an ID of its own.
func intentionCreate(r *request) (*answer, error) {
	i, err := r.intention()
	if err != nil {
		return nil, err
	}
	if i.ID != "" {
		return nil, refusal(http.StatusBadRequest, "ID must be empty when creating a new intention")
	}
	if i.ID, err = uuid.GenerateUUID(); err != nil {
		return nil, err
	}
	err = r.changeIntentions(func(entries []wire.ConfigEntry) (*wire.ServiceIntentions, error) {
		return wire.SetIntention(entryOf(entries, i.DestinationName), i, time.Now())
	})
	if err != nil {
		return nil, err
	}
	return with(struct{ ID string }{i.ID}), nil
}

// intentionUpdate replaces the intention with an ID.
func intentionUpdate(r *request) (*answer, error) {
	if err := checkIntentionID(r.tail); err != nil {
		return nil, err
	}
	i, err := r.intention()
	if err != nil {
		return nil, err
	}
	i.ID = r.tail
	err = r.changeIntentions(func(entries []wire.ConfigEntry) (*wire.ServiceIntentions, error) {
		was, err := wire.FindIntention(entries, i.ID)
		if err != nil {
			return nil, err
		}
		if err := wire.CheckDestination(was, i); err != nil {
			return nil, err
		}
		return wire.SetIntention(was, i, time.Now())
	})
	if err != nil {
		return nil, err
	}
	return with(struct{ ID string }{i.ID}), nil
}

// intentionDelete deletes the intention with an ID.
func intentionDelete(r *request) (*answer, error) {
	if err := checkIntentionID(r.tail); err != nil {
		return nil, err
	}
	err := r.changeIntentions(func(entries []wire.ConfigEntry) (*wire.ServiceIntentions, error) {
		was, err := wire.FindIntention(entries, r.tail)
		if err != nil {
			return nil, err
		}
		return wire.RemoveIntention(was, r.tail, ""), nil
	})
	return with(true), err
}

// intentionPut sets the intention of a source and a destination.
func intentionPut(r *request) (*answer, error) {
	source, destination, err := r.pair()
	if err != nil {
		return nil, err
	}
	i := new(wire.Intention)
	if err := r.decode(i); err != nil {
		return nil, err
	}
	i.ID, i.SourceName, i.DestinationName = "", source, destination
	err = r.changeIntentions(func(entries []wire.ConfigEntry) (*wire.ServiceIntentions, error) {
		return wire.SetIntention(entryOf(entries, destination), i, time.Now())
	})
	return with(true), err
}

// intentionRemove deletes the intention of a source and a destination, if there is
// one.
func intentionRemove(r *request) (*answer, error) {
	source, destination, err := r.pair()
	if err != nil {
		return nil, err
	}
	err = r.changeIntentions(func(entries []wire.ConfigEntry) (*wire.ServiceIntentions, error) {
		if was := entryOf(entries, destination); was != nil {
			return wire.RemoveIntention(was, "", source), nil
		}
		return nil, nil
	})
	return with(true), err
}

// maxIntentionTries is how often a change is begun anew because somebody else was
// quicker.
const maxIntentionTries = 16

// errIntentionsBusy is returned when somebody else was quicker each time.
var errIntentionsBusy = errors.New("others change the intentions of this destination all the time; try again")

// changeIntentions writes the entry that change makes of those that there are; nil
// is for no change.
func (r *request) changeIntentions(change func([]wire.ConfigEntry) (*wire.ServiceIntentions, error)) error {
	if err := r.checkNames(noNames); err != nil {
		return err
	}
	for range maxIntentionTries {
		entries, err := r.intentionEntries()
		if err != nil {
			return err
		}
		e, err := change(entries)
		switch {
		case errors.Is(err, wire.ErrIntentionNotFound):
			return refusal(http.StatusNotFound, err.Error())
		case err != nil:
			return refusal(http.StatusBadRequest, err.Error())
		case e == nil:
			return nil
		}
		if done, err := r.writeIntentions(e); done || err != nil {
			return err
		}
	}
	return errIntentionsBusy
}

// intentionEntries returns the entries that hold intentions, as they are now.
func (r *request) intentionEntries() ([]wire.ConfigEntry, error) {
	args := &wire.ConfigEntryQuery{Kind: wire.IntentionKind, Datacenter: r.datacenter()}
	args.Token = r.token()
	reply := new(wire.IndexedConfigEntries)
	err := invoke.Read(r.Context(), r.api.cfg.Invoker, endpoint.ConfigEntryList, args, reply)
	return reply.Entries, err
}

// writeIntentions replaces an entry, or deletes one that has become empty, unless
// somebody else was quicker.
func (r *request) writeIntentions(e *wire.ServiceIntentions) (done bool, err error) {
	args := &wire.ConfigEntryRequest{Op: wire.ConfigEntryUpsertCAS, Datacenter: r.datacenter(), Entry: e}
	args.Token = r.token()
	if len(e.Sources) > 0 {
		err = invoke.Write(r.Context(), r.api.cfg.Invoker, endpoint.ConfigEntryApply, args, &done)
		return done, err
	}
	args.Op = wire.ConfigEntryDeleteCAS
	var gone wire.ConfigEntryDeleteResponse
	err = invoke.Write(r.Context(), r.api.cfg.Invoker, endpoint.ConfigEntryDelete, args, &gone)
	return gone.Deleted, err
}

// entryOf returns the entry of a destination, or nil.
func entryOf(entries []wire.ConfigEntry, destination string) *wire.ServiceIntentions {
	for _, e := range entries {
		if e.GetName() == destination {
			found, _ := e.(*wire.ServiceIntentions)
			return found
		}
	}
	return nil
}

// intention reads an intention from the body.
func (r *request) intention() (*wire.Intention, error) {
	i := new(wire.Intention)
	if err := r.decode(i); err != nil {
		return nil, err
	}
	for _, ns := range []string{i.SourceNS, i.DestinationNS, i.SourcePartition, i.DestinationPartition} {
		if ns != "" && ns != "default" {
			return nil, refusal(http.StatusBadRequest, fmt.Sprintf("Invalid namespace or partition %q: they are a Consul Enterprise feature", ns))
		}
	}
	return i, nil
}

// pair reads the source and the destination.
func (r *request) pair() (source, destination string, err error) {
	for _, of := range []struct {
		param string
		into  *string
	}{{"source", &source}, {"destination", &destination}} {
		given := r.query[of.param]
		if len(given) != 1 || given[0] == "" {
			return "", "", refusal(http.StatusBadRequest, fmt.Sprintf("required query parameter '%s' not set", of.param))
		}
		if *of.into, err = serviceName(of.param, given[0]); err != nil {
			return "", "", err
		}
	}
	return source, destination, nil
}

func serviceName(param, text string) (string, error) {
	name, err := wire.ParseServiceName(text)
	if err != nil {
		return "", refusal(http.StatusBadRequest, fmt.Sprintf("%s %q is invalid: %s", param, text, err))
	}
	return name, nil
}

func checkIntentionID(id string) error {
	if _, err := uuid.ParseUUID(id); err != nil {
		return refusal(http.StatusBadRequest, "failed intention lookup: index error: UUID must be 36 characters")
	}
	return nil
}
