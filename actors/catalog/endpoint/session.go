package endpoint

import (
	"errors"
	"fmt"
	"time"

	"github.com/actor-consul/consul/messages/wire"
)

func canReadSession(a Authorizer, s *wire.Session) bool { return a.SessionRead(s.Node) }

// SessionGet returns a session.
var SessionGet = Read[wire.SessionSpecificRequest, wire.IndexedSessions]{"Session.Get", sessionGet}

func sessionGet(env *Env, args *wire.SessionSpecificRequest, reply *wire.IndexedSessions) error {
	idx, sess := env.View.SessionGet(env.Watch, args.ID())
	reply.Index = idx
	if sess == nil {
		return ErrNotFound
	}
	reply.Sessions = visible(env, &reply.QueryMeta, wire.Sessions{sess}, canReadSession)
	return nil
}

// SessionList lists all sessions.
var SessionList = Read[wire.SessionSpecificRequest, wire.IndexedSessions]{"Session.List", sessionList}

func sessionList(env *Env, _ *wire.SessionSpecificRequest, reply *wire.IndexedSessions) error {
	reply.Index, reply.Sessions = env.View.Sessions(env.Watch)
	reply.Sessions = visible(env, &reply.QueryMeta, reply.Sessions, canReadSession)
	return nil
}

// NodeSessions lists the sessions of a node.
var NodeSessions = Read[wire.NodeSpecificRequest, wire.IndexedSessions]{"Session.NodeSessions", nodeSessions}

func nodeSessions(env *Env, args *wire.NodeSpecificRequest, reply *wire.IndexedSessions) error {
	reply.Index, reply.Sessions = env.View.NodeSessions(env.Watch, args.Node)
	reply.Sessions = visible(env, &reply.QueryMeta, reply.Sessions, canReadSession)
	return nil
}

// SessionRenew returns the session whose deadline is to be pushed back, none if it
// has ended, and says whether the asker may. It is not in Methods: the leader's actor
// that keeps the deadlines has the last word, and invoke brings both together.
var SessionRenew = Read[wire.SessionSpecificRequest, wire.IndexedSessions]{"Session.Renew", sessionRenew}

func sessionRenew(env *Env, args *wire.SessionSpecificRequest, reply *wire.IndexedSessions) error {
	idx, sess := env.View.SessionGet(nil, args.ID())
	reply.Index = idx
	if sess == nil {
		return nil
	}
	if err := env.may(func(a Authorizer) bool { return a.SessionWrite(sess.Node) }); err != nil {
		return err
	}
	reply.Sessions = wire.Sessions{sess}
	return nil
}

// SessionApply makes or ends a session. The reply is the ID of the new one.
var SessionApply = Write[wire.SessionRequest, string]{"Session.Apply", wire.SessionRequestType, prepareSession, resultSession}

func resultSession(result any, reply *string) error {
	switch r := result.(type) {
	case error:
		return fmt.Errorf("apply failed: %w", r)
	case string:
		*reply = r
	}
	return nil
}

func prepareSession(env *Env, args *wire.SessionRequest, _ *string) (bool, error) {
	sess := &args.Session
	switch {
	case sess.ID == "" && args.Op == wire.SessionDestroy:
		return false, errors.New("Must provide ID")
	case sess.Node == "" && args.Op == wire.SessionCreate:
		return false, errors.New("Must provide Node")
	}
	switch args.Op {
	case wire.SessionDestroy:
		_, existing := env.View.SessionGet(nil, sess.ID)
		if existing == nil {
			return false, nil // it has ended already
		}
		err := env.may(func(a Authorizer) bool { return a.SessionWrite(existing.Node) })
		return err == nil, err
	case wire.SessionCreate:
		if err := env.may(func(a Authorizer) bool { return a.SessionWrite(sess.Node) }); err != nil {
			return false, err
		}
	default:
		return false, fmt.Errorf("Invalid session operation %q", args.Op)
	}
	if err := checkSession(env, sess); err != nil {
		return false, err
	}
	id, err := freeSessionID(env)
	sess.ID = id
	return err == nil, err
}

func checkSession(env *Env, sess *wire.Session) error {
	switch sess.Behavior {
	case "":
		sess.Behavior = wire.SessionKeysRelease
	case wire.SessionKeysRelease, wire.SessionKeysDelete:
	default:
		return fmt.Errorf("Invalid Behavior setting '%s'", sess.Behavior)
	}
	if sess.TTL == "" {
		return nil
	}
	ttl, err := time.ParseDuration(sess.TTL)
	if err != nil {
		return fmt.Errorf("Session TTL '%s' invalid: %w", sess.TTL, err)
	}
	if least := env.sessionTTLMin(); ttl != 0 && (ttl < least || ttl > wire.SessionTTLMax) {
		return fmt.Errorf("Invalid Session TTL '%d', must be between [%v=%v]", ttl, least, wire.SessionTTLMax)
	}
	return nil
}

func freeSessionID(env *Env) (string, error) {
	for {
		id, err := env.newID()
		if err != nil {
			return "", fmt.Errorf("make a session ID: %w", err)
		}
		if _, taken := env.View.SessionGet(nil, id); taken == nil {
			return id, nil
		}
	}
}
