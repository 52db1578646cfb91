// Package clock sets the wall clock of one process, while it runs and for it alone,
// as an operator or a time daemon would set that of its machine.
//
// A process asks the kernel's vDSO for the time: code that the kernel puts into the
// memory of every process. Set puts other code in its place, in the process's own
// copy of that page, which asks the kernel and adds an offset to what it says of
// the wall clock. The monotonic clock is left alone, as it is on a machine whose
// wall clock is set. The program that runs needs no seam for this and cannot tell.
//
// It needs Linux on amd64 and the right to write the memory of the process.
package clock

import "errors"

// ErrUnsupported is returned where the package does not know how to do it.
var ErrUnsupported = errors.New("the wall clock of one process can only be set on Linux on amd64")
