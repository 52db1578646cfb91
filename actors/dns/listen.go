package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"syscall"
	"time"
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

// limited is a TCP listener that closes connections beyond a number, and bounds
// how long a client may take for each answer.
type limited struct {
	net.Listener
	end     <-chan struct{} // closed when the listener is
	slots   chan struct{}
	timeout time.Duration
	refused func(first bool) // is told of each connection that was closed, and whether the one before was not
	full    bool             // the one before was
}

// outOfFiles is how long no connection is accepted when the process has too many
// files open.
const outOfFiles = 50 * time.Millisecond

// Accept implements net.Listener.
func (l *limited) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
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
		select {
		case l.slots <- struct{}{}:
			l.full = false
			return &conn{Conn: c, l: l}, nil
		default:
			_ = c.Close()
			l.refused(!l.full)
			l.full = true
		}
	}
}

// conn is a connection of a limited listener. One goroutine writes and closes it.
type conn struct {
	net.Conn
	l      *limited
	closed bool
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.l.timeout)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// Close implements net.Conn.
func (c *conn) Close() error {
	if !c.closed {
		c.closed = true
		<-c.l.slots
	}
	return c.Conn.Close()
}
