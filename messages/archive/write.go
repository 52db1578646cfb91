package archive

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/hashicorp/raft"
)

// Write archives a snapshot: meta describes it, and state gives its meta.Size
// bytes, no more and no fewer. Nothing but a few buffers is held in memory. After
// an error what was written to w is worth nothing.
func Write(w io.Writer, meta *raft.SnapshotMeta, state io.Reader) error {
	if err := checkMeta(meta); err != nil {
		return err
	}
	description, err := json.Marshal(meta)
	if err != nil {
		return fmt.Errorf("describe the snapshot: %w", err)
	}
	description = append(description, '\n')

	zip, sums := gzip.NewWriter(w), newSums()
	t := &tarball{Writer: tar.NewWriter(zip), now: time.Now()}
	if err := t.file(MetaFile, int64(len(description)), io.TeeReader(bytes.NewReader(description), sums.meta)); err != nil {
		return err
	}
	if err := t.file(StateFile, meta.Size, io.TeeReader(state, sums.state)); err != nil {
		return err
	}
	list := sums.text()
	if err := t.file(SumsFile, int64(len(list)), bytes.NewReader(list)); err != nil {
		return err
	}
	if err := t.Close(); err != nil {
		return fmt.Errorf("end the archive: %w", err)
	}
	if err := zip.Close(); err != nil {
		return fmt.Errorf("end the archive: %w", err)
	}
	return nil
}

// tarball is the tar of an archive that is being written.
type tarball struct {
	*tar.Writer
	now time.Time
}

// file adds a file, which content gives whole.
func (t *tarball) file(name string, size int64, content io.Reader) error {
	if err := t.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: size, ModTime: t.now}); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	n, err := io.CopyN(t, content, size)
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("write %s: it ends after %d of its %d bytes", name, n, size)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	switch n, err := io.ReadFull(content, make([]byte, 1)); {
	case n > 0:
		return fmt.Errorf("write %s: it goes on behind its %d bytes", name, size)
	case !errors.Is(err, io.EOF):
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}
