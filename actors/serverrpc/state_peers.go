package serverrpc

import (
	"net/netip"
	"time"
)

const (
	// repeatAfter is when the same is said of the same peer again.
	repeatAfter = 10 * time.Minute
	// maxRemarks bounds what is remembered of peers, and with it how many lines a
	// horde of them can cause until the first is forgotten.
	maxRemarks = 256
)

// peers is what is known of those who connect: how many connections each has open,
// and what the log has said of it already.
type peers struct {
	limit   int // connections of one address at the same time
	open    map[netip.Addr]int
	remarks map[remark]time.Time // when it was made
}

// remark is something that the log says once about a peer.
type remark struct {
	peer netip.Addr
	text string
}

func newPeers(limit int) *peers {
	return &peers{limit: limit, open: map[netip.Addr]int{}, remarks: map[remark]time.Time{}}
}

// opened counts a connection, and returns false if it is one too many. One whose
// address is not known has no limit.
func (p *peers) opened(peer netip.Addr) bool {
	if !peer.IsValid() {
		return true
	}
	if p.open[peer] >= p.limit {
		return false
	}
	p.open[peer]++
	return true
}

// closed takes a connection that was opened off the count.
func (p *peers) closed(peer netip.Addr) {
	if p.open[peer]--; p.open[peer] <= 0 {
		delete(p.open, peer)
	}
}

// news says whether the log should make the remark now.
func (p *peers) news(r remark, now time.Time) bool {
	if made, ok := p.remarks[r]; ok && now.Sub(made) < repeatAfter {
		return false
	}
	if len(p.remarks) >= maxRemarks {
		for old, made := range p.remarks {
			if now.Sub(made) >= repeatAfter {
				delete(p.remarks, old)
			}
		}
	}
	if len(p.remarks) >= maxRemarks {
		return false
	}
	p.remarks[r] = now
	return true
}
