//go:build !linux

package health

import (
	"context"
	"os/exec"
)

// ownGroup does nothing here: programs are killed alone.
func ownGroup(*exec.Cmd) {}

// waitGroup waits for the end of a program, and kills it when ctx ends before.
func waitGroup(ctx context.Context, cmd *exec.Cmd) error {
	defer context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })()
	return cmd.Wait()
}
