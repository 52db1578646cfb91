package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/miekg/dns"
)

// How long a port that was ours is waited for after a restart: the wait between
// two tries, and how many there are.
const (
	rebindEvery = 100 * time.Millisecond
	rebindTries = 50
)

// socket is an address that is listened at, on both protocols and the same port:
// for UDP with several sockets, among which the system spreads the clients.
type socket struct {
	udp []net.PacketConn
	tcp net.Listener
}

func (s socket) addr() netip.AddrPort {
	at := s.tcp.Addr().(*net.TCPAddr).AddrPort()
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
}

func (s socket) close() {
	for _, c := range s.udp {
		_ = c.Close()
	}
	_ = s.tcp.Close()
}

func addresses(sockets []socket) []netip.AddrPort {
	all := make([]netip.AddrPort, 0, len(sockets))
	for _, s := range sockets {
		all = append(all, s.addr())
	}
	return all
}

// openAll opens every address, or none. Those that were open before are opened at
// the same ports again.
func openAll(addrs []string, before []netip.AddrPort) ([]socket, error) {
	var sockets []socket
	for i, addr := range addrs {
		if before != nil {
			addr = before[i].String()
		}
		s, err := open(addr)
		if err != nil {
			for _, s := range sockets {
				s.close()
			}
			return nil, err
		}
		sockets = append(sockets, s)
	}
	return sockets, nil
}

// anyPortTries is how often a port is sought that is free on both protocols.
const anyPortTries = 20

// open listens at an address. Port 0 is any port.
func open(addr string) (socket, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return socket{}, fmt.Errorf("DNS cannot listen on %q: %w; addresses.dns has IP addresses, ports.dns the port", addr, err)
	}
	for try := 1; ; try++ {
		tcp, err := net.Listen("tcp", addr)
		if err != nil {
			return socket{}, cannotListen("TCP", addr, err)
		}
		same := net.JoinHostPort(host, fmt.Sprint(tcp.Addr().(*net.TCPAddr).Port))
		udp, err := openUDP(same)
		if err == nil {
			return socket{udp, tcp}, nil
		}
		_ = tcp.Close()
		if port != "0" || !taken(err) || try == anyPortTries {
			return socket{}, cannotListen("UDP", same, err)
		}
	}
}

// maxReaders is how many sockets read packets at one address at most: one for each
// processor is as much as there is to win.
const maxReaders = 8

// openUDP opens the sockets for packets at an address. The first one, which does not
// share the port, shows that nobody else is there.
func openUDP(addr string) ([]net.PacketConn, error) {
	alone, err := net.ListenPacket("udp", addr)
	n := min(runtime.GOMAXPROCS(0), maxReaders)
	if err != nil || n == 1 || !canSharePort {
		return []net.PacketConn{alone}, err
	}
	_ = alone.Close()
	var all []net.PacketConn
	for range n {
		c, err := (&net.ListenConfig{Control: sharePort}).ListenPacket(context.Background(), "udp", addr)
		if err != nil {
			for _, c := range all {
				_ = c.Close()
			}
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

// cannotListen says what to do about a socket that cannot be opened.
func cannotListen(network, addr string, err error) error {
	advice := "set ports.dns or addresses.dns to what this machine has"
	switch {
	case taken(err):
		advice = "another program has that port, perhaps another agent or resolver; stop it, or choose another port with ports.dns or -dns-port"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		advice = "this machine does not have that address; set addresses.dns or client_addr to one that it has"
	case errors.Is(err, syscall.EACCES):
		advice = "ports below 1024 need a privilege; choose another with ports.dns or -dns-port"
	}
	return fmt.Errorf("DNS cannot listen on %s over %s: %w; %s", addr, network, err, advice)
}

// taken reports whether a socket could not be opened because somebody has it.
func taken(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }

// room is the TCP connections of all listeners. Its methods are called on many
// goroutines.
type room struct {
	mu    sync.Mutex
	seats *seats
}

// limited is a TCP listener that closes connections for which there is no room, and
// bounds how long a client may take for each answer.
type limited struct {
	net.Listener
	end     <-chan struct{} // closed when the listener is
	room    *room
	timeout time.Duration
	shed    func()                // is told of each connection that ended so that another could begin
	refused func(from netip.Addr) // and of each that was closed at once
}

// outOfFiles is how long no connection is accepted when the process has too many
// files open.
const outOfFiles = 50 * time.Millisecond

// Accept implements net.Listener.
func (l *limited) Accept() (net.Conn, error) {
	for {
		nc, err := l.Listener.Accept()
		if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
			select { // it passes; miekg/dns would try again without end
			case <-time.After(outOfFiles):
				continue
			case <-l.end:
			}
		}
		if err != nil {
			return nil, err
		}
		if c := l.seat(nc); c != nil {
			return c, nil
		}
	}
}

// seat returns a connection that has its place, or closes it and returns nil.
func (l *limited) seat(nc net.Conn) *conn {
	c := &conn{Conn: nc, room: l.room, timeout: l.timeout}
	c.place = seat{from: addressOf(nc.RemoteAddr()), quiet: time.Now(), shed: func() { _ = nc.Close() }}
	l.room.mu.Lock()
	gone, ok := l.room.seats.take(&c.place)
	l.room.mu.Unlock()
	switch {
	case !ok:
		_ = nc.Close()
		l.refused(c.place.from)
		return nil
	case gone != nil:
		gone.shed()
		l.shed()
	}
	return c
}

// conn is a connection of a limited listener.
type conn struct {
	net.Conn
	room    *room
	place   seat // the room's
	timeout time.Duration
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.room.mu.Lock()
	c.room.seats.leave(&c.place)
	c.room.mu.Unlock()
	return c.Conn.Close()
}

// asks says since when nothing is asked on the connection; the zero time, if something
// is.
func (c *conn) asks(quiet time.Time) {
	c.room.mu.Lock()
	c.place.quiet = quiet
	c.room.mu.Unlock()
}

// marking is a reader that says when a connection waits for a query, and so may be
// ended.
type marking struct{ dns.Reader }

func mark(base dns.Reader) dns.Reader { return marking{base} }

// ReadTCP implements dns.Reader.
func (m marking) ReadTCP(nc net.Conn, timeout time.Duration) ([]byte, error) {
	c, ok := nc.(*conn)
	if !ok {
		return m.Reader.ReadTCP(nc, timeout)
	}
	c.asks(time.Now())
	raw, err := m.Reader.ReadTCP(nc, timeout)
	if err == nil {
		c.asks(time.Time{})
	}
	return raw, err
}
