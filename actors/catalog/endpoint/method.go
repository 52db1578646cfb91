package endpoint

import (
	"fmt"

	"github.com/actor-consul/consul/messages/wire"
)

// Read is a method that changes nothing. A is the type of its arguments, R that of
// its reply.
type Read[A, R any] struct {
	// Method is the name of the method in Consul's RPC, such as "KVS.Get".
	Method string
	// Eval answers args from env.View into reply, a zero value. The reply shares
	// values with the view and must not be changed. An error is the asker's fault,
	// except ErrNotFound, with which the reply is good and empty.
	Eval func(env *Env, args *A, reply *R) error
}

// Write is a method that puts a request into the log.
type Write[A, R any] struct {
	// Method is the name of the method in Consul's RPC, such as "KVS.Apply".
	Method string
	// Type is the type of the log entry; args is its body.
	Type wire.MessageType
	// Prepare checks args against env.View and fills in what is left out. It runs on
	// the leader. When it returns false without an error there is nothing to write
	// and the reply is complete.
	Prepare func(env *Env, args *A, reply *R) (propose bool, err error)
	// Result turns what the state returned for the log entry into the reply.
	Result func(result any, reply *R) error
}

// Method is a read or a write of which only the name is known. It is a ReadMethod
// or a WriteMethod.
type Method interface {
	// Name is the name of the method in Consul's RPC.
	Name() string
	// NewArgs returns a pointer to zero arguments, to decode into.
	NewArgs() wire.Request
	// NewReply returns a pointer to a zero reply.
	NewReply() any
}

// ReadMethod is a Read without its types.
type ReadMethod interface {
	Method
	// EvalAny is Read.Eval. args and reply come from NewArgs and NewReply.
	EvalAny(env *Env, args wire.Request, reply any) error
}

// WriteMethod is a Write without its types.
type WriteMethod interface {
	Method
	// EntryType is Write.Type.
	EntryType() wire.MessageType
	// PrepareAny is Write.Prepare.
	PrepareAny(env *Env, args wire.Request, reply any) (propose bool, err error)
	// ResultAny is Write.Result.
	ResultAny(result, reply any) error
}

// Name implements Method.
func (r *Read[A, R]) Name() string { return r.Method }

// NewArgs implements Method.
func (r *Read[A, R]) NewArgs() wire.Request { return any(new(A)).(wire.Request) }

// NewReply implements Method.
func (r *Read[A, R]) NewReply() any { return new(R) }

// EvalAny implements ReadMethod.
func (r *Read[A, R]) EvalAny(env *Env, args wire.Request, reply any) error {
	a, out, err := typed[A, R](r.Method, args, reply)
	if err != nil {
		return err
	}
	return r.Eval(env, a, out)
}

// Name implements Method.
func (w *Write[A, R]) Name() string { return w.Method }

// NewArgs implements Method.
func (w *Write[A, R]) NewArgs() wire.Request { return any(new(A)).(wire.Request) }

// NewReply implements Method.
func (w *Write[A, R]) NewReply() any { return new(R) }

// EntryType implements WriteMethod.
func (w *Write[A, R]) EntryType() wire.MessageType { return w.Type }

// PrepareAny implements WriteMethod.
func (w *Write[A, R]) PrepareAny(env *Env, args wire.Request, reply any) (bool, error) {
	a, out, err := typed[A, R](w.Method, args, reply)
	if err != nil {
		return false, err
	}
	return w.Prepare(env, a, out)
}

// ResultAny implements WriteMethod.
func (w *Write[A, R]) ResultAny(result, reply any) error {
	out, ok := reply.(*R)
	if !ok {
		return fmt.Errorf("%s: reply is a %T, want a %T", w.Method, reply, out)
	}
	return w.Result(result, out)
}

func typed[A, R any](method string, args wire.Request, reply any) (*A, *R, error) {
	a, ok := any(args).(*A)
	if !ok {
		return nil, nil, fmt.Errorf("%s: arguments are a %T, want a %T", method, args, a)
	}
	out, ok := reply.(*R)
	if !ok {
		return nil, nil, fmt.Errorf("%s: reply is a %T, want a %T", method, reply, out)
	}
	return a, out, nil
}

// ours is a Read's Eval for requests that may name a peer. Nothing is imported from
// peers here, so that there is nothing of them to answer.
func ours[A, R any](eval func(*Env, *A, *R) error) func(*Env, *A, *R) error {
	return func(env *Env, args *A, reply *R) error {
		if p, ok := any(args).(interface{ Peer() string }); ok && p.Peer() != "" {
			return nil
		}
		return eval(env, args, reply)
	}
}

// resultErr is the usual Result: nothing but an error, if there is one.
func resultErr[R any](result any, _ *R) error {
	err, _ := result.(error)
	return err
}

// resultBool is a Result that says whether something was done.
func resultBool(result any, reply *bool) error {
	switch r := result.(type) {
	case error:
		return fmt.Errorf("raft apply failed: %w", r)
	case bool:
		*reply = r
	}
	return nil
}
