package rpcclient

import (
	"errors"

	"github.com/actor-consul/consul/messages/agentrpc"
)

// Members returns the members of the LAN pool, or of the WAN pool, in the order
// in which the agent has them.
func (c *Client) Members(wan bool) ([]agentrpc.Member, error) {
	cmd := agentrpc.MembersLAN
	if wan {
		cmd = agentrpc.MembersWAN
	}
	var out agentrpc.MembersResponse
	err := c.call(cmd, nil, &out)
	return out.Members, err
}

// Join asks the agent to contact those at addrs (host or host:port) and returns
// how many were reached.
func (c *Client) Join(addrs []string, wan bool) (int, error) {
	var out agentrpc.JoinResponse
	err := c.call(agentrpc.Join, &agentrpc.JoinRequest{Existing: addrs, WAN: wan}, &out)
	return int(out.Num), err
}

// ForceLeave asks the agent to regard a failed member as left and, with prune, to
// forget it. Agents of Consul do not know prune and ignore it.
func (c *Client) ForceLeave(node string, prune bool) error {
	return c.call(agentrpc.ForceLeave, &agentrpc.ForceLeaveRequest{Node: node, Prune: prune}, nil)
}

// Stats returns the figures of `consul info`, by group and name.
func (c *Client) Stats() (map[string]map[string]string, error) {
	var out map[string]map[string]string
	err := c.call(agentrpc.Stats, nil, &out)
	return out, err
}

// Actors returns the live tree of the agent, in start order, or ErrUnsupported
// from one that has none.
func (c *Client) Actors() ([]agentrpc.Actor, error) {
	var out agentrpc.ActorsResponse
	err := c.call(agentrpc.Actors, nil, &out)
	return out.Actors, err
}

// Reload asks the agent to read its configuration again and returns what became
// of each key, or nil from an agent of Consul, which has only begun to.
func (c *Client) Reload() (*agentrpc.ReloadResponse, error) {
	var out agentrpc.ReloadResponse
	err := c.call(agentrpc.ReloadReport, nil, &out)
	if errors.Is(err, ErrUnsupported) {
		return nil, c.again(agentrpc.Reload)
	}
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// Keyring asks all members of the pools to change or to list their keys: cmd is
// InstallKey, UseKey, RemoveKey or ListKeys, and key is base64, empty for
// ListKeys. With an error, the response may still say what went wrong where.
func (c *Client) Keyring(cmd agentrpc.Command, key string, relayFactor uint8, token string) (*agentrpc.KeyringResponse, error) {
	var out agentrpc.KeyringResponse
	err := c.callWithToken(cmd, token, &agentrpc.KeyringRequest{Key: key, RelayFactor: relayFactor}, &out)
	return &out, err
}

// again makes a request without bodies on a new connection: an agent ends the one
// on which it was asked for what it does not know.
func (c *Client) again(cmd agentrpc.Command) error {
	_ = c.conn.Close()
	if err := c.connect(); err != nil {
		return err
	}
	return c.call(cmd, nil, nil)
}
