package agentrpc

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/hashicorp/go-msgpack/v2/codec"
)

// How long a single value may be, in bytes, headers and bodies alike. Nothing is
// allocated for what a sender only announces.
const (
	MaxRequest  = 64 << 10 // some 3,000 addresses to join
	MaxResponse = 64 << 20 // some 200,000 members
)

var (
	// ErrTooLarge is returned when a value is longer than its reader takes.
	ErrTooLarge = errors.New("message is too large")

	// ErrMalformed is returned when the bytes are not the msgpack of the value that
	// has to be there.
	ErrMalformed = errors.New("message is malformed")
)

// handle has the settings that Consul's RPC had: the newer msgpack format, which
// tells text from bytes, and maps keyed by Go field name in alphabetical order.
var handle = newHandle()

func newHandle() *codec.MsgpackHandle {
	h := &codec.MsgpackHandle{WriteExt: true}
	h.RawToString = true
	h.TypeInfos = codec.NewTypeInfos([]string{"codec"})
	h.MaxDepth = 16
	return h
}

// An Encoder writes msgpack values to a stream, through a buffer.
type Encoder struct {
	w   *bufio.Writer
	enc *codec.Encoder
}

// NewEncoder returns an encoder that writes to w.
func NewEncoder(w io.Writer) *Encoder {
	b := bufio.NewWriter(w)
	return &Encoder{w: b, enc: codec.NewEncoder(b, handle)}
}

// Encode writes values, one after the other, to the buffer. After an error the
// stream cannot be written any further.
func (e *Encoder) Encode(values ...any) error {
	for _, v := range values {
		if err := e.enc.Encode(v); err != nil {
			return fmt.Errorf("encode %T: %w", v, err)
		}
	}
	return nil
}

// Flush writes what is left in the buffer to the stream.
func (e *Encoder) Flush() error { return e.w.Flush() }

// Decode reads the msgpack of one value, as Decoder.Next returns it, into v, a
// pointer to a zero value. Fields that v does not have are ignored; v keeps no
// part of b.
func Decode(b []byte, v any) error {
	if err := codec.NewDecoderBytes(b, handle).Decode(v); err != nil {
		return fmt.Errorf("%w: %T: %w", ErrMalformed, v, err)
	}
	return nil
}

// A Decoder reads msgpack values from a stream. It takes no byte beyond the value
// that it was asked for, but for a buffer of its own.
type Decoder struct {
	r     *bufio.Reader
	limit int
	value bytes.Buffer
}

// NewDecoder returns a decoder that reads from r values of at most limit bytes.
func NewDecoder(r io.Reader, limit int) *Decoder {
	return &Decoder{r: bufio.NewReader(r), limit: limit}
}

// Decode reads the next value of the stream into v; see the function Decode. The
// error is io.EOF when the stream ends before the value begins.
func (d *Decoder) Decode(v any) error {
	b, err := d.Next()
	if err != nil {
		return err
	}
	return Decode(b, v)
}

// Await waits until a byte of the next value is there, and takes nothing.
func (d *Decoder) Await() error {
	_, err := d.r.Peek(1)
	return err
}

// Next returns the bytes of the next value of the stream, which are valid until
// the following call. After an error other than io.EOF the stream cannot be read
// any further.
//
// It finds the end of the value by walking over it, without recursion. What an
// array or a map announces is only believed while that many elements could still
// come within the limit.
func (d *Decoder) Next() ([]byte, error) {
	d.value.Reset()
	for open := 1; open > 0; open-- {
		inside, err := d.element()
		if err != nil {
			if d.value.Len() > 0 && errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		open += inside
		if open-1 > d.room() {
			return nil, fmt.Errorf("%w: the limit is %d bytes", ErrTooLarge, d.limit)
		}
	}
	return d.value.Bytes(), nil
}

func (d *Decoder) room() int { return d.limit - d.value.Len() }

// element moves one element, without the elements inside of it, from the stream
// to value, and returns how many are inside.
func (d *Decoder) element() (inside int, err error) {
	tag, err := d.r.ReadByte()
	if err != nil {
		return 0, err
	}
	d.value.WriteByte(tag)
	switch s := shapes[tag]; {
	case s.invalid:
		return 0, fmt.Errorf("%w: 0x%02x begins no value", ErrMalformed, tag)
	case s.length == 0:
		return s.inside, d.take(s.bytes)
	default:
		n, err := d.number(s.length)
		if err != nil {
			return 0, err
		}
		if n > d.limit {
			return 0, fmt.Errorf("%w: it announces %d, the limit is %d bytes", ErrTooLarge, n, d.limit)
		}
		return n * s.inside, d.take(n*s.each + s.bytes)
	}
}

// number moves a big-endian number of 1, 2 or 4 bytes.
func (d *Decoder) number(size int) (int, error) {
	if err := d.take(size); err != nil {
		return 0, err
	}
	var wide [8]byte
	copy(wide[8-size:], d.value.Bytes()[d.value.Len()-size:])
	return int(binary.BigEndian.Uint64(wide[:])), nil
}

// take moves n bytes. The buffer grows with what has come, not with n.
func (d *Decoder) take(n int) error {
	if n > d.room() {
		return fmt.Errorf("%w: the limit is %d bytes", ErrTooLarge, d.limit)
	}
	_, err := io.CopyN(&d.value, d.r, int64(n))
	return err
}
