package endpoint

import (
	"errors"

	"github.com/actor-consul/consul/messages/wire"
)

// ErrNotFound is returned by reads of one thing that is not there. The reply is
// good and empty; a waiting asker is not told of an absence twice.
var ErrNotFound = errors.New("not found")

// Blocking is the rule about when a blocking query is answered. Its zero value is
// for a query that has not been evaluated; it is used by one query.
//
//	b := Blocking{Min: opts.MinQueryIndex}
//	for {
//		view := current(); ws := memdb.NewWatchSet(); ws.Add(view.Abandoned())
//		err := read.Eval(&Env{View: view, Watch: ws}, args, reply)
//		if done, err := b.Done(reply.Meta().Index, err); done { return err }
//		wait for ws, the end of time, or the asker to leave
//	}
type Blocking struct {
	// Min is the index that the asker has seen; 0 does not block.
	Min uint64

	missing bool // the last evaluation found nothing
}

// Done says whether to answer now with the reply that has this index and error. It
// takes ErrNotFound for what it is: the error it returns is for the asker.
func (b *Blocking) Done(index uint64, err error) (bool, error) {
	missing := errors.Is(err, ErrNotFound)
	if err != nil && !missing {
		return true, err
	}
	if b.Min > 0 && missing && b.missing && index > b.Min {
		b.Min = index // still not there: something else moved the index
	}
	b.missing = missing
	return b.Min == 0 || max(index, 1) > b.Min, nil
}

// unmodified says whether the asker has the result already and wants to be told
// no more than that.
func unmodified(o *wire.QueryOptions, m *wire.QueryMeta) bool {
	m.NotModified = o.AllowNotModifiedResponse && o.MinQueryIndex > 0 && o.MinQueryIndex == m.Index
	return m.NotModified
}
