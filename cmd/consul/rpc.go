package main

import (
	"context"
	"time"

	"github.com/actor-consul/consul/cmd/consul/rpcclient"
	"github.com/actor-consul/consul/messages/agentrpc"
)

// dialTimeout is how long an agent may take to be found and to shake hands. What
// it is asked afterwards may take as long as it takes: joining tries many hosts.
const dialTimeout = 10 * time.Second

// askedAgent is a running agent that can be asked over its RPC or over HTTP. It is
// not safe for use by several goroutines. What it cannot do over RPC, the command
// has chosen HTTP for: see eitherCommand.onlyHTTP.
type askedAgent interface {
	Actors() ([]agentrpc.Actor, error)
	ForceLeave(forceLeave) error
	// Join returns how many of the agents at addrs were reached. With an error as
	// well, some were and some were not.
	Join(addrs []string, wan bool) (int, error)
	// Keyring says with an error, too, what went wrong where, if that is known.
	Keyring(keyringQuery) (*agentrpc.KeyringResponse, error)
	// Leave returns when the agent has left. Over HTTP no steps are told.
	Leave(force bool, progress func(agentrpc.LeaveRecord)) error
	Members(membersQuery) ([]agentrpc.Member, error)
	// Monitor gives lines of the log to line until ctx ends, which is no error.
	Monitor(ctx context.Context, level string, json bool, line func(string)) error
	// Reload returns nothing from an agent that tells nothing.
	Reload() (*agentrpc.ReloadResponse, error)
	Stats() (map[string]map[string]string, error)
	Close() error
}

// What there is to say of a question.
type (
	membersQuery struct {
		wan    bool
		filter string // HTTP only
	}
	forceLeave struct {
		node       string
		prune, wan bool // wan: HTTP only, and the WAN pool only
	}
	keyringQuery struct {
		command        agentrpc.Command
		key            string // base64
		relayFactor    uint8
		token          string
		primary, local bool // HTTP only: count the keys in use; ask the LAN pool only
	}
)

// rpcAgent is an agent that is asked over its RPC.
type rpcAgent struct{ *rpcclient.Client }

var _ askedAgent = rpcAgent{}

// Members implements askedAgent.
func (a rpcAgent) Members(q membersQuery) ([]agentrpc.Member, error) { return a.Client.Members(q.wan) }

// ForceLeave implements askedAgent.
func (a rpcAgent) ForceLeave(f forceLeave) error { return a.Client.ForceLeave(f.node, f.prune) }

// Keyring implements askedAgent.
func (a rpcAgent) Keyring(q keyringQuery) (*agentrpc.KeyringResponse, error) {
	return a.Client.Keyring(q.command, q.key, q.relayFactor, q.token)
}
