//go:build !linux

package dns

import "syscall"

// canSharePort says whether several sockets at one port share what comes in.
const canSharePort = false

func sharePort(_, _ string, _ syscall.RawConn) error { return nil }
