package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/hashicorp/cli"
)

func newSnapshotCommand(ui cli.Ui) cli.Command {
	return newGroupCommand(ui, words{
		name:     "snapshot",
		synopsis: "Saves, restores and inspects snapshots of Consul server state",
		about: `
Saves the state of the servers in an archive, restores it from one, and shows what
is in one: the keys, the catalog and the sessions. The archives are those of
Consul, in both directions.`,
		example: `
$ consul snapshot save backup.snap
Saved and verified snapshot to index 8419

$ consul snapshot inspect backup.snap`,
	}, "inspect", "restore", "save")
}

// interruptible returns a context that ends with Ctrl-C, so that nothing is left
// over.
func interruptible() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
}
