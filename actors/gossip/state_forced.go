package gossip

import "github.com/actor-consul/consul/messages"

// forced are the members that an operator takes for gone while Serf has them as
// leaving, and that could not be reached either; and of each whether it is to be
// forgotten.
//
// Serf has such a member be "leaving" until memberlist misses it, which takes half a
// minute in the WAN pool, and forgets nobody that memberlist still has. Until then
// the view says what the operator has said. A member that is there after all denies
// it, and is alive again.
type forced map[string]bool

// apply returns the members as they are to be shown, and the names of those that
// Serf can forget now.
func (f forced) apply(members []messages.Member) (shown []messages.Member, prune []string) {
	if len(f) == 0 {
		return members, nil
	}
	waits := map[string]bool{}
	for _, m := range members {
		forget, ok := f[m.Name]
		switch {
		case ok && m.Status == messages.MemberLeaving:
			waits[m.Name] = true
			m.Status = messages.MemberLeft
		case ok && forget && m.Status == messages.MemberLeft:
			waits[m.Name] = true
			prune = append(prune, m.Name)
		}
		if !waits[m.Name] || !forget {
			shown = append(shown, m)
		}
	}
	for name := range f {
		if !waits[name] {
			delete(f, name)
		}
	}
	return shown, prune
}
