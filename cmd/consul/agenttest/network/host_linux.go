package network

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Host is a machine on the network.
type Host struct {
	IP string // on the network; the test reaches it at 127.0.0.1, with Dial

	namespace *os.File
	tun       *os.File
}

// New makes a network of so many hosts, which ends with the test. The error says
// what the machine does not permit.
func New(t testing.TB, hosts int) (*Network, error) {
	t.Helper()
	n := &Network{wires: map[[2]int]*wire{}}
	for i := range hosts {
		h, err := newHost(i)
		if err != nil {
			return nil, fmt.Errorf("no network of its own for a test: %w; run it as root, where namespaces and TUN devices are permitted", err)
		}
		n.Hosts = append(n.Hosts, h)
		t.Cleanup(h.close)
	}
	for i, h := range n.Hosts {
		go n.listen(i, h)
	}
	return n, nil
}

// newHost makes a namespace, and in it a TUN device.
func newHost(i int) (h *Host, err error) {
	h = &Host{IP: address(i).String()}
	err = onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("make a network namespace: %w", err)
		}
		if h.namespace, err = os.Open("/proc/thread-self/ns/net"); err != nil {
			return err
		}
		if h.tun, err = openTUN(); err != nil {
			h.namespace.Close()
			return err
		}
		if err = bringUp(address(i)); err != nil {
			h.close()
		}
		return err
	})
	return h, err
}

// onThread calls f on a thread that may change its namespace, and has it back in
// its old one afterwards.
func onThread(f func() error) error {
	failed := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		old, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			failed <- err
			return
		}
		defer old.Close()
		failed <- f()
		if unix.Setns(int(old.Fd()), unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread() // otherwise the thread ends with the goroutine
		}
	}()
	return <-failed
}

const device = "eth0"

func openTUN() (*os.File, error) {
	const path = "/dev/net/tun"
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	req, err := unix.NewIfreq(device)
	if err == nil {
		req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, req)
	}
	if err != nil {
		unix.Close(fd) //nolint:errcheck // nothing was written
		return nil, fmt.Errorf("make a TUN device: %w", err)
	}
	return os.NewFile(uintptr(fd), path), nil // after TUNSETIFF: before, there is nothing to poll
}

// bringUp gives the device its address, and brings it and the loopback device up,
// in the namespace of the thread.
func bringUp(ip net.IP) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	set := func(name string, what uint, fill func(*unix.Ifreq) error) {
		req, e := unix.NewIfreq(name)
		if e == nil {
			e = fill(req)
		}
		if e == nil {
			e = unix.IoctlIfreq(fd, what, req)
		}
		if e != nil && err == nil {
			err = fmt.Errorf("set up %s: %w", name, e)
		}
	}
	up := func(req *unix.Ifreq) error { req.SetUint16(unix.IFF_UP | unix.IFF_RUNNING); return nil }
	set("lo", unix.SIOCSIFFLAGS, up)
	set(device, unix.SIOCSIFADDR, func(req *unix.Ifreq) error { return req.SetInet4Addr(ip) })
	set(device, unix.SIOCSIFNETMASK, func(req *unix.Ifreq) error { return req.SetInet4Addr(net.CIDRMask(24, 32)) })
	set(device, unix.SIOCSIFMTU, func(req *unix.Ifreq) error { req.SetUint32(mtu); return nil })
	set(device, unix.SIOCSIFFLAGS, up)
	return err
}

// Start starts a command on this host. It is killed when the test ends without a
// word, so that nothing is left of a run.
func (h *Host) Start(cmd *exec.Cmd) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	return h.within(cmd.Start)
}

// within calls f on a thread that is on this host: a process that it starts and a
// socket that it makes belong to the host. f must not leave its goroutine for that.
func (h *Host) within(f func() error) error {
	return onThread(func() error {
		if err := unix.Setns(int(h.namespace.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter the namespace of %s: %w", h.IP, err)
		}
		return f()
	})
}

// Dial connects to an address as seen from this host, for http.Transport and the
// like.
func (h *Host) Dial(ctx context.Context, network, address string) (conn net.Conn, err error) {
	err = h.within(func() error {
		conn, err = new(net.Dialer).DialContext(ctx, network, address)
		return err
	})
	return conn, err
}

// listen carries what the host sends, until the device is closed.
func (n *Network) listen(i int, h *Host) {
	packet := make([]byte, mtu)
	for {
		size, err := h.tun.Read(packet)
		if err != nil {
			return
		}
		n.carry(i, packet[:size])
	}
}

// deliver hands a packet to the host. A packet that the host has no room for is
// lost, as on any wire.
func (h *Host) deliver(packet []byte) { _, _ = h.tun.Write(packet) }

func (h *Host) close() {
	h.tun.Close()
	h.namespace.Close()
}
