package http

import (
	"errors"

	"github.com/actor-consul/consul/actors/invoke"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// duty is how something is had done that is neither a read of the state nor an entry
// of the log.
type duty[A, R any] struct {
	do *invoke.Duty[A, R]
	// args finds what is asked for in the URL, but for the options that every read
	// has.
	args func(*request, *A) error
	// show makes the answer.
	show func(*request, *R) (*answer, error)

	// alone says that this server may answer when nobody leads.
	alone bool
}

// handle carries out a request; it is a handler.
func (d duty[A, R]) handle(r *request) (*answer, error) {
	if err := r.checkNames(anyNames); err != nil {
		return nil, err
	}
	args := new(A)
	read, isRead := any(args).(wire.Read)
	if isRead {
		if err := r.options(read.Options()); err != nil {
			return nil, err
		}
	} else {
		any(args).(wire.Request).SetTokenSecret(r.token())
	}
	if err := d.args(r, args); err != nil {
		return nil, err
	}
	reply := new(R)
	err := invoke.Do(r.Context(), r.api.cfg.Invoker, d.do, args, reply)
	if isRead && d.alone && errors.Is(err, messages.ErrNoLeader) && r.api.cfg.Facts.Server {
		read.Options().AllowStale = true
		err = invoke.Do(r.Context(), r.api.cfg.Invoker, d.do, args, reply)
	}
	if err != nil {
		return nil, err
	}
	return d.show(r, reply)
}
