package http

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/actor-consul/consul/actors/catalog/endpoint"
	"github.com/actor-consul/consul/actors/invoke"
	"github.com/actor-consul/consul/messages/wire"
)

// defaultLockDelay is the lock delay of a session that does not say.
const defaultLockDelay = 15 * time.Second

// The routes below /v1/session: https://developer.hashicorp.com/consul/api-docs/session.
var (
	sessionInfo = query[wire.SessionSpecificRequest, wire.IndexedSessions]{
		read: endpoint.SessionGet, silent: true, args: ofSession, show: showSessions,
	}.handle

	sessionList = query[wire.SessionSpecificRequest, wire.IndexedSessions]{
		read: endpoint.SessionList, silent: true, show: showSessions,
		args: func(r *request, args *wire.SessionSpecificRequest) error {
			args.Datacenter = r.datacenter()
			return nil
		},
	}.handle

	sessionNode = query[wire.NodeSpecificRequest, wire.IndexedSessions]{
		read: endpoint.NodeSessions, silent: true, args: onNode, show: showSessions,
	}.handle

	sessionRenew = duty[wire.SessionSpecificRequest, wire.IndexedSessions]{
		do: invoke.SessionRenew, args: ofSession,
		show: func(r *request, reply *wire.IndexedSessions) (*answer, error) {
			if len(reply.Sessions) == 0 {
				return nil, refusal(http.StatusNotFound, fmt.Sprintf("Session id '%s' not found", r.tail))
			}
			return with(reply.Sessions), nil
		},
	}.handle

	sessionCreate = command[wire.SessionRequest, string]{
		write: endpoint.SessionApply, args: newSession,
		show: func(_ *wire.SessionRequest, id *string) *answer { return with(struct{ ID string }{*id}) },
	}.handle

	sessionDestroy = command[wire.SessionRequest, string]{
		write: endpoint.SessionApply, show: done[wire.SessionRequest, string],
		args: func(r *request, args *wire.SessionRequest) error {
			if r.tail == "" {
				return missing("session")
			}
			args.Datacenter = r.datacenter()
			args.Op = wire.SessionDestroy
			args.Session.ID = r.tail
			return nil
		},
	}.handle
)

func ofSession(r *request, args *wire.SessionSpecificRequest) error {
	if r.tail == "" {
		return missing("session")
	}
	args.Datacenter = r.datacenter()
	args.SessionID, args.Session = r.tail, r.tail
	return nil
}

func showSessions(_ *request, reply *wire.IndexedSessions) (*answer, error) {
	return with(orEmpty(reply.Sessions)), nil
}

// newSession reads what session is wanted. One that does not say which checks it
// depends on depends on its node being alive; one that says "none" depends on
// nothing.
func newSession(r *request, args *wire.SessionRequest) error {
	own := &r.api.cfg.Facts
	args.Datacenter = r.datacenter()
	args.Op = wire.SessionCreate
	args.Session = wire.Session{
		Node:      own.NodeName,
		LockDelay: defaultLockDelay,
		Behavior:  wire.SessionKeysRelease,
	}
	s := &args.Session
	if len(r.body) > 0 {
		if err := r.decodeHere(s); err != nil {
			return err
		}
	}
	switch {
	case s.NodeChecks == nil && s.Checks == nil:
		s.NodeChecks = []string{wire.SerfCheckID}
	case s.NodeChecks == nil:
		s.NodeChecks = []string{}
	}
	if args.Datacenter != own.Datacenter && !own.Server {
		return errors.New("cross datacenter lock must be created at server agent")
	}
	return nil
}
