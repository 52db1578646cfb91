package endpoint

import (
	"reflect"

	"github.com/hashicorp/go-msgpack/v2/codec"

	"github.com/actor-consul/consul/messages/wire"
)

// Key returns what tells a read from others: two reads with the same key have the
// same answer on the same view, whoever asks, and however long they would wait for
// it. It returns false for a read whose answer depends on more than the view and
// what it would watch there.
func Key(m ReadMethod, args wire.Request) (string, bool) {
	if _, since := args.(*wire.ReplicaChangesRequest); since {
		return "", false // it asks for what came after an index
	}
	plain, ok := Plain(args)
	if !ok {
		return "", false
	}
	key := append(make([]byte, 0, 256), m.Name()...)
	var body []byte
	if err := codec.NewEncoderBytes(&body, wire.Handle).Encode(plain); err != nil {
		return "", false
	}
	return string(append(append(key, 0), body...)), true
}

// Plain returns a copy of the arguments of a read without what says nothing about
// its answer: how long to wait and for what, how stale it may be, and where the
// asker is. It returns false when that does matter.
func Plain(args wire.Request) (wire.Request, bool) {
	if _, ok := args.(wire.Read); !ok {
		return nil, false
	}
	was := reflect.ValueOf(args).Elem()
	is := reflect.New(was.Type())
	is.Elem().Set(was)
	plain := is.Interface().(wire.Read)
	opts := plain.Options()
	if opts.AllowNotModifiedResponse {
		return nil, false // the answer depends on what the asker has
	}
	*opts = wire.QueryOptions{Token: opts.Token, Filter: opts.Filter}
	if s, ok := plain.(interface{ QuerySource() *wire.QuerySource }); ok {
		source := s.QuerySource()
		if source.Node != "" {
			return nil, false // the coordinates are not watched
		}
		*source = wire.QuerySource{}
	}
	return plain, true
}
