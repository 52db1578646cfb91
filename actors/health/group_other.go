//go:build !linux

package health

import (
	"context"
	"os/exec"
)

// startGroup starts a program. Here it has no group: programs are killed alone.
func startGroup(cmd *exec.Cmd) error { return cmd.Start() }

// waitGroup waits for the end of a program, and kills it when ctx ends before.
func waitGroup(ctx context.Context, cmd *exec.Cmd) error {
	defer context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })()
	return cmd.Wait()
}
