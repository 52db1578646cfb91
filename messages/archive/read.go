package archive

import (
	"archive/tar"
	"bufio"
	"compress/flate"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/hashicorp/raft"
)

// Read reads an archive to its end, writes the bytes of state.bin to state as they
// come, and returns what meta.json says. What state has been given counts only when
// there is no error; whatever is wrong with the archive, one of the errors of this
// package says so. An error of r or of state comes back wrapped.
func Read(r io.Reader, state io.Writer, limits Limits) (*raft.SnapshotMeta, error) {
	return unpack(r, limits, func(content io.Reader) error {
		_, err := io.Copy(state, content)
		return err
	})
}

// Verify reads an archive to its end and returns what meta.json says.
func Verify(r io.Reader, limits Limits) (*raft.SnapshotMeta, error) {
	return Read(r, io.Discard, limits)
}

// unpack reads an archive. use is called with the content of state.bin, once; its
// error counts when nothing else is wrong, since it may come of the damage.
func unpack(r io.Reader, limits Limits, use func(content io.Reader) error) (*raft.SnapshotMeta, error) {
	source := bufio.NewReaderSize(r, 1<<16)
	zip, err := gzip.NewReader(source)
	if err != nil {
		return nil, notZipped(err)
	}
	zip.Multistream(false) // an archive is one stream
	u := &unpacking{limits: limits.withDefaults(), sums: newSums(), use: use, seen: map[string]bool{}}
	if err := u.files(tar.NewReader(zip)); err != nil {
		return nil, err
	}
	if err := atEnd(zip, source); err != nil {
		return nil, err
	}
	return u.conclude()
}

// unpacking is an archive that is being read.
type unpacking struct {
	limits Limits
	sums   sums
	use    func(io.Reader) error

	seen    map[string]bool
	meta    []byte // the content of meta.json
	list    []byte // the content of SHA256SUMS
	size    int64  // of state.bin
	misused error  // what use said
}

// files reads the files, in whatever order they are.
func (u *unpacking) files(t *tar.Reader) error {
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return explain("the tar", err)
		}
		if err := u.admit(h); err != nil {
			return err
		}
		if err := u.file(h.Name, t); err != nil {
			return explain(h.Name, err)
		}
	}
}

// admit refuses what is none of the three files. Since nothing is written under a
// name from the archive, this is for the person who made it.
func (u *unpacking) admit(h *tar.Header) error {
	switch h.Name {
	case MetaFile, StateFile, SumsFile:
	default:
		return fmt.Errorf("%w: %.100q", ErrUnexpected, h.Name)
	}
	if h.Typeflag != tar.TypeReg {
		return fmt.Errorf("%w: a %s that is no plain file", ErrUnexpected, h.Name)
	}
	if u.seen[h.Name] {
		return fmt.Errorf("%w: a second %s", ErrUnexpected, h.Name)
	}
	u.seen[h.Name] = true
	if limit := u.limits.of(h.Name); h.Size > limit {
		return fmt.Errorf("%w: %s has %d bytes, and %d are allowed", ErrTooLarge, h.Name, h.Size, limit)
	}
	if h.Name == StateFile {
		u.size = h.Size
	}
	return nil
}

// file reads one file, whose size is within the limits.
func (u *unpacking) file(name string, content io.Reader) (err error) {
	switch name {
	case MetaFile:
		u.meta, err = io.ReadAll(io.TeeReader(content, u.sums.meta))
	case SumsFile:
		u.list, err = io.ReadAll(content)
	case StateFile:
		content = io.TeeReader(content, u.sums.state)
		u.misused = u.use(content)
		_, err = io.Copy(io.Discard, content) // what was not used has a sum, too
	}
	return err
}

// conclude compares what the files say.
func (u *unpacking) conclude() (*raft.SnapshotMeta, error) {
	for _, name := range []string{MetaFile, StateFile, SumsFile} {
		if !u.seen[name] {
			return nil, fmt.Errorf("%w: %s is missing", ErrMissing, name)
		}
	}
	if err := u.sums.check(u.list); err != nil {
		return nil, err
	}
	meta, err := ParseMeta(u.meta)
	if err != nil {
		return nil, err
	}
	if meta.Size != u.size {
		return nil, fmt.Errorf("%w: %s says that %s has %d bytes, and it has %d", ErrNonsense, MetaFile, StateFile, meta.Size, u.size)
	}
	if u.misused != nil {
		return nil, fmt.Errorf("%s: %w", StateFile, u.misused)
	}
	return meta, nil
}

// ParseMeta reads the content of a meta.json, of an archive or of raft's own
// snapshot directory.
func ParseMeta(text []byte) (*raft.SnapshotMeta, error) {
	var meta raft.SnapshotMeta
	if err := json.Unmarshal(text, &meta); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrNonsense, MetaFile, err)
	}
	if err := checkMeta(&meta); err != nil {
		return nil, err
	}
	return &meta, nil
}

// maxPadding bounds the zeros behind the end of a tar: tar(1) fills its last block.
const maxPadding = 1 << 20

// atEnd reads the archive to its end, where gzip's checksum is, and refuses
// anything but zeros.
func atEnd(zip io.Reader, source *bufio.Reader) error {
	buf := make([]byte, 4096)
	for padding := 0; ; {
		n, err := zip.Read(buf)
		for _, b := range buf[:n] {
			if b != 0 {
				return fmt.Errorf("%w: data behind the end of the tar", ErrUnexpected)
			}
		}
		if padding += n; padding > maxPadding {
			return fmt.Errorf("%w: %d bytes behind the end of the tar", ErrUnexpected, padding)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return explain("the end of the tar", err)
		}
	}
	switch _, err := source.ReadByte(); {
	case err == nil:
		return fmt.Errorf("%w: data behind the end of the gzip stream", ErrUnexpected)
	case !errors.Is(err, io.EOF):
		return fmt.Errorf("read the archive: %w", err)
	}
	return nil
}

// explain says what an error on the way through tar and gzip means.
func explain(where string, err error) error {
	var corrupt flate.CorruptInputError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: it ends in %s", ErrTruncated, where)
	case errors.Is(err, gzip.ErrChecksum):
		return fmt.Errorf("%w: the checksum of its gzip stream is wrong", ErrDamaged)
	case errors.As(err, &corrupt):
		return fmt.Errorf("%w: its gzip stream cannot be read in %s (%w)", ErrDamaged, where, err)
	case errors.Is(err, tar.ErrHeader), errors.Is(err, tar.ErrFieldTooLong):
		return fmt.Errorf("%w: %s has a header that cannot be read", ErrDamaged, where)
	default:
		return fmt.Errorf("read %s: %w", where, err)
	}
}

// notZipped says why there is no gzip stream, in the words of Consul, which its
// clients show.
func notZipped(err error) error {
	if errors.Is(err, gzip.ErrHeader) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &unzippable{err}
	}
	return fmt.Errorf("read the archive: %w", err)
}

// unzippable is an ErrNotArchive.
type unzippable struct{ reason error }

// Error implements error.
func (u *unzippable) Error() string { return "failed to decompress snapshot: " + u.reason.Error() }

// Unwrap returns what it is.
func (u *unzippable) Unwrap() []error { return []error{ErrNotArchive, u.reason} }
