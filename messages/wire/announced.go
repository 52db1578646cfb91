package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

// The decoder makes room for what an array or a map announces before any of it has
// come: half a megabyte for five bytes, and again on each of MaxDepth levels. So what
// somebody else has written is looked through first, and refused when it announces
// more than there is.

var errAnnounced = errors.New("the message announces more than there is of it")

// skip returns what of buf is behind the value that it begins with, all of which has
// to be there, and how many elements of it hold others.
func skip(buf []byte) (rest []byte, containers int, err error) {
	for open := 1; open > 0; open-- {
		if open > len(buf) { // each takes a byte at least
			return nil, 0, errAnnounced
		}
		inside, size := element(buf)
		if size > len(buf) {
			return nil, 0, errAnnounced
		}
		if tag := buf[0]; tag >= 0x80 && tag < 0xa0 || tag >= 0xdc && tag < 0xe0 {
			containers++
		}
		open += inside
		buf = buf[size:]
	}
	return buf, containers, nil
}

// How many arrays and maps there may be in what is encoded within a message, where the
// limits of port 8300 do not look: one of a byte may take the room of a large struct.
// Honest entries are far from that, since they spell out the name of each field.
const (
	freeContainers    = 16 << 10
	bytesPerContainer = 8
)

// skipAll looks through values one after the other.
func skipAll(buf []byte) error {
	all := 0
	for rest := buf; len(rest) > 0; {
		var n int
		var err error
		if rest, n, err = skip(rest); err != nil {
			return err
		}
		if all += n; all > freeContainers+len(buf)/bytesPerContainer {
			return fmt.Errorf("%w: %d arrays and maps in %d bytes", ErrTooLarge, all, len(buf))
		}
	}
	return nil
}

// element returns how many elements are inside of the one that buf begins with, and
// how many bytes that one takes without them. It may be more than there are.
//
// Source: https://github.com/msgpack/msgpack/blob/master/spec.md
func element(buf []byte) (inside, size int) {
	switch tag := buf[0]; {
	case tag < 0x80 || tag >= 0xe0: // a small number
		return 0, 1
	case tag < 0x90:
		return 2 * int(tag&15), 1
	case tag < 0xa0:
		return int(tag & 15), 1
	case tag < 0xc0:
		return 0, 1 + int(tag&31)
	default:
		s := shapes[tag-0xc0]
		if 1+s.length > len(buf) {
			return 0, 1 + s.length
		}
		var wide [8]byte
		copy(wide[8-s.length:], buf[1:1+s.length])
		n := int(binary.BigEndian.Uint64(wide[:]))
		return n * s.inside, 1 + s.length + n*s.each + s.more
	}
}

// A shape says how an element goes on after its first byte: with a number of length
// bytes, which counts elements or bytes, and so many bytes more.
type shape struct{ length, inside, each, more int }

// shapes has the shapes of the first bytes from 0xc0 to 0xdf. 0xc1, which is none, is
// the decoder's to refuse.
var shapes = [32]shape{
	{}, {}, {}, {}, // nil, none, false, true
	{length: 1, each: 1}, {length: 2, each: 1}, {length: 4, each: 1}, // bytes
	{length: 1, each: 1, more: 1}, {length: 2, each: 1, more: 1}, {length: 4, each: 1, more: 1}, // extensions
	{more: 4}, {more: 8}, // floats
	{more: 1}, {more: 2}, {more: 4}, {more: 8}, // unsigned
	{more: 1}, {more: 2}, {more: 4}, {more: 8}, // signed
	{more: 2}, {more: 3}, {more: 5}, {more: 9}, {more: 17}, // extensions
	{length: 1, each: 1}, {length: 2, each: 1}, {length: 4, each: 1}, // text
	{length: 2, inside: 1}, {length: 4, inside: 1}, // arrays
	{length: 2, inside: 2}, {length: 4, inside: 2}, // maps
}

// chunk is how much room is made at a time for what is announced.
const chunk = 64 << 10

// ReadValue appends the bytes of the next value of r to buf, which may have no more
// than limit then. It takes no byte beyond the value, and makes room for bytes as they
// come, whatever is announced. The error is io.EOF when r ends before the value begins,
// and ErrTooLarge when the value would not fit. Decode reads what is returned.
func ReadValue(r io.Reader, buf []byte, limit int) ([]byte, error) {
	begin := len(buf)
	for open := 1; open > 0; open-- {
		at := len(buf)
		var err error
		if buf, err = take(r, buf, 1, limit); err != nil {
			if errors.Is(err, io.ErrUnexpectedEOF) && at == begin {
				err = io.EOF
			}
			return nil, err
		}
		if tag := buf[at]; tag >= 0xc0 && tag < 0xe0 {
			if buf, err = take(r, buf, shapes[tag-0xc0].length, limit); err != nil {
				return nil, err
			}
		}
		inside, size := element(buf[at:])
		if buf, err = take(r, buf, at+size-len(buf), limit); err != nil {
			return nil, err
		}
		if open += inside; open-1 > limit-len(buf) {
			return nil, tooLong(limit)
		}
	}
	return buf, nil
}

// take appends n bytes of r to buf.
func take(r io.Reader, buf []byte, n, limit int) ([]byte, error) {
	if n > limit-len(buf) {
		return nil, tooLong(limit)
	}
	for n > 0 {
		have, some := len(buf), min(n, chunk)
		buf = slices.Grow(buf, some)[:have+some]
		if _, err := io.ReadFull(r, buf[have:]); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		n -= some
	}
	return buf, nil
}

func tooLong(limit int) error { return fmt.Errorf("%w: the limit is %d bytes", ErrTooLarge, limit) }
