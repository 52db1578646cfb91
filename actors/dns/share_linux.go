package dns

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// canSharePort says whether several sockets at one port share what comes in.
const canSharePort = true

// sharePort lets further sockets of the same user have the port, too.
func sharePort(_, _ string, c syscall.RawConn) error {
	var err error
	if ctl := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	}); ctl != nil {
		return ctl
	}
	return err
}
