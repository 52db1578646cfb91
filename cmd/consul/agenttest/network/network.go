// Package network gives each agent of a test a machine of its own, on a network
// that the test can break.
//
//	agent ──packet──▶ TUN device ──▶ Network ──late, or never──▶ TUN device ──▶ agent
//	test ──Cut, Slow, Heal──▶ Network
//	     ──Start, Dial──▶ Host (a network namespace)
//
// A host is a network namespace without a name, which goes when the test and the
// agents in it have gone, however they ended; two runs never meet. Its only way out
// is a TUN device whose other side the test holds, so that the test is the wire:
// it decides about every packet, and needs no tool and no module of the kernel.
// What is cut is lost without a word to either side, as in a real network, and each
// direction is cut by itself.
//
// The test itself speaks to an agent over the loopback device of its host, which
// nothing breaks.
//
// It needs Linux, and the right to make network namespaces: New says so where that
// is missing.
package network

import (
	"encoding/binary"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// Quality is how well packets travel from one host to another. The zero value is a
// perfect wire.
type Quality struct {
	Lost   bool          // all of them
	Loss   float64       // the share that is lost, 0 to 1
	Delay  time.Duration // of each
	Jitter time.Duration // more of it, up to so much; hardly any packet overtakes another
	Rate   int           // bytes a second; 0: no bound. What would wait for longer than maxQueue is lost.
}

// maxQueue is how long a packet waits for a slow wire at most.
const maxQueue = 500 * time.Millisecond

// mtu is the greatest packet.
const mtu = 1500

// Network carries packets between hosts. Any number of goroutines may use it.
type Network struct {
	Hosts []*Host

	mu    sync.Mutex // packets come on one goroutine for each host, orders on any
	wires map[[2]int]*wire
}

// wire is one direction between two hosts.
type wire struct {
	quality Quality
	free    time.Time // when all that was sent has left
	last    time.Time // when the newest packet arrives
}

// Slow gives the wire from one host to another a quality. Hosts count from 0.
func (n *Network) Slow(from, to int, q Quality) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.wires[[2]int{from, to}] = &wire{quality: q}
}

// Cut loses whatever one host sends another, and nothing in the other direction.
func (n *Network) Cut(from, to int) { n.Slow(from, to, Quality{Lost: true}) }

// Part cuts all wires between hosts of different groups, in both directions. Who is
// in no group keeps its wires.
func (n *Network) Part(groups ...[]int) {
	for i, group := range groups {
		for _, other := range groups[i+1:] {
			for _, a := range group {
				for _, b := range other {
					n.Cut(a, b)
					n.Cut(b, a)
				}
			}
		}
	}
}

// Heal makes all wires perfect.
func (n *Network) Heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.wires)
}

// after says when a packet of so many bytes arrives, from now on; false when it
// does not.
func (n *Network) after(from, to, bytes int) (time.Duration, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	w := n.wires[[2]int{from, to}]
	switch {
	case w == nil:
		return 0, true
	case w.quality.Lost, rand.Float64() < w.quality.Loss:
		return 0, false
	}
	now := time.Now()
	w.free = later(w.free, now)
	if w.free.Sub(now) > maxQueue {
		return 0, false
	}
	if q := w.quality; q.Rate > 0 {
		w.free = w.free.Add(time.Second * time.Duration(bytes) / time.Duration(q.Rate))
	}
	w.last = later(w.last, w.free.Add(w.quality.Delay+rand.N(w.quality.Jitter+1)))
	return w.last.Sub(now), true
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// carry brings a packet to the host that it is for, if it gets there.
func (n *Network) carry(from int, packet []byte) {
	to, ok := destination(packet)
	if !ok || to >= len(n.Hosts) {
		return
	}
	delay, ok := n.after(from, to, len(packet))
	switch {
	case !ok:
	case delay <= 0:
		n.Hosts[to].deliver(packet)
	default:
		kept := append([]byte(nil), packet...)
		time.AfterFunc(delay, func() { n.Hosts[to].deliver(kept) })
	}
}

// subnet is the first address of the hosts' network, which is a /24: the host with
// index 0 has the next one.
var subnet = [4]byte{10, 83, 0, 0}

// address returns the IP address of a host.
func address(host int) net.IP {
	return net.IPv4(subnet[0], subnet[1], subnet[2], byte(host+1)).To4()
}

// destination returns the host that an IPv4 packet is for.
func destination(packet []byte) (host int, ok bool) {
	const header = 20
	if len(packet) < header || packet[0]>>4 != 4 {
		return 0, false
	}
	to := binary.BigEndian.Uint32(packet[16:header])
	host = int(to&0xff) - 1
	return host, host >= 0 && to&^0xff == binary.BigEndian.Uint32(subnet[:])
}
