package http

import (
	"github.com/actor-consul/consul/actors/catalog/endpoint"
	"github.com/actor-consul/consul/actors/invoke"
	"github.com/actor-consul/consul/messages/wire"
)

// command is how one write of the API is carried out.
type command[A, R any] struct {
	write endpoint.Write[A, R]
	// args finds what is to be done in the URL and the body.
	args func(*request, *A) error
	// show makes the answer.
	show func(*A, *R) *answer
}

// handle carries out a request; it is a handler.
func (c command[A, R]) handle(r *request) (*answer, error) {
	if err := r.checkNames(noNames); err != nil {
		return nil, err
	}
	args, reply := new(A), new(R)
	if err := c.args(r, args); err != nil {
		return nil, err
	}
	any(args).(wire.Request).SetTokenSecret(r.token())
	if err := invoke.Write(r.Context(), r.api.cfg.Invoker, c.write, args, reply); err != nil {
		return nil, err
	}
	return c.show(args, reply), nil
}

// done shows that a command was carried out.
func done[A, R any](*A, *R) *answer { return with(true) }
