//go:build !linux

package client

import "syscall"

// control does nothing: only Linux lets one say for how long data may go without an
// acknowledgement.
func control(_, _ string, _ syscall.RawConn) error { return nil }
