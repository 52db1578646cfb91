package archive

import (
	"errors"
	"fmt"
	"math"

	"github.com/hashicorp/raft"
)

// The files of an archive.
const (
	MetaFile  = "meta.json"
	StateFile = "state.bin"
	SumsFile  = "SHA256SUMS"
)

// The reasons for which an archive is refused. The error that wraps one says which
// file, and what was found.
var (
	// ErrNotArchive is returned when there is no gzip stream at all.
	ErrNotArchive = errors.New("this is no snapshot archive")
	// ErrTruncated is returned when the archive ends too early.
	ErrTruncated = errors.New("the archive is cut off")
	// ErrDamaged is returned when the bytes are not those that were written.
	ErrDamaged = errors.New("the archive is damaged")
	// ErrMissing is returned when one of the three files is not there.
	ErrMissing = errors.New("the archive is not whole")
	// ErrUnexpected is returned when there is something that does not belong there.
	ErrUnexpected = errors.New("the archive has something in it that does not belong there")
	// ErrTooLarge is returned when a file is larger than Limits allow.
	ErrTooLarge = errors.New("the archive is too large")
	// ErrNonsense is returned when a file is whole and says what cannot be.
	ErrNonsense = errors.New("the archive makes no sense")
)

// Limits bound the files of an archive, in bytes before compression. What is 0 has
// its default.
type Limits struct {
	Meta  int64 // of meta.json; default 1 MiB, which is thousands of servers
	Sums  int64 // of SHA256SUMS; default 4 KiB
	State int64 // of state.bin; default 64 GiB
}

// DefaultLimits are far above what any cluster has and far below what would harm.
func DefaultLimits() Limits {
	return Limits{Meta: 1 << 20, Sums: 4 << 10, State: 64 << 30}
}

func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	for _, f := range []struct{ limit, def *int64 }{{&l.Meta, &d.Meta}, {&l.Sums, &d.Sums}, {&l.State, &d.State}} {
		if *f.limit <= 0 {
			*f.limit = *f.def
		}
	}
	return l
}

// of returns the limit of a file.
func (l Limits) of(file string) int64 {
	switch file {
	case MetaFile:
		return l.Meta
	case SumsFile:
		return l.Sums
	default:
		return l.State
	}
}

// maxIndex bounds the index of a snapshot. Raft goes on counting from there, and
// one that has come to the end of its numbers would begin again at 0.
const maxIndex = math.MaxUint64 / 2

// checkMeta says why a snapshot's description cannot be true.
func checkMeta(m *raft.SnapshotMeta) error {
	switch {
	case m.Version < raft.SnapshotVersionMin || m.Version > raft.SnapshotVersionMax:
		return fmt.Errorf("%w: %s: version %d of raft's snapshots is not known here, which is %d to %d",
			ErrNonsense, MetaFile, m.Version, raft.SnapshotVersionMin, raft.SnapshotVersionMax)
	case m.Index > maxIndex || m.Term > maxIndex:
		return fmt.Errorf("%w: %s: no cluster has come to index %d of term %d", ErrNonsense, MetaFile, m.Index, m.Term)
	case m.Size < 0:
		return fmt.Errorf("%w: %s: the size of %s is %d", ErrNonsense, MetaFile, StateFile, m.Size)
	default:
		return nil
	}
}
