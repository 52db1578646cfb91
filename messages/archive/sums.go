package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"strings"
)

// sums are the SHA-256 sums of an archive's files, while they are written or read.
type sums struct{ meta, state hash.Hash }

func newSums() sums { return sums{meta: sha256.New(), state: sha256.New()} }

// of returns the sum of a file that has one.
func (s sums) of(file string) (hash.Hash, bool) {
	switch file {
	case MetaFile:
		return s.meta, true
	case StateFile:
		return s.state, true
	default:
		return nil, false
	}
}

// text returns the content of SHA256SUMS.
func (s sums) text() []byte {
	return fmt.Appendf(nil, "%x  %s\n%x  %s\n", s.meta.Sum(nil), MetaFile, s.state.Sum(nil), StateFile)
}

// check compares the sums with the content of SHA256SUMS, which may have been
// written by sha256sum(1), in any order.
func (s sums) check(list []byte) error {
	listed := map[string]bool{}
	for line := range strings.Lines(string(list)) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			continue
		}
		text, file, found := strings.Cut(line, " ")
		sum, err := hex.DecodeString(text)
		if !found || err != nil || len(sum) != sha256.Size {
			return fmt.Errorf("%w: %s has a line that is no sum: %.100q", ErrDamaged, SumsFile, line)
		}
		file = strings.TrimLeft(file, " *") // of text files, of binary files
		have, ok := s.of(file)
		if !ok {
			return fmt.Errorf("%w: %s has a sum of a file %.100q", ErrUnexpected, SumsFile, file)
		}
		if got := have.Sum(nil); !bytes.Equal(got, sum) {
			return fmt.Errorf("%w: the sum of %s is %.8x…, and %s says %.8x…", ErrDamaged, file, got, SumsFile, sum)
		}
		listed[file] = true
	}
	for _, file := range []string{MetaFile, StateFile} {
		if !listed[file] {
			return fmt.Errorf("%w: %s has no sum of %s", ErrMissing, SumsFile, file)
		}
	}
	return nil
}
