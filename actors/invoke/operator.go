package invoke

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/actors/catalog/endpoint"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// Duties lists the methods that are neither a look at the state nor an entry of the
// log: the actors of a server answer them, and mostly the leader's.
var Duties = []endpoint.Method{
	AutopilotState, ServerHealth, RaftGetConfiguration, RaftRemovePeerByAddress, RaftRemovePeerByID, TransferLeader,
	SessionRenew, CoordinateUpdate,
	PreparedQueryExecute, PreparedQueryExecuteRemote, PreparedQueryExplain,
	ConnectCAConfigurationSet,
}

// The methods about the peer set. Consul has all of them but TransferLeader, for
// which it uses another protocol.
var (
	// AutopilotState is what the leader thinks of the servers.
	AutopilotState = &Duty[wire.DCSpecificRequest, wire.AutopilotState]{method: "Operator.AutopilotState", run: autopilotState}
	// ServerHealth is the same in another form.
	ServerHealth = &Duty[wire.DCSpecificRequest, wire.AutopilotHealthReply]{method: "Operator.ServerHealth", run: serverHealth}
	// RaftGetConfiguration is the peer set: as the leader has it or, where none is
	// known, as this server has.
	RaftGetConfiguration = &Duty[wire.DCSpecificRequest, wire.RaftConfigurationResponse]{method: "Operator.RaftGetConfiguration", run: raftGetConfiguration}
	// RaftRemovePeerByAddress and RaftRemovePeerByID take a server out of the peer set.
	RaftRemovePeerByAddress = &Duty[wire.RaftRemovePeerRequest, struct{}]{method: "Operator.RaftRemovePeerByAddress", run: removePeerByAddress}
	RaftRemovePeerByID      = &Duty[wire.RaftRemovePeerRequest, struct{}]{method: "Operator.RaftRemovePeerByID", run: removePeerByID}
	// TransferLeader has the leader hand over. It is answered when another leads.
	TransferLeader = &Duty[wire.TransferLeaderRequest, struct{}]{method: "Operator.TransferLeader", run: transferLeader}
)

// Unknown is the name of a server of the peer set that nobody knows. Clients match
// the text.
const Unknown = "(unknown)"

// Duty is one of Duties. It is carried out with Do.
type Duty[A, R any] struct {
	method string
	run    func(ctx context.Context, inv *Invoker, args *A, reply *R) error
	own    bool // each server has its own answer, and nobody is waited for
}

// duty is a Duty without its types.
type duty interface {
	endpoint.Method
	runAny(ctx context.Context, inv *Invoker, args wire.Request, reply any) error
	anywhere() bool
}

// anywhere says whether any server answers a method, for itself.
func anywhere(m endpoint.Method) bool {
	d, ok := m.(duty)
	return ok && d.anywhere()
}

// Name implements endpoint.Method.
func (d *Duty[A, R]) Name() string { return d.method }

// NewArgs implements endpoint.Method.
func (d *Duty[A, R]) NewArgs() wire.Request { return any(new(A)).(wire.Request) }

// NewReply implements endpoint.Method.
func (d *Duty[A, R]) NewReply() any { return new(R) }

func (d *Duty[A, R]) anywhere() bool { return d.own }

func (d *Duty[A, R]) runAny(ctx context.Context, inv *Invoker, args wire.Request, reply any) error {
	a, ok := any(args).(*A)
	if !ok {
		return fmt.Errorf("%s: arguments are a %T, want a %T", d.method, args, a)
	}
	r, ok := reply.(*R)
	if !ok {
		return fmt.Errorf("%s: reply is a %T, want a %T", d.method, reply, r)
	}
	return d.run(ctx, inv, a, r)
}

// Do has a duty done, here or where that can be.
func Do[A, R any](ctx context.Context, inv *Invoker, d *Duty[A, R], args *A, reply *R) error {
	return inv.Invoke(ctx, d, any(args).(wire.Request), reply)
}

// autopilot returns the state that this server's autopilot has published. There is
// none until it leads and has asked the others, which takes a moment.
func (inv *Invoker) autopilot() (*wire.AutopilotState, error) {
	if inv.cfg.Autopilot == nil {
		return nil, errors.New("autopilot does not run on this server")
	}
	if s := inv.cfg.Autopilot.Load(); s != nil {
		return s, nil
	}
	return nil, messages.ErrNotLeader
}

func autopilotState(_ context.Context, inv *Invoker, _ *wire.DCSpecificRequest, reply *wire.AutopilotState) error {
	state, err := inv.autopilot()
	if err == nil {
		*reply = *state
	}
	return err
}

func serverHealth(_ context.Context, inv *Invoker, _ *wire.DCSpecificRequest, reply *wire.AutopilotHealthReply) error {
	state, err := inv.autopilot()
	if err != nil {
		return err
	}
	reply.Healthy, reply.FailureTolerance = state.Healthy, state.FailureTolerance
	for _, s := range state.Servers {
		reply.Servers = append(reply.Servers, wire.AutopilotHealth{
			ID:          s.Server.ID,
			Name:        s.Server.Name,
			Address:     s.Server.Address,
			SerfStatus:  messages.MemberStatus(s.Server.NodeStatus).Code(),
			Version:     s.Server.Version,
			Leader:      s.State == wire.RaftLeader,
			LastContact: s.Stats.LastContact,
			LastTerm:    s.Stats.LastTerm,
			LastIndex:   s.Stats.LastIndex,
			Healthy:     s.Health.Healthy,
			Voter:       s.State != wire.RaftNonVoter,
			StableSince: s.Health.StableSince,
		})
	}
	slices.SortFunc(reply.Servers, func(a, b wire.AutopilotHealth) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return nil
}

// raftGetConfiguration tells of the servers what this one knows: their names while
// they are alive, and how far they are if it leads.
func raftGetConfiguration(ctx context.Context, inv *Invoker, _ *wire.DCSpecificRequest, reply *wire.RaftConfigurationResponse) error {
	set, err := ask.Do(ctx, inv.cfg.Raft, &messages.GetRaftConfiguration{})
	if err != nil {
		return err
	}
	status := inv.cfg.Status.Load()
	var state *wire.AutopilotState
	if status.Leads() {
		state, _ = inv.autopilot()
	}
	alive := map[string]messages.Server{}
	for _, s := range inv.servers(inv.cfg.Datacenter) {
		alive[s.ID] = s
	}
	reply.Index, reply.Servers = set.Index, []*wire.RaftServer{}
	for _, p := range set.Servers {
		one := &wire.RaftServer{ID: p.ID, Node: Unknown, Address: p.Address, Voter: p.Voter, ProtocolVersion: "unknown"}
		if status != nil && status.LeaderID != "" {
			one.Leader = p.ID == status.LeaderID
		}
		if state != nil && state.Servers[p.ID] != nil {
			known := state.Servers[p.ID]
			one.LastIndex = known.Stats.LastIndex
			name(one, known.Server.Name, known.Server.RaftVersion)
		}
		if s, ok := alive[p.ID]; ok {
			name(one, s.Name, s.RaftVsn)
		}
		if one.Leader && status.Leads() && status.AppliedIndex != nil {
			one.LastIndex = max(one.LastIndex, status.AppliedIndex())
		}
		reply.Servers = append(reply.Servers, one)
	}
	return nil
}

// name notes who a server of the peer set is. Of one that nobody knows there is
// nothing to note.
func name(s *wire.RaftServer, node string, protocol int) {
	if node != "" {
		s.Node, s.ProtocolVersion = node, strconv.Itoa(protocol)
	}
}

func removePeerByAddress(ctx context.Context, inv *Invoker, args *wire.RaftRemovePeerRequest, _ *struct{}) error {
	return inv.removePeer(ctx, fmt.Sprintf("address %q", args.Address), func(p messages.RaftServer) bool { return p.Address == args.Address })
}

func removePeerByID(ctx context.Context, inv *Invoker, args *wire.RaftRemovePeerRequest, _ *struct{}) error {
	return inv.removePeer(ctx, fmt.Sprintf("id %q", args.ID), func(p messages.RaftServer) bool { return p.ID == args.ID })
}

// removePeer takes the server out of the peer set that fits.
func (inv *Invoker) removePeer(ctx context.Context, wanted string, fits func(messages.RaftServer) bool) error {
	p, err := inv.peer(ctx, wanted, fits)
	if err != nil {
		return err
	}
	if state, err := inv.autopilot(); err == nil {
		if err := affordable(state, p); err != nil {
			return err
		}
	}
	_, err = ask.Do(ctx, inv.cfg.Raft, &messages.RemovePeer{ID: p.ID})
	return err
}

// peer finds a server in the peer set of this server, if it leads.
func (inv *Invoker) peer(ctx context.Context, wanted string, fits func(messages.RaftServer) bool) (p messages.RaftServer, err error) {
	if !inv.cfg.Status.Load().Leads() {
		return p, messages.ErrNotLeader
	}
	set, err := ask.Do(ctx, inv.cfg.Raft, &messages.GetRaftConfiguration{})
	if err != nil {
		return p, err
	}
	if i := slices.IndexFunc(set.Servers, fits); i >= 0 {
		return set.Servers[i], nil
	}
	return p, fmt.Errorf("%s was not found in the Raft configuration", wanted)
}

// affordable refuses to remove a voter that the others need for a quorum: nobody
// could lead afterwards. There is always a way: those that have failed go first.
func affordable(state *wire.AutopilotState, p messages.RaftServer) error {
	target := state.Servers[p.ID]
	if !p.Voter || target == nil || !target.Health.Healthy {
		return nil
	}
	healthy, rest := 0, 0
	var ailing []string
	for _, id := range slices.Sorted(maps.Keys(state.Servers)) {
		s := state.Servers[id]
		switch {
		case id == p.ID || s.State == wire.RaftNonVoter:
		case s.Health.Healthy:
			healthy, rest = healthy+1, rest+1
		default:
			rest++
			ailing = append(ailing, fmt.Sprintf("%q (%s)", cmp.Or(s.Server.Name, id), s.Server.Address))
		}
	}
	if rest == 0 || healthy > rest/2 {
		return nil
	}
	return fmt.Errorf("without server %q (%s) only %d of %d voters would be healthy, and nobody could lead; remove those that are not first: %s",
		target.Server.Name, p.Address, healthy, rest, strings.Join(ailing, ", "))
}

func transferLeader(ctx context.Context, inv *Invoker, args *wire.TransferLeaderRequest, _ *struct{}) error {
	if !inv.cfg.Status.Load().Leads() {
		return messages.ErrNotLeader
	}
	to := &messages.TransferLeadership{}
	if args.ID != "" {
		p, err := inv.peer(ctx, fmt.Sprintf("id %q", args.ID), func(p messages.RaftServer) bool { return p.ID == args.ID })
		if err != nil {
			return err
		}
		if !p.Voter {
			return fmt.Errorf("server %s (%s) has no vote and cannot lead", p.ID, p.Address)
		}
		to.ID, to.Address = p.ID, p.Address
	}
	_, err := ask.Do(ctx, inv.cfg.Raft, to)
	return err
}
