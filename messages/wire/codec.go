package wire

import (
	"errors"
	"fmt"
	"io"
	"reflect"

	"github.com/hashicorp/go-msgpack/v2/codec"
)

// ErrTooLarge is returned when a value to decode is longer than the caller allows.
var ErrTooLarge = errors.New("message is too large")

// ErrEmpty is returned when a log entry has not even a type.
var ErrEmpty = errors.New("message is empty")

// MaxDepth is how deep arrays and maps may be nested in a value that is decoded.
const MaxDepth = 128

// Handle has the msgpack settings of Consul's log, snapshots and RPC: the raw
// format for text and bytes alike, keys by Go field name (JSON tags do not
// count), and times in the binary form of package time.
//
// It must not be changed. Encoders and decoders made from it are not safe for
// use by several goroutines; the handle is.
var Handle = newHandle()

func newHandle() *codec.MsgpackHandle {
	h := &codec.MsgpackHandle{}
	h.RawToString = true
	h.MapType = reflect.TypeFor[map[string]any]()
	h.TimeNotBuiltin = true
	h.TypeInfos = codec.NewTypeInfos([]string{"codec"})
	h.MaxDepth = MaxDepth
	h.Canonical = true // maps in the order of their keys: the same state, the same bytes
	return h
}

// NewEncoder returns an encoder that writes msgpack to w.
func NewEncoder(w io.Writer) *codec.Encoder { return codec.NewEncoder(w, Handle) }

// NewDecoder returns a decoder that reads msgpack from r, which has to be trusted: the
// decoder makes room for what is announced, up to gigabytes for five bytes. What
// anybody may have written is for ReadValue and Decode.
func NewDecoder(r io.Reader) *codec.Decoder { return codec.NewDecoder(r, Handle) }

// Encode returns a log entry: the type, then msg as msgpack.
func Encode(t MessageType, msg any) ([]byte, error) {
	var body []byte
	if err := codec.NewEncoderBytes(&body, Handle).Encode(msg); err != nil {
		return nil, fmt.Errorf("encode %s entry: %w", t, err)
	}
	return append([]byte{byte(t)}, body...), nil
}

// Decode reads the msgpack in buf into out, a pointer to a zero value. It returns
// ErrTooLarge, having looked at nothing, if buf is longer than limit. It allocates no
// more than a factor of what buf has, and refuses what JSON could not show. out keeps no
// part of buf.
func Decode(buf []byte, limit int, out any) error {
	if len(buf) > limit {
		return fmt.Errorf("%w: %d bytes, the limit is %d", ErrTooLarge, len(buf), limit)
	}
	_, _, err := skip(buf)
	if err == nil {
		err = codec.NewDecoderBytes(buf, Handle).Decode(out)
	}
	if err == nil {
		err = showable(reflect.ValueOf(out))
	}
	if err != nil {
		return fmt.Errorf("decode %T: %w", out, err)
	}
	return nil
}

// Split returns the type and the body of a log entry.
func Split(entry []byte) (MessageType, []byte, error) {
	if len(entry) == 0 {
		return 0, nil, ErrEmpty
	}
	return MessageType(entry[0]), entry[1:], nil
}
