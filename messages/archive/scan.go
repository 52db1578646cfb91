package archive

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// A scanner goes through msgpack without making values of it: records are of all
// types that any Consul knows, and a key is all that is to be known of them. It
// allocates nothing for what it passes over.
// The format: https://github.com/msgpack/msgpack/blob/master/spec.md
type scanner struct {
	r  *bufio.Reader
	at int64 // bytes read
}

const (
	// maxDepth is how deep values may be nested, as in package wire.
	maxDepth = 128
	// maxName is how long the name of a field may be that is looked at.
	maxName = 256
	// maxKey is how long a key may be; no log entry could have held it.
	maxKey = 1 << 20
)

var (
	errTooDeep = fmt.Errorf("it is nested more than %d deep", maxDepth)
	errNoMap   = errors.New("it is no map")
)

func newScanner(r io.Reader) *scanner { return &scanner{r: bufio.NewReaderSize(r, 1<<16)} }

// header reads the header of a state.bin and returns its LastIndex.
func (s *scanner) header() (lastIndex uint64, err error) {
	err = s.fields(func(name string) (taken bool, err error) {
		if name != "LastIndex" {
			return false, nil
		}
		lastIndex, err = s.number()
		return true, err
	})
	return lastIndex, err
}

// recordType reads the byte that says what record follows, if one does.
func (s *scanner) recordType() (t byte, end bool, err error) {
	t, err = s.r.ReadByte()
	if errors.Is(err, io.EOF) {
		return 0, true, nil
	}
	s.at++
	return t, false, err
}

// record reads the value of a record, and returns its field Key when that is
// wanted.
func (s *scanner) record(wantKey bool) (key string, err error) {
	if !wantKey {
		return "", s.skip(0)
	}
	found := false
	err = s.fields(func(name string) (taken bool, err error) {
		if name != "Key" {
			return false, nil
		}
		found = true
		key, err = s.text(maxKey)
		return true, err
	})
	if err == nil && !found {
		err = errors.New("it has no Key")
	}
	return key, err
}

// fields reads a map whose keys are names. A value that take has not taken is
// passed over.
func (s *scanner) fields(take func(name string) (taken bool, err error)) error {
	code, err := s.byte()
	if err != nil {
		return err
	}
	kind, n, err := s.length(code)
	if err != nil {
		return err
	}
	if kind != mapValue {
		return errNoMap
	}
	for range n / 2 {
		name, err := s.text(maxName)
		if err != nil {
			return err
		}
		taken, err := take(name)
		if err == nil && !taken {
			err = s.skip(1)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// skip passes over a value that is so deep inside of others.
func (s *scanner) skip(depth int) error {
	if depth > maxDepth {
		return errTooDeep
	}
	code, err := s.byte()
	if err != nil {
		return err
	}
	kind, n, err := s.length(code)
	if err != nil {
		return err
	}
	if kind == bytesValue {
		return s.discard(n)
	}
	for range n {
		if err := s.skip(depth + 1); err != nil {
			return err
		}
	}
	return nil
}

// kind is what follows the first byte of a value, and its length.
type kind int

const (
	bytesValue kind = iota // so many bytes: text, a number, nothing at all
	arrayValue             // so many values
	mapValue               // so many values, each second one a key's
)

// length says what follows the first byte of a value.
func (s *scanner) length(code byte) (k kind, n uint64, err error) {
	switch {
	case code <= 0x7f, code >= 0xe0: // a small number
		return bytesValue, 0, nil
	case code <= 0x8f:
		return mapValue, 2 * uint64(code&0x0f), nil
	case code <= 0x9f:
		return arrayValue, uint64(code & 0x0f), nil
	case code <= 0xbf:
		return bytesValue, uint64(code & 0x1f), nil
	}
	switch code {
	case 0xc0, 0xc2, 0xc3: // nil, false, true
		return bytesValue, 0, nil
	case 0xc4, 0xc5, 0xc6: // bin
		n, err = s.uint(1 << (code - 0xc4))
		return bytesValue, n, err
	case 0xc7, 0xc8, 0xc9: // ext: a type and bytes
		n, err = s.uint(1 << (code - 0xc7))
		return bytesValue, n + 1, err
	case 0xca: // float
		return bytesValue, 4, nil
	case 0xcb: // double
		return bytesValue, 8, nil
	case 0xcc, 0xcd, 0xce, 0xcf: // unsigned
		return bytesValue, 1 << (code - 0xcc), nil
	case 0xd0, 0xd1, 0xd2, 0xd3: // signed
		return bytesValue, 1 << (code - 0xd0), nil
	case 0xd4, 0xd5, 0xd6, 0xd7, 0xd8: // ext of a fixed length
		return bytesValue, 1 + 1<<(code-0xd4), nil
	case 0xd9, 0xda, 0xdb: // text
		n, err = s.uint(1 << (code - 0xd9))
		return bytesValue, n, err
	case 0xdc, 0xdd:
		n, err = s.uint(2 << (code - 0xdc))
		return arrayValue, n, err
	case 0xde, 0xdf:
		n, err = s.uint(2 << (code - 0xde))
		return mapValue, 2 * n, err
	default:
		return 0, 0, fmt.Errorf("no value begins with the byte %#x", code)
	}
}

// text reads a text of up to limit bytes.
func (s *scanner) text(limit int) (string, error) {
	code, err := s.byte()
	if err != nil {
		return "", err
	}
	kind, n, err := s.length(code)
	isText := code >= 0xa0 && code <= 0xbf || code >= 0xd9 && code <= 0xdb || code >= 0xc4 && code <= 0xc6
	switch {
	case err != nil:
		return "", err
	case kind != bytesValue || !isText:
		return "", fmt.Errorf("no text begins with the byte %#x", code)
	case n > uint64(limit):
		return "", fmt.Errorf("a text has %d bytes, and %d are allowed", n, limit)
	}
	buf := make([]byte, n)
	read, err := io.ReadFull(s.r, buf)
	s.at += int64(read)
	return string(buf), cutOff(err)
}

// number reads a number that is not negative.
func (s *scanner) number() (uint64, error) {
	code, err := s.byte()
	switch {
	case err != nil:
		return 0, err
	case code <= 0x7f:
		return uint64(code), nil
	case code >= 0xcc && code <= 0xcf:
		return s.uint(1 << (code - 0xcc))
	case code >= 0xd0 && code <= 0xd3:
		return s.uint(1 << (code - 0xd0)) // of Consul's own encoders, never below zero
	default:
		return 0, fmt.Errorf("no number begins with the byte %#x", code)
	}
}

// uint reads a number of 1, 2, 4 or 8 bytes.
func (s *scanner) uint(size int) (uint64, error) {
	var buf [8]byte
	n, err := io.ReadFull(s.r, buf[8-size:])
	s.at += int64(n)
	return binary.BigEndian.Uint64(buf[:]), cutOff(err)
}

func (s *scanner) byte() (byte, error) {
	b, err := s.r.ReadByte()
	if err == nil {
		s.at++
	}
	return b, cutOff(err)
}

func (s *scanner) discard(n uint64) error {
	for n > 0 {
		part, err := s.r.Discard(int(min(n, 1<<30)))
		s.at += int64(part)
		n -= uint64(part)
		if err != nil {
			return cutOff(err)
		}
	}
	return nil
}

// errEnds is returned when a value is not whole.
var errEnds = errors.New("it ends in the middle of a value")

// cutOff makes the end of the data an error.
func cutOff(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errEnds
	}
	return err
}
