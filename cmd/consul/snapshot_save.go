package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/cli"
	"github.com/hashicorp/consul/api"

	"github.com/actor-consul/consul/messages/archive"
)

// snapshotSaveCommand writes the state of the servers to a file.
type snapshotSaveCommand struct {
	httpCommand
	append string
}

func newSnapshotSaveCommand(ui cli.Ui) cli.Command {
	c := &snapshotSaveCommand{httpCommand: newHTTPCommand(ui, words{
		name:     "snapshot save",
		operands: "FILE",
		synopsis: "Saves snapshot of Consul server state",
		about: `
Writes the state of the servers, as it is at one moment, to FILE. It is read back
and its sums are checked before FILE has its name: FILE is whole, or what it was
before.

The archive has whatever is in the keys, so it is readable by its owner only.`,
		example: `
$ consul snapshot save backup.snap
Saved and verified snapshot to index 8419

$ consul snapshot save -stale backup.snap`,
	})}
	c.datacenterFlag()
	c.staleFlag()
	c.flags.StringVar(&c.append, "append-filename", "", "put `WORDS` into the file's name, before its end: version, dc, or version,dc")
	return c
}

// Run implements cli.Command.
func (c *snapshotSaveCommand) Run(args []string) int {
	operands, ok := c.parse(args, 1, 1)
	if !ok {
		return 1
	}
	words, err := appended(c.append)
	if err != nil {
		return c.misused(err)
	}
	agent, ok := c.client()
	if !ok {
		return 1
	}
	path, err := c.fileName(agent, operands[0], words)
	if err != nil {
		return c.failed("Error connecting to Consul agent: %s", c.http.explain(err))
	}
	index, err := c.save(agent, path)
	if err != nil {
		return c.failed("Error saving snapshot: %s", c.http.explain(err))
	}
	c.ui.Output(fmt.Sprintf("Saved and verified snapshot to index %d", index))
	return 0
}

// appended reads the value of -append-filename.
func appended(text string) ([]string, error) {
	if text == "" {
		return nil, nil
	}
	words := strings.Split(text, ",")
	for _, w := range words {
		if w != "version" && w != "dc" {
			return nil, fmt.Errorf("-append-filename takes version and dc, separated by a comma, and not %q", w)
		}
	}
	return words, nil
}

// fileName puts what is wanted into a file's name: backup.snap becomes
// backup-1.19.2-dc1.snap.
func (c *snapshotSaveCommand) fileName(agent *api.Client, path string, words []string) (string, error) {
	if len(words) == 0 {
		return path, nil
	}
	self, err := agent.Agent().Self()
	if err != nil {
		return "", err
	}
	values := map[string]string{"dc": c.http.datacenter}
	if values["dc"] == "" {
		values["dc"], _ = self["Config"]["Datacenter"].(string)
	}
	values["version"], _ = self["Config"]["Version"].(string)
	end := filepath.Ext(path)
	name := strings.TrimSuffix(path, end)
	for _, w := range []string{"version", "dc"} { // in Consul's order, whatever was given
		if !slices.Contains(words, w) {
			continue
		}
		if v := values[w]; v == "" || strings.ContainsAny(v, `/\`) {
			return "", fmt.Errorf("the agent says %q for its %s, which fits no file name", v, w)
		}
		name += "-" + values[w]
	}
	return name + end, nil
}

// save writes an archive to path and returns the index of what is in it.
func (c *snapshotSaveCommand) save(agent *api.Client, path string) (index uint64, err error) {
	ctx, stop := interruptible()
	defer stop()
	err = replaceFile(path, func(f *os.File) error {
		options := &api.QueryOptions{AllowStale: c.http.stale}
		saved, meta, err := agent.Snapshot().Save(options.WithContext(ctx))
		if err != nil {
			return err
		}
		defer saved.Close()
		index = meta.LastIndex
		if _, err := io.Copy(f, saved); err != nil {
			return fmt.Errorf("the archive did not come whole: %w", err)
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
		if _, err := archive.Verify(f, archive.Limits{}); err != nil {
			return fmt.Errorf("what the agent sent was not kept: %w", err)
		}
		return nil
	})
	return index, err
}

// replaceFile has write fill a new file, and gives that the name path once it is on
// the disk. When anything fails, path is what it was and nothing is left over.
func replaceFile(path string, write func(*os.File) error) (err error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s is there and no file", path)
	}
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*.unverified")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, ignoreClosed(f.Close()), os.Remove(f.Name()))
		}
	}()
	if err := write(f); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

// ignoreClosed leaves out that a file was closed before.
func ignoreClosed(err error) error {
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

// syncDir makes what was renamed in a directory last.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
