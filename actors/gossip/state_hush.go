package gossip

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

const (
	// hushFor is how long nothing more is told of an address after one complaint.
	hushFor = time.Minute

	// hushMost is how many topics are told apart in that time. What others do is
	// told as if they were one: the sender of a packet can be forged.
	hushMost = 256

	// hushRefusals is how many refusals to let somebody in are told apart of one
	// address, where several agents may run, each with something else that is wrong.
	hushRefusals = 8
)

// hush decides which complaints of memberlist's are told. Whoever can reach the port
// of a pool can have it complain as often as there is room on the wire, so of each
// address one is told and the others are counted until its time is over. That a
// stream was opened is told by the same rule, but does not take a complaint's place,
// and nor does a refusal to let somebody in: it says what is wrong with whom.
type hush struct {
	quiet map[topic]*quiet
}

// topic is what a line is about.
type topic struct {
	addr   netip.Addr // zero: all who found no room
	opened bool       // a stream was, and no more
	refuse string     // who is refused, and why; empty: nobody is
}

// quiet is one topic of which something has been told.
type quiet struct {
	until time.Time
	more  int // that were not told
}

// tell returns the line as it is to be told at now, or false when it is not.
func (h *hush) tell(line string, now time.Time) (string, bool) {
	about, ok := topicOf(line)
	if !ok {
		return line, true
	}
	if _, known := h.quiet[about]; !known {
		about = h.place(about, now)
	}
	q := h.quiet[about]
	if q != nil && now.Before(q.until) {
		q.more++
		return "", false
	}
	if h.quiet == nil {
		h.quiet = map[topic]*quiet{}
	}
	h.quiet[about] = &quiet{until: now.Add(hushFor)}
	if q != nil && q.more > 0 {
		return fmt.Sprintf("%s (and %d more before)", line, q.more), true
	}
	return line, true
}

// place returns what a topic that is new counts as: itself, if there is room for it.
func (h *hush) place(about topic, now time.Time) topic {
	if about.refuse != "" && h.refusals(about.addr, now) >= hushRefusals {
		about.refuse = ""
	}
	if len(h.quiet) >= hushMost {
		h.forget(now)
	}
	if len(h.quiet) >= hushMost {
		return topic{opened: about.opened}
	}
	return about
}

// refusals counts those that were told of an address a short while ago.
func (h *hush) refusals(addr netip.Addr, now time.Time) (n int) {
	for about, q := range h.quiet {
		if about.addr == addr && about.refuse != "" && now.Before(q.until) {
			n++
		}
	}
	return n
}

// forget makes room by those whose time is over.
func (h *hush) forget(now time.Time) {
	for about, q := range h.quiet {
		if !now.Before(q.until) {
			delete(h.quiet, about)
		}
	}
}

// topicOf returns what a line is about, or false when it is to be told in any case.
func topicOf(line string) (topic, bool) {
	name, text, _ := strings.Cut(line, ": ")
	level, _, _ := strings.Cut(name, " ")
	var about topic
	switch level {
	case "[WARN]", "[ERR]", "[ERROR]":
	case "[DEBUG]":
		if about.opened = strings.HasPrefix(text, "Stream connection "); !about.opened {
			return topic{}, false
		}
	default:
		return topic{}, false
	}
	i := strings.LastIndex(text, "from=")
	if i < 0 {
		return about, strings.HasPrefix(text, "Got invalid checksum") // which names nobody
	}
	at, err := netip.ParseAddrPort(text[i+len("from="):]) // the port says nothing
	about.addr = at.Addr().Unmap()
	if why, refused := strings.CutPrefix(text[:i], "Failed push/pull merge: "); refused {
		about.refuse = why
	}
	return about, err == nil
}

// legible returns a line without what no person can read: the tags that memberlist
// had and those that it was told, as decimal numbers, hundreds of them.
func legible(line string) string {
	i := strings.LastIndex(line, " meta:([")
	if i < 0 || !strings.HasPrefix(line, "[WARN] memberlist: Refuting an alive message for ") {
		return line
	}
	return line[:i] + ", which has other tags or versions than this agent; it is of a life before, or of another agent with its name"
}
