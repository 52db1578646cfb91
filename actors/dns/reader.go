package dns

import (
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime/debug"
	"time"

	"github.com/hashicorp/go-metrics"
	"github.com/miekg/dns"
	"go.uber.org/zap"
)

// lessons is how many answers wait to be kept by the goroutine that reads a socket.
const lessons = 64

// tellEvery is how often the log says at most that somebody asks too much.
const tellEvery = time.Minute

// reader reads one UDP socket for miekg/dns. It answers by itself what it has
// packed, and passes on what it has not; what is found then it learns. One
// goroutine reads.
type reader struct {
	dns.Reader // for everything but UDP
	server     *server
	shelf      *shelf
	lessons    chan lesson
	rates      *rates
	told       time.Time // when it was last logged that somebody asks too much

	in, low, out []byte
}

// lesson is an answer that may be given again.
type lesson struct {
	req *dns.Msg
	*found
}

func newReader(s *server) *reader {
	return &reader{
		server: s, shelf: newShelf(maxShelf, rand.IntN), lessons: make(chan lesson, lessons), rates: newRates(),
		in: make([]byte, udpBuffer), low: make([]byte, maxKey), out: make([]byte, dns.MaxMsgSize),
	}
}

// decorate is called by miekg/dns on the goroutine that reads.
func (r *reader) decorate(base dns.Reader) dns.Reader {
	r.Reader = base
	return r
}

// ServeDNS implements dns.Handler for what has been passed on.
func (r *reader) ServeDNS(w dns.ResponseWriter, req *dns.Msg) {
	r.server.serveDNS(charged{w, r}, req, r.learn)
}

// charged is a client whose network pays for the size of its answer.
type charged struct {
	dns.ResponseWriter
	reader *reader
}

// Write implements dns.ResponseWriter.
func (c charged) Write(raw []byte) (int, error) {
	c.reader.charge(addressOf(c.RemoteAddr()), len(raw))
	return c.ResponseWriter.Write(raw)
}

// learn is called on the goroutines of queries.
func (r *reader) learn(req *dns.Msg, f *found) {
	select {
	case r.lessons <- lesson{req, f}:
	default: // it will be asked again
	}
}

// ReadUDP implements dns.Reader: it returns the next packet that is to be passed on.
// There is no deadline but the one that a shutdown sets.
func (r *reader) ReadUDP(conn *net.UDPConn, _ time.Duration) ([]byte, *dns.SessionUDP, error) {
	for {
		n, from, err := dns.ReadFromSessionUDP(conn, r.in)
		if err != nil {
			return nil, nil, err
		}
		r.study()
		now := time.Now()
		at := from.RemoteAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
		answer := r.limit(r.in[:n], at, now)
		if answer == nil {
			answer = r.answer(r.in[:n], now)
		}
		if answer == nil {
			return append([]byte(nil), r.in[:n]...), from, nil
		}
		if len(answer) > 0 {
			r.charge(at, len(answer))
			_, _ = dns.WriteToSessionUDP(conn, answer, from) // a client may be gone
		}
	}
}

// limit holds what goes to one network to a rate. It returns nil for a query that
// is to be answered, and an empty answer for one that is not.
func (r *reader) limit(raw []byte, from netip.Addr, now time.Time) []byte {
	v := r.rates.take(from, r.server.settings.Load().UDPResponseRate, now)
	if v == verdictAnswer {
		return nil
	}
	metrics.IncrCounter([]string{Name, "rate_limited"}, 1)
	if now.Sub(r.told) > tellEvery {
		r.told = now
		r.server.log.Warn("too many queries from one network; some get no answer but the hint to use TCP (dns_config.udp_response_rate)",
			zap.Stringer("client", from))
	}
	if v == verdictSlip {
		if low, end := key(raw, r.low); low != nil {
			return r.slip(raw[:end+4])
		}
	}
	return r.out[:0]
}

// charge is called on any goroutine.
func (r *reader) charge(to netip.Addr, size int) {
	r.rates.charge(to, r.server.settings.Load().UDPResponseRate, size)
}

// slip answers a header with its question that the client should use TCP.
func (r *reader) slip(raw []byte) []byte {
	r.out = append(r.out[:0], raw...)
	r.out[2] = r.out[2]&0x79 | 0x82 // a response, truncated; opcode and RD are the client's
	r.out[3] &= 0x10                // CD
	clear(r.out[6:headerSize])
	return r.out
}

// study puts on the shelf what has been found since.
func (r *reader) study() {
	for {
		select {
		case l := <-r.lessons:
			r.shelf.put(l.req, l.found)
		default:
			return
		}
	}
}

// answer returns the answer to a packet, or nil if it is to be passed on. It is
// good until the next call.
func (r *reader) answer(raw []byte, now time.Time) (answer []byte) {
	defer func() {
		if p := recover(); p != nil {
			metrics.IncrCounter([]string{Name, "panics"}, 1)
			r.server.log.Error("a packed answer made the listener panic", zap.Any("panic", p), zap.ByteString("stack", debug.Stack()))
			r.shelf = newShelf(maxShelf, rand.IntN)
			answer = nil
		}
	}()
	low, end := key(raw, r.low)
	if low == nil {
		return nil
	}
	set := r.server.settings.Load()
	age := r.server.age(set, now)
	if set.tooOld(age) {
		return nil
	}
	ready, f := r.shelf.get(low, r.server.cfg.View(), set, now)
	if ready == nil {
		return nil
	}
	stale(age)
	metrics.MeasureSinceWithLabels(f.what, now, r.server.labels)
	r.out = append(r.out[:0], ready...)
	copy(r.out, raw[:idSize])
	copy(r.out[headerSize:end], raw[headerSize:end])
	return r.out
}
