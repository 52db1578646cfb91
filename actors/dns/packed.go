package dns

import (
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/actor-consul/consul/actors/catalog/state"
)

// A packet as it is on the wire: the identifier, and the question behind the
// header.
const (
	idSize     = 2
	headerSize = 12
	maxName    = 255
)

// nameEnd returns where the name of the question ends in a packet that asks one
// question, or 0 if that is not what the packet is.
func nameEnd(raw []byte) int {
	if len(raw) < headerSize || raw[4] != 0 || raw[5] != 1 {
		return 0
	}
	for at := headerSize; at < len(raw) && at-headerSize < maxName; {
		n := int(raw[at])
		at++
		switch {
		case n == 0:
			return at
		case n > 63: // a pointer, in a question
			return 0
		}
		at += n
	}
	return 0
}

// spell writes the name of the question into the packed answer m as the client has
// spelled it, which is how resolvers tell that nobody else answers. Records refer to
// that name.
func spell(raw []byte, m, req *dns.Msg) {
	if len(m.Question) != 1 || len(req.Question) != 1 {
		return
	}
	name := req.Question[0].Name
	if name != m.Question[0].Name && strings.EqualFold(name, m.Question[0].Name) {
		_, _ = dns.PackDomainName(name, raw, headerSize, nil, false) // it has been unpacked, and takes the same room
	}
}

// key returns a packet without its identifier and with its name in lower case,
// which is all that an answer depends on, in the room that buf has; and where the
// name ends in the packet. It is nil for a packet that is no plain question.
func key(raw, buf []byte) ([]byte, int) {
	end := nameEnd(raw)
	if end == 0 || end+4 > len(raw) || len(raw) > cap(buf)+idSize {
		return nil, 0
	}
	low := append(buf[:0], raw[idSize:]...)
	for i := headerSize - idSize; i < end-idSize; i++ {
		if c := low[i]; 'A' <= c && c <= 'Z' {
			low[i] = c + 'a' - 'A'
		}
	}
	return low, end
}

// The most that one socket keeps packed, in bytes of memory with all that is held for
// it, and of how long a question.
const (
	maxShelf = 8 << 20
	maxKey   = 512
)

// How answers without an order are kept: in so many forms, each of which is sent
// so many times before it is dealt anew.
const (
	forms    = 16
	formUses = 16
)

// shelf has packed answers, ready to be sent. One goroutine has it.
type shelf struct {
	all  map[string]*packed
	size int // bytes
	most int
	intn func(int) int
}

// packed is the answer to all packets that differ in nothing but the identifier and
// the spelling of the name.
type packed struct {
	*found
	seen  stamp
	req   *dns.Msg // with the name in lower case; nil if there is one form for ever
	forms []form
	next  int // the form that comes next
	size  int
}

type form struct {
	raw  []byte
	left int // how many times it is sent yet; below 0: for ever
}

func newShelf(most int, intn func(int) int) *shelf {
	return &shelf{all: map[string]*packed{}, most: most, intn: intn}
}

// get returns the answer to the packet with that key, or nil if there is none that
// is right. The answer is the shelf's.
func (s *shelf) get(key []byte, view *state.View, set *settings, now time.Time) ([]byte, *found) {
	p := s.all[string(key)]
	if p == nil {
		return nil, nil
	}
	if !p.right(view, set, now, &p.seen) {
		s.drop(string(key), p)
		return nil, nil
	}
	f := &p.forms[p.next]
	p.next = (p.next + 1) % len(p.forms)
	if f.left == 0 {
		raw, err := p.pack(s.intn)
		if err != nil {
			s.drop(string(key), p)
			return nil, nil
		}
		s.size += len(raw) - len(f.raw)
		p.size += len(raw) - len(f.raw)
		*f = form{raw, formUses}
		s.room(0)
	}
	f.left--
	return f.raw, p.found
}

// put makes an answer of what has been found for req. What comes with options comes
// once, as a rule: a cookie, a subnet.
func (s *shelf) put(req *dns.Msg, f *found) {
	if opt := req.IsEdns0(); opt != nil && len(opt.Option) > 0 {
		return
	}
	raw, err := req.Pack()
	if err != nil {
		return
	}
	low, _ := key(raw, make([]byte, maxKey))
	if low == nil {
		return
	}
	p := &packed{found: f, seen: f.first, req: req}
	if f.free && len(f.answer) > 1 {
		p.forms = make([]form, min(forms, len(f.answer)))
		p.size = heldMsg + len(req.Question[0].Name)
	} else {
		raw, err := p.pack(s.intn)
		if err != nil {
			return
		}
		p.forms = []form{{raw, -1}}
		p.size = len(raw)
		p.found, p.req = f.bare(), nil // the records are not needed any more
	}
	p.size += heldEntry + len(low) + len(p.forms)*heldForm + p.held()
	if p.size > s.most/2 {
		return
	}
	if old := s.all[string(low)]; old != nil {
		s.drop(string(low), old)
	}
	s.room(p.size)
	s.all[string(low)] = p
	s.size += p.size
}

// room makes room for so many bytes. It drops any answers: those that are asked for
// come back.
func (s *shelf) room(size int) {
	for other, old := range s.all {
		if s.size+size <= s.most {
			break
		}
		s.drop(other, old)
	}
}

func (s *shelf) drop(key string, p *packed) {
	delete(s.all, key)
	s.size -= p.size
}

// pack deals and packs an answer.
func (p *packed) pack(intn func(int) int) ([]byte, error) {
	m := newReply(p.req, p.set)
	finish(m, p.response, limits(p.req, p.set, false), p.set, intn)
	return m.Pack()
}
