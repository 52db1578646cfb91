package client

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// unacknowledged is how long the kernel tries to bring data to a server that does not
// acknowledge it, before it gives the connection up. Without it that takes a quarter
// of an hour, and a connection that has survived a cut in the network hardly tries any
// more when that is over.
const unacknowledged = 5 * time.Second

// control sets up a connection before it is made.
func control(_, _ string, raw syscall.RawConn) (err error) {
	failed := raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(unacknowledged/time.Millisecond))
	})
	if err == nil {
		err = failed
	}
	return err
}
