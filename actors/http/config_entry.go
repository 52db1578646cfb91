package http

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/actor-consul/consul/actors/catalog/endpoint"
	"github.com/actor-consul/consul/messages/wire"
)

// The routes below /v1/config, of the entries that configure a service mesh. They are
// kept for those who act upon them; here intentions and what stands behind gateways are
// read from them:
// https://developer.hashicorp.com/consul/api-docs/config.
var (
	configGet = query[wire.ConfigEntryQuery, wire.ConfigEntryResponse]{
		read: endpoint.ConfigEntryGet, args: ofEntry,
		show: func(r *request, reply *wire.ConfigEntryResponse) (*answer, error) {
			if reply.Entry == nil {
				kind, name, _ := strings.Cut(r.tail, "/")
				return nil, refusal(http.StatusNotFound, fmt.Sprintf("Config entry not found for %q / %q", kind, name))
			}
			return with(reply.Entry), nil
		},
	}.handle

	configList = query[wire.ConfigEntryQuery, wire.IndexedConfigEntries]{
		read: endpoint.ConfigEntryList, args: ofEntry,
		show: func(_ *request, reply *wire.IndexedConfigEntries) (*answer, error) {
			return with(orEmpty(reply.Entries)), nil
		},
	}.handle

	configApply = command[wire.ConfigEntryRequest, bool]{
		write: endpoint.ConfigEntryApply,
		args: func(r *request, args *wire.ConfigEntryRequest) (err error) {
			if deeperThan(r.body, maxNesting) {
				return refusal(http.StatusBadRequest, fmt.Sprintf("Request decoding failed: the JSON is nested more than %d deep", maxNesting))
			}
			if args.Entry, err = wire.DecodeConfigEntry(r.body); err != nil {
				return refusal(http.StatusBadRequest, "Request decoding failed: "+err.Error())
			}
			args.Op = wire.ConfigEntryUpsert
			return r.entryArgs(args, wire.ConfigEntryUpsertCAS)
		},
		show: func(_ *wire.ConfigEntryRequest, done *bool) *answer { return with(*done) },
	}.handle

	configDelete = command[wire.ConfigEntryRequest, wire.ConfigEntryDeleteResponse]{
		write: endpoint.ConfigEntryDelete,
		args: func(r *request, args *wire.ConfigEntryRequest) (err error) {
			kind, name, both := strings.Cut(r.tail, "/")
			if !both {
				return refusal(http.StatusNotFound, "Must provide both a kind and name to delete")
			}
			if args.Entry, err = wire.NewConfigEntry(kind, name); err != nil {
				return refusal(http.StatusBadRequest, err.Error())
			}
			args.Op = wire.ConfigEntryDelete
			return r.entryArgs(args, wire.ConfigEntryDeleteCAS)
		},
		show: func(args *wire.ConfigEntryRequest, reply *wire.ConfigEntryDeleteResponse) *answer {
			if args.Op == wire.ConfigEntryDeleteCAS {
				return with(reply.Deleted)
			}
			return with(struct{}{})
		},
	}.handle
)

// configRead answers GET, which is for one entry or for all of a kind.
func configRead(r *request) (*answer, error) {
	if strings.Contains(r.tail, "/") {
		return configGet(r)
	}
	return configList(r)
}

func ofEntry(r *request, args *wire.ConfigEntryQuery) error {
	args.Kind, args.Name, _ = strings.Cut(r.tail, "/")
	args.Datacenter = r.datacenter()
	return nil
}

// entryArgs reads what all writes of entries have; with ?cas the operation is
// another.
func (r *request) entryArgs(args *wire.ConfigEntryRequest, cas wire.ConfigEntryOp) error {
	args.Datacenter = r.datacenter()
	if r.param("cas") == "" {
		return nil
	}
	index, err := strconv.ParseUint(r.param("cas"), 10, 64)
	if err != nil {
		return err
	}
	args.Op = cas
	wire.SetConfigEntryIndex(args.Entry, wire.RaftIndex{ModifyIndex: index})
	return nil
}
