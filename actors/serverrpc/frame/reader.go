package frame

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/actor-consul/consul/messages/wire"
)

var (
	// ErrTooLarge is returned for a value that is longer than its reader takes, or
	// has too many parts for its length.
	ErrTooLarge = errors.New("message is too large")
	// ErrMalformed is returned for bytes that are not the value that has to be there.
	ErrMalformed = errors.New("message is malformed")
)

// MaxHeader is how long a Request or a Response may be, in bytes.
const MaxHeader = 64 << 10

const (
	// chunk is how much room is made at a time for bytes that were announced.
	chunk = 64 << 10
	// keep is how much room of a value is kept for the next one.
	keep = 64 << 10
)

// A Reader takes msgpack values, headers and bodies, from a stream. It finds the end
// of a value before anything is decoded, by walking over it without recursion, and
// believes what is announced only as far as the limits go. It is used by one
// goroutine at a time.
type Reader struct {
	r      *bufio.Reader
	limits Limits
	value  []byte
}

// NewReader returns a reader for bodies within limits. It takes bytes from r ahead
// of need.
func NewReader(r io.Reader, limits Limits) *Reader {
	return &Reader{r: bufio.NewReader(r), limits: limits}
}

// Await waits until a byte of the next value is there, and takes nothing.
func (r *Reader) Await() error {
	_, err := r.r.Peek(1)
	return err
}

// Header reads a Request or a Response into h, a pointer to a zero value. The error
// is io.EOF when the stream ends before it. After any error the stream cannot be
// read any further.
func (r *Reader) Header(h any) error {
	b, err := r.next(Limits{MaxHeader, MaxHeader})
	if err != nil {
		return err
	}
	return decode(b, MaxHeader, h)
}

// Body returns the bytes of what comes after a header, which are valid until the
// next call; Decode reads them. After an error the stream cannot be read any
// further.
func (r *Reader) Body() ([]byte, error) {
	b, err := r.next(r.limits)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return b, err
}

// Decode reads the bytes of a body into out, a pointer to a zero value. Fields that
// out does not have are ignored; out keeps no part of body.
func (r *Reader) Decode(body []byte, out any) error { return decode(body, r.limits.Bytes, out) }

func decode(b []byte, limit int, out any) error {
	err := wire.Decode(b, limit, out)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, wire.ErrTooLarge):
		return fmt.Errorf("%w: %w", ErrTooLarge, err)
	default:
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
}

// next returns the bytes of the next value.
func (r *Reader) next(limits Limits) ([]byte, error) {
	r.value = r.value[:0]
	t := tally{limits: limits}
	for open := 1; open > 0; open-- {
		inside, err := r.element(&t)
		if err != nil {
			if len(r.value) > 0 && errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		if open += inside; open-1 > limits.Bytes-len(r.value) {
			return nil, tooLong(limits.Bytes)
		}
	}
	b := r.value
	if cap(b) > keep {
		r.value = nil
	}
	return b, t.judge(len(b))
}

// element takes one element, without those inside of it, and returns how many are.
func (r *Reader) element(t *tally) (inside int, err error) {
	tag, err := r.r.ReadByte()
	if err != nil {
		return 0, err
	}
	r.value = append(r.value, tag)
	s := shapes[tag]
	n := s.count
	if s.size > 0 {
		if n, err = r.number(s.size, t.limits.Bytes); err != nil {
			return 0, err
		}
	}
	t.add(s.holds)
	switch s.holds {
	case invalid:
		return 0, fmt.Errorf("%w: 0x%02x begins no value", ErrMalformed, tag)
	case array:
		return n, nil
	case maps:
		return 2 * n, nil
	default:
		return 0, r.take(n+s.extra, t.limits.Bytes)
	}
}

// number takes a big-endian number of up to 4 bytes. One above limit is too large
// whatever it counts.
func (r *Reader) number(size, limit int) (int, error) {
	if err := r.take(size, limit); err != nil {
		return 0, err
	}
	n := 0
	for _, b := range r.value[len(r.value)-size:] {
		n = n<<8 | int(b)
	}
	if n > limit {
		return 0, tooLong(limit)
	}
	return n, nil
}

// take moves n bytes. The room for them is made as they come.
func (r *Reader) take(n, limit int) error {
	if n > limit-len(r.value) {
		return tooLong(limit)
	}
	if n <= r.r.Buffered() { // as most are
		b, _ := r.r.Peek(n)
		r.value = append(r.value, b...)
		_, _ = r.r.Discard(n)
		return nil
	}
	for n > 0 {
		have, some := len(r.value), min(n, chunk)
		r.value = append(r.value, make([]byte, some)...)
		got, err := io.ReadFull(r.r, r.value[have:])
		r.value = r.value[:have+got]
		if err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		n -= some
	}
	return nil
}

func tooLong(limit int) error { return fmt.Errorf("%w: the limit is %d bytes", ErrTooLarge, limit) }
