//go:build !linux

package http

import "runtime"

// collect says that nothing is known of this system.
func (h *hostInfo) collect() {
	h.Errors = append(h.Errors, "this agent cannot tell about "+runtime.GOOS)
}
