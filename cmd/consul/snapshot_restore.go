package main

import (
	"fmt"
	"io"
	"os"

	"github.com/hashicorp/cli"
	"github.com/hashicorp/consul/api"

	"github.com/actor-consul/consul/messages/archive"
)

// snapshotRestoreCommand puts the state of an archive in the place of the servers'.
type snapshotRestoreCommand struct{ httpCommand }

func newSnapshotRestoreCommand(ui cli.Ui) cli.Command {
	c := &snapshotRestoreCommand{newHTTPCommand(ui, words{
		name:     "snapshot restore",
		operands: "FILE",
		synopsis: "Restores snapshot of Consul server state",
		about: `
Puts the state in FILE, an archive that "consul snapshot save" has written, in the
place of what the servers have. All that was written since it was saved is gone.
The servers stay as they are, also those of another cluster than FILE is of, and
write themselves and the agents that they see into the catalog again.

Nothing changes when FILE is damaged or does not arrive whole. It is meant for a
disaster: while it takes place no server may fail.`,
		example: `
$ consul snapshot restore backup.snap
Restored snapshot`,
	})}
	c.datacenterFlag()
	return c
}

// Run implements cli.Command.
func (c *snapshotRestoreCommand) Run(args []string) int {
	operands, ok := c.parse(args, 1, 1)
	if !ok {
		return 1
	}
	agent, ok := c.client()
	if !ok {
		return 1
	}
	f, err := openVerified(operands[0])
	if err != nil {
		return c.failed("Error opening snapshot file: %s", err)
	}
	defer f.Close()
	ctx, stop := interruptible()
	defer stop()
	if err := agent.Snapshot().Restore((&api.WriteOptions{}).WithContext(ctx), f); err != nil {
		return c.failed("Error restoring snapshot: %s", c.http.explain(err))
	}
	c.ui.Output("Restored snapshot")
	return 0
}

// openVerified opens an archive that is whole. What comes out of a pipe can be read
// only once; the server will see.
func openVerified(path string) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case info.IsDir():
		err = fmt.Errorf("%s is a directory", path)
	case info.Mode().IsRegular():
		if _, err = archive.Verify(f, archive.Limits{}); err == nil {
			_, err = f.Seek(0, io.SeekStart)
		} else {
			err = fmt.Errorf("%s: %w", path, err)
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
