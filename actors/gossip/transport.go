package gossip

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

// transport is memberlist's, with a doorman at its streams, and a way to keep out of
// full state syncs for a while.
//
// A leaving Serf says so in two steps, the intent and then the end. A sync between
// the two carries the time of the intent as if it were that of a join; the peer
// takes the intent for old news then, and the end for a failure. (Serf, delegate.go,
// MergeRemoteState.)
type transport struct {
	network
	doorman *doorman
	streams chan net.Conn
	done    chan struct{}
	quiet   atomic.Bool

	begin func() // called before memberlist begins; nil: nothing
	began sync.Once
}

// network is a port, by UDP and TCP.
type network interface {
	memberlist.NodeAwareTransport
	GetAutoBindPort() int
}

// sockets opens a port of this machine.
func sockets(c *memberlist.NetTransportConfig) (network, error) { return memberlist.NewNetTransport(c) }

var _ memberlist.NodeAwareTransport = (*transport)(nil)

var errQuiet = errors.New("this agent is leaving the pool")

func newTransport(n network, d *doorman) *transport {
	t := &transport{network: n, doorman: d, streams: make(chan net.Conn), done: make(chan struct{})}
	go t.accept()
	return t
}

// accept passes on the streams that come in.
func (t *transport) accept() {
	for {
		select {
		case conn := <-t.network.StreamCh():
			if t.quiet.Load() {
				conn.Close()
				continue
			}
			guest, ok := t.doorman.admit(conn)
			if !ok {
				continue
			}
			select {
			case t.streams <- guest:
			case <-t.done:
				guest.Close()
			}
		case <-t.done:
			return
		}
	}
}

// FinalAdvertiseAddr implements memberlist.Transport. Memberlist asks for it before it
// starts any goroutine, and when its settings are whole.
func (t *transport) FinalAdvertiseAddr(ip string, port int) (net.IP, int, error) {
	if t.begin != nil {
		t.began.Do(t.begin)
	}
	return t.network.FinalAdvertiseAddr(ip, port)
}

// StreamCh implements memberlist.Transport.
func (t *transport) StreamCh() <-chan net.Conn { return t.streams }

// DialTimeout implements memberlist.Transport.
func (t *transport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	return t.DialAddressTimeout(memberlist.Address{Addr: addr}, timeout)
}

// DialAddressTimeout implements memberlist.NodeAwareTransport.
func (t *transport) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	if t.quiet.Load() {
		return nil, errQuiet
	}
	conn, err := t.network.DialAddressTimeout(a, timeout)
	if err != nil {
		return nil, err
	}
	return t.doorman.escort(conn), nil
}

// Shutdown implements memberlist.Transport. The listeners end first: they may have
// something to hand over.
func (t *transport) Shutdown() error {
	err := t.network.Shutdown()
	close(t.done)
	return err
}

// discard closes a transport that nobody reads from, with what waits in it.
func (t *transport) discard() {
	go t.Shutdown() //nolint:errcheck // it returns none
	for {
		select {
		case <-t.PacketCh():
		case conn := <-t.streams:
			conn.Close()
		case <-t.done:
			return
		}
	}
}
