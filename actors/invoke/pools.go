package invoke

import (
	"context"
	"errors"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// keyringMethod is the name of KeyringOperation.
const keyringMethod = "Internal.KeyringOperation"

// The methods about the gossip pools, for client agents of Consul's; ours speak to
// their own pool.
var (
	// EventFire spreads a user event in the datacenter of this server.
	EventFire = &Duty[wire.EventFireRequest, wire.EventFireResponse]{method: "Internal.EventFire", run: eventFire, own: true}
	// KeyringOperation lists or changes the gossip keys of all pools.
	KeyringOperation = &Duty[wire.KeyringRequest, wire.KeyringResponses]{method: keyringMethod, run: keyringOperation, own: true}
)

func eventFire(ctx context.Context, inv *Invoker, args *wire.EventFireRequest, _ *wire.EventFireResponse) error {
	_, err := ask.Do(ctx, inv.cfg.GossipLAN, &messages.FireUserEvent{Name: messages.EventPrefix + args.Name, Payload: args.Payload})
	return err
}

// keyringOperation asks the WAN pool, the LAN pool, and a server of each of the other
// datacenters. What goes wrong in a pool is in its response.
func keyringOperation(ctx context.Context, inv *Invoker, args *wire.KeyringRequest, reply *wire.KeyringResponses) error {
	if args.LocalOnly && args.Operation != string(messages.ListKeys) {
		return errors.New("argument error: LocalOnly can only be used for List operations") // Consul's text
	}
	all := !args.LocalOnly && !args.Forwarded
	if all && inv.cfg.GossipWAN.PID() != nil {
		reply.Responses = append(reply.Responses, inv.changeKeyring(ctx, inv.cfg.GossipWAN, true, args))
	}
	reply.Responses = append(reply.Responses, inv.changeKeyring(ctx, inv.cfg.GossipLAN, false, args))
	if !all {
		return nil
	}
	elsewhere := &Duty[wire.KeyringRequest, wire.KeyringResponses]{method: keyringMethod, own: true} // which is only carried
	for _, dc := range inv.Datacenters()[1:] {
		there, said := *args, wire.KeyringResponses{}
		there.Datacenter, there.Forwarded = dc, true
		if err := Do(ctx, inv, elsewhere, &there, &said); err != nil {
			said.Responses = []*wire.KeyringResponse{{Datacenter: dc, Error: err.Error()}}
		}
		reply.Responses = append(reply.Responses, said.Responses...)
	}
	return nil
}

func (inv *Invoker) changeKeyring(ctx context.Context, pool ask.Address, wan bool, args *wire.KeyringRequest) *wire.KeyringResponse {
	got, err := ask.Do(ctx, pool, &messages.ChangeKeyring{
		Verb: messages.KeyringVerb(args.Operation), Key: args.Key, RelayFactor: args.RelayFactor,
	})
	said := &wire.KeyringResponse{
		WAN: wan, Datacenter: inv.cfg.Datacenter,
		Messages: got.Messages, Keys: got.Keys, PrimaryKeys: got.PrimaryKeys, NumNodes: got.NumNodes,
	}
	if err != nil {
		said.Error = err.Error()
	}
	return said
}
