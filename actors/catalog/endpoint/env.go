package endpoint

import (
	"time"

	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/go-uuid"

	"github.com/actor-consul/consul/actors/catalog/state"
	"github.com/actor-consul/consul/messages/wire"
)

// DefaultSessionTTLMin is the shortest TTL of a session unless the configuration
// says otherwise.
const DefaultSessionTTLMin = 10 * time.Second

// Env is what a method is evaluated in. One Env serves one evaluation.
type Env struct {
	// View is the state that is asked. Required.
	View *state.View
	// Watch is given what closes when the answer may have changed; nil if nobody
	// will wait.
	Watch memdb.WatchSet
	// Authz is what the asker may do; nil means everything.
	Authz Authorizer
	// Now is the time; writes need it.
	Now time.Time
	// SessionTTLMin is the shortest TTL of a session; 0 means DefaultSessionTTLMin.
	SessionTTLMin time.Duration
	// NewID makes the IDs of sessions and prepared queries; nil means random UUIDs.
	NewID func() (string, error)
	// Datacenter is our own; prepared queries need it.
	Datacenter string
	// Shuffle puts n things into an order of chance, for prepared queries; nil leaves
	// them as they are.
	Shuffle func(n int, swap func(i, j int))
}

// Authorizer says what an asker may do. Names are those of the thing asked for.
type Authorizer interface {
	NodeRead(name string) bool
	NodeWrite(name string) bool
	ServiceRead(name string) bool
	ServiceWrite(name string) bool
	KeyRead(key string) bool
	KeyList(prefix string) bool
	KeyWrite(key string) bool
	KeyWritePrefix(prefix string) bool
	SessionRead(node string) bool
	SessionWrite(node string) bool
	PreparedQueryRead(name string) bool
	PreparedQueryWrite(name string) bool
	ACLWrite() bool
	OperatorRead() bool
	OperatorWrite() bool
}

// may returns ErrPermissionDenied unless there is no authorizer or it allows.
func (env *Env) may(allows func(Authorizer) bool) error {
	if env.Authz == nil || allows(env.Authz) {
		return nil
	}
	return wire.ErrPermissionDenied
}

// visible returns the items that the asker may see, and notes in meta when there
// were others. It keeps the slice, which may belong to the state, as it is.
func visible[T any](env *Env, meta *wire.QueryMeta, items []T, allows func(Authorizer, T) bool) []T {
	if env.Authz == nil {
		return items
	}
	var seen []T
	for _, item := range items {
		if allows(env.Authz, item) {
			seen = append(seen, item)
		}
	}
	meta.ResultsFilteredByACLs = len(seen) != len(items)
	return seen
}

func (env *Env) sessionTTLMin() time.Duration {
	if env.SessionTTLMin > 0 {
		return env.SessionTTLMin
	}
	return DefaultSessionTTLMin
}

func (env *Env) newID() (string, error) {
	if env.NewID != nil {
		return env.NewID()
	}
	return uuid.GenerateUUID()
}
