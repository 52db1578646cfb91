package agenttest

import (
	"fmt"
	"net"
	"strconv"
	"testing"
)

// Default leaves a port to the program: it is what Consul has there.
const Default = -2

// Ports are those an agent listens at. A zero is filled in by Start; -1 disables a
// listener.
type Ports struct {
	HTTP, DNS, RPC, Server, SerfLAN, SerfWAN int
}

func (p *Ports) all() []*int {
	return []*int{&p.HTTP, &p.DNS, &p.RPC, &p.Server, &p.SerfLAN, &p.SerfWAN}
}

func (p *Ports) flags() []string {
	names := []string{"-http-port", "-dns-port", "-rpc-port", "-server-port", "-serf-lan-port", "-serf-wan-port"}
	var flags []string
	for i, port := range p.all() {
		if *port != Default {
			flags = append(flags, names[i], strconv.Itoa(*port))
		}
	}
	return flags
}

// Reserve takes free ports from the system, for an agent that others have to know
// before it starts.
func Reserve(t testing.TB, addr string) (p Ports) {
	t.Helper()
	if err := p.fill(addr); err != nil {
		t.Fatal(err)
	}
	return p
}

// fill takes free ports from the system. They are held together until each has
// its own, and then given up, so that somebody else may still be faster.
func (p *Ports) fill(addr string) error {
	for _, port := range p.all() {
		if *port != 0 {
			continue
		}
		free, release, err := reserve(addr)
		if err != nil {
			return err
		}
		defer release()
		*port = free
	}
	return nil
}

// reserve holds a port for TCP and UDP until release is called.
func reserve(addr string) (port int, release func(), err error) {
	for range 100 {
		tcp, err := net.Listen("tcp", at(addr, 0))
		if err != nil {
			return 0, nil, fmt.Errorf("no port on %s: %w", addr, err)
		}
		port := tcp.Addr().(*net.TCPAddr).Port
		udp, err := net.ListenPacket("udp", at(addr, port))
		if err == nil {
			return port, func() { tcp.Close(); udp.Close() }, nil
		}
		tcp.Close() // UDP has it: another one
	}
	return 0, nil, fmt.Errorf("no port on %s is free for both TCP and UDP", addr)
}

func at(addr string, port int) string { return net.JoinHostPort(addr, strconv.Itoa(port)) }
