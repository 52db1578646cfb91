//go:build !linux || !amd64

package clock

import "time"

// Set says that it cannot be done here.
func Set(pid int, offset time.Duration) error { return ErrUnsupported }
