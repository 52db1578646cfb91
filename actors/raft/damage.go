package raft

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// raft-wal checks the checksum of the last batch of its last file, and takes all
// that it cannot read there for the rest of a write that was cut off by a crash.
// A flipped bit in the middle of the file thus makes it forget, without a word,
// what comes behind. So every file is read through before the log is opened. What
// was acknowledged lies before something that was written later, and a file has
// its full size from the beginning; that gives away nearly all damage. Damage to
// the very last batch alone looks like a write that was cut off; after an orderly
// stop it is found out by the index that was noted then (disk.go).

// damaged is the error for files that do not hold what was written to them.
type damaged struct {
	path string
	what string
}

func (d *damaged) Error() string { return d.path + " is damaged: " + d.what }

// The format of a segment file, from raft-wal's segment/format.go: a header of 32
// bytes, then frames, each with a header of 8 bytes (type, three zeros, length or
// checksum) and padded to 8. A batch is a run of entry frames, at the end of a file
// an index frame, and a commit frame with the CRC-32C of all since the one before.
const (
	fileHeader  = 32
	frameHeader = 8

	frameEntry  = 1
	frameIndex  = 2
	frameCommit = 3
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// scan is what reading a segment file through has found.
type scan struct {
	good    int64 // where the last batch ends whose checksum is right
	entries int   // how many entries are in the batches up to there
	index   int64 // where the index is in that batch, behind which nothing is written; or 0
	end     int64 // where the last byte is that is not zero; good when there is none behind it
	later   bool  // a batch is behind good whose checksum is right: good is not the end
}

// scanSegment reads the size bytes of a segment file.
func scanSegment(file io.ReaderAt, size int64) (scan, error) {
	s, err := scanBatches(bufio.NewReaderSize(io.NewSectionReader(file, 0, size), 1<<20))
	if err != nil {
		return s, err
	}
	if s.end, err = nonzeroTail(file, s.good, size); err != nil || !s.rest() {
		return s, err
	}
	behind := make([]byte, s.end-s.good)
	if _, err := file.ReadAt(behind, s.good); err != nil {
		return s, err
	}
	s.later = hasBatch(behind)
	return s, nil
}

// rest says whether there is something behind the last batch that is whole.
func (s scan) rest() bool { return s.end > s.good }

// scanBatches goes from batch to batch for as long as their checksums are right.
func scanBatches(r *bufio.Reader) (scan, error) {
	var s scan
	var head [fileHeader]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return s, ignoreEOF(err)
	}
	at, entries, index := int64(fileHeader), 0, int64(0)
	crc := crc32.Checksum(head[:], castagnoli)
	for {
		frame := head[:frameHeader]
		if _, err := io.ReadFull(r, frame); err != nil {
			return s, ignoreEOF(err)
		}
		value := binary.LittleEndian.Uint32(frame[4:])
		switch frame[0] {
		case frameEntry, frameIndex:
			body := int64(value) + int64(-value&7)
			crc = crc32.Update(crc, castagnoli, frame)
			n, err := io.CopyN(checksum{&crc}, r, body)
			if err != nil {
				return s, ignoreEOF(err)
			}
			if frame[0] == frameEntry {
				entries++
			} else {
				index = at + frameHeader
			}
			at += frameHeader + n
		case frameCommit:
			if value != crc {
				return s, nil
			}
			at += frameHeader
			s.good, s.entries, s.index, crc = at, entries, index, 0
		default:
			return s, nil
		}
	}
}

// checksum adds what is written to it to a CRC-32C.
type checksum struct{ crc *uint32 }

func (c checksum) Write(p []byte) (int, error) {
	*c.crc = crc32.Update(*c.crc, castagnoli, p)
	return len(p), nil
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// nonzeroTail returns where the last byte between from and size that is not zero
// ends, rounded up to a frame, or from.
func nonzeroTail(file io.ReaderAt, from, size int64) (int64, error) {
	const chunk = 1 << 20
	buf, zeros := make([]byte, chunk), make([]byte, chunk)
	for end := size; end > from; {
		start := max(from, end-chunk)
		part := buf[:end-start]
		if _, err := file.ReadAt(part, start); err != nil {
			return 0, err
		}
		if !bytes.Equal(part, zeros[:len(part)]) {
			last := start + int64(len(bytes.TrimRight(part, "\x00")))
			return min(size, (last+7)&^7), nil
		}
		end = start
	}
	return from, nil
}

const (
	// maxTries bounds how many commit frames hasBatch looks back from, and maxBack
	// how far. The batch behind the damage is among the first.
	maxTries = 64
	maxBack  = 16 << 20
)

// hasBatch reports whether a whole batch lies somewhere in data, which begins at a
// multiple of 8 from the start of a file. Since the damage may have hidden where
// the batch begins, the checksum is undone from the commit frame backwards: where
// it comes to what a checksum begins with, the batch begins.
func hasBatch(data []byte) bool {
	tries := 0
	for end := nextCommit(data, 0); end >= 0 && tries < maxTries; end = nextCommit(data, end+frameHeader) {
		tries++
		crc := binary.LittleEndian.Uint32(data[end+4:])
		for at := end - frameHeader; at >= max(0, end-maxBack); at -= frameHeader {
			if crc = undo(crc, data[at:at+frameHeader]); crc == 0 {
				return true
			}
		}
	}
	return false
}

// undo returns the CRC-32C of what comes before p, from that of all including p.
func undo(crc uint32, p []byte) uint32 {
	crc = ^crc
	for i := len(p) - 1; i >= 0; i-- {
		index := castagnoliByTop[crc>>24]
		crc = (crc^castagnoli[index])<<8 | uint32(index^p[i])
	}
	return ^crc
}

// castagnoliByTop has the index of each entry of the CRC table by its upper byte,
// which is different in each.
var castagnoliByTop = func() (byTop [256]byte) {
	for i, entry := range castagnoli {
		byTop[entry>>24] = byte(i)
	}
	return byTop
}()

// nextCommit returns where, from an offset on, something looks like a commit
// frame, or -1.
func nextCommit(data []byte, from int) int {
	for at := from; at+frameHeader <= len(data); at += frameHeader {
		if binary.LittleEndian.Uint32(data[at:]) == frameCommit {
			return at
		}
	}
	return -1
}

// checkSealed says whether a file that was written to its end has the entries that
// it ought to have.
func (s scan) checkSealed(path string, entries uint64) error {
	if uint64(s.entries) < entries {
		return &damaged{path, fmt.Sprintf("of its %d entries only the first %d have the right checksum", entries, s.entries)}
	}
	return nil
}

// checkTail says whether the file that is written to is whole. A file has its full
// size before the first entry is written to it.
func (s scan) checkTail(path string, size, full int64) error {
	switch {
	case s.later:
		return &damaged{path, fmt.Sprintf("the checksum is wrong at byte %d, and there are entries behind it", s.good)}
	case size < full && (s.good > 0 || s.rest()):
		return &damaged{path, fmt.Sprintf("it was cut off at byte %d", size)}
	}
	return nil
}

func isDamaged(err error) bool {
	var d *damaged
	return errors.As(err, &d)
}
