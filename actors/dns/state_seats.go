package dns

import (
	"net/netip"
	"time"
)

// seats is who has a TCP connection: no more than most together, and no more than each
// from one source. When there is no seat, whoever has asked nothing for the longest
// gives up his (RFC 7766): that of the source itself if it has as many as it may have,
// else one of the source that has the most.
type seats struct {
	most, each int
	all        map[*seat]struct{}
	from       map[netip.Addr]int
}

// seat is the place of one connection.
type seat struct {
	from  netip.Addr
	quiet time.Time // since when nothing is asked; zero: something is being answered
	shed  func()    // ends the connection
}

func newSeats(most, each int) *seats {
	return &seats{most: most, each: each, all: map[*seat]struct{}{}, from: map[netip.Addr]int{}}
}

// take gives a newcomer a seat. It returns who has to give up his for that, if
// somebody has; and false if nobody can.
func (s *seats) take(c *seat) (gone *seat, ok bool) {
	c.from = holder(c.from)
	switch {
	case s.from[c.from] >= s.each:
		gone = s.quietest(func(o *seat) bool { return o.from == c.from })
	case len(s.all) >= s.most:
		gone = s.quietest(func(*seat) bool { return true })
	default:
		s.sit(c)
		return nil, true
	}
	if gone == nil {
		return nil, false
	}
	s.leave(gone)
	s.sit(c)
	return gone, true
}

func (s *seats) sit(c *seat) {
	s.all[c] = struct{}{}
	s.from[c.from]++
}

// leave gives up a seat; a second time, it does nothing.
func (s *seats) leave(c *seat) {
	if _, ok := s.all[c]; !ok {
		return
	}
	delete(s.all, c)
	if s.from[c.from]--; s.from[c.from] == 0 {
		delete(s.from, c.from)
	}
}

// quietest returns whose seat is best given up, among some; nil, if all are busy.
func (s *seats) quietest(among func(*seat) bool) (found *seat) {
	for c := range s.all {
		if c.quiet.IsZero() || !among(c) {
			continue
		}
		if found == nil || s.from[c.from] > s.from[found.from] || s.from[c.from] == s.from[found.from] && c.quiet.Before(found.quiet) {
			found = c
		}
	}
	return found
}

// holder is who is at an address: of version 6, a network is as easily had as an
// address.
func holder(addr netip.Addr) netip.Addr {
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		p, _ := addr.Prefix(64)
		return p.Addr()
	}
	return addr
}
