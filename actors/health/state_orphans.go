package health

import "strings"

// orphan is what can be seen of a child of this process that nobody here waits for:
// what a program has started becomes one when its own parent has ended.
type orphan struct {
	pid, group, session int

	dead   bool   // it only waits to be buried
	veiled bool   // its environment cannot be seen: it begins or ends just now, or is another user's
	mark   string // which run its environment was made for; empty: it does not say
}

// customs are what orphans are judged by.
type customs struct {
	group   int             // of this process
	ours    string          // what the marks of this process begin with
	running map[string]bool // the marks of runs that are not over
	estates map[int]bool    // sessions that were begun by whom a mark has given away
	doomed  map[int]bool    // who was killed or is expected to show who it is, by PID
}

// sentence is what is to be done with an orphan.
type sentence int

const (
	spare sentence = iota // it belongs to somebody else, or nobody knows
	await                 // it is known soon
	kill
	bury
)

// judge says what is to be done with an orphan. The dead are buried, whosever they
// were, but not those in the group of this process itself: other parts of the agent
// start programs there, and wait for them. Of the living go those whose run is over;
// who does not say is judged by the company of its session. Who is known by neither
// is spared, since it may be nobody's of ours: who was this process before it became
// an agent may have had children, and the first process of a container gets others'.
func (c *customs) judge(o orphan) sentence {
	_, doomed := c.doomed[o.pid]
	stranger := o.group == c.group && !doomed
	switch {
	case o.dead && !stranger:
		return bury
	case o.dead:
		return spare
	case strings.HasPrefix(o.mark, c.ours) && !c.running[o.mark], o.mark == "" && c.estates[o.session]:
		return kill
	case doomed, o.veiled && !stranger:
		return await
	default:
		return spare
	}
}
