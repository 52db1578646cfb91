package frame

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/actor-consul/consul/messages/agentrpc"
	"github.com/actor-consul/consul/messages/wire"
)

var (
	// ErrTooLarge is returned for a value that is longer than its reader takes.
	ErrTooLarge = agentrpc.ErrTooLarge
	// ErrMalformed is returned for bytes that are not the value that has to be there.
	ErrMalformed = agentrpc.ErrMalformed
)

// MaxHeader is how long a Request or a Response may be, in bytes.
const MaxHeader = 64 << 10

// Request is what goes before the arguments of a call. Field names are the
// protocol.
type Request struct {
	ServiceMethod string // such as "KVS.Get"
	Seq           uint64 // the answer has the same
}

// Response is what goes before the reply of a call.
type Response struct {
	ServiceMethod string
	Seq           uint64
	Error         string // why there is no reply; empty: there is
}

// Marshal returns a Request or a Response and what comes after it, ready to be
// written in one piece.
func Marshal(header, body any) ([]byte, error) {
	var buf bytes.Buffer
	enc := wire.NewEncoder(&buf)
	for _, v := range []any{header, body} {
		if err := enc.Encode(v); err != nil {
			return nil, fmt.Errorf("encode %T: %w", v, err)
		}
	}
	return buf.Bytes(), nil
}

// A Reader takes what Marshal made from a stream, value by value. It is used by one
// goroutine at a time.
type Reader struct {
	// The walk over a value that finds its end is the same on ports 8300 and 8400.
	values *agentrpc.Decoder
	limit  int
}

// NewReader returns a reader for values of at most limit bytes. It takes bytes from
// r ahead of need.
func NewReader(r io.Reader, limit int) *Reader {
	return &Reader{values: agentrpc.NewDecoder(r, limit), limit: limit}
}

// Await waits until a byte of the next value is there, and takes nothing.
func (r *Reader) Await() error { return r.values.Await() }

// Header reads a Request or a Response into h, a pointer to a zero value. The error
// is io.EOF when the stream ends before it. After any error the stream cannot be
// read any further.
func (r *Reader) Header(h any) error {
	b, err := r.values.Next()
	if err != nil {
		return err
	}
	return decode(b, MaxHeader, h)
}

// Body returns the bytes of what comes after a header, which are valid until the
// next call; Decode reads them. After an error the stream cannot be read any
// further.
func (r *Reader) Body() ([]byte, error) {
	b, err := r.values.Next()
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return b, err
}

// Decode reads the bytes of a body into out, a pointer to a zero value. Fields that
// out does not have are ignored; out keeps no part of body.
func (r *Reader) Decode(body []byte, out any) error { return decode(body, r.limit, out) }

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
