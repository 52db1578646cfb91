package serverrpc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/actor-consul/consul/actors/invoke"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// code is how a call ended, as gRPC numbers it.
type code int

// The codes that calls end with here.
const (
	codeUnknown           code = 2
	codeInvalidArgument   code = 3
	codePermissionDenied  code = 7
	codeResourceExhausted code = 8
	codeUnimplemented     code = 12
	codeInternal          code = 13
	codeUnavailable       code = 14
)

// status is the end of a call.
type status struct {
	code code
	text string
}

// Error implements error.
func (s *status) Error() string { return s.text }

// statusOf returns the status of an error. What passes is Unavailable: a client of
// Consul's tries again then, elsewhere if it can, and shows its users what it has.
func statusOf(err error) *status {
	var s *status
	is := func(any ...error) bool {
		for _, e := range any {
			if errors.Is(err, e) {
				return true
			}
		}
		return false
	}
	switch {
	case errors.As(err, &s):
		return s
	case is(messages.ErrLeaving, messages.ErrNoLeader, messages.ErrNotLeader, messages.ErrUnavailable, invoke.ErrNoServers, invoke.ErrUnavailable):
		return &status{codeUnavailable, err.Error()}
	case is(messages.ErrOverloaded):
		return &status{codeResourceExhausted, err.Error()}
	case is(wire.ErrPermissionDenied):
		return &status{codePermissionDenied, err.Error()}
	case is(messages.ErrCrashed):
		return &status{codeInternal, err.Error()}
	default:
		return &status{codeUnknown, err.Error()}
	}
}

// percent returns a text as it goes into the trailer grpc-message.
func percent(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		if c < ' ' || c > '~' || c == '%' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// isGRPC says whether a content type is that of calls whose messages are protobuf.
func isGRPC(contentType string) bool {
	return contentType == "application/grpc" || contentType == "application/grpc+proto"
}

const (
	// prefix is how many bytes come before a message: whether it is compressed, and
	// how long it is.
	prefix = 5
	// maxMessage is how long the message of a request may be. An ACL token and the
	// name of a service are the longest parts.
	maxMessage = 16 << 10
)

// readMessage reads a message of no more than maxMessage bytes.
func readMessage(r io.Reader) ([]byte, error) {
	var head [prefix]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, &status{codeInternal, "no message has come: " + err.Error()}
	}
	n := binary.BigEndian.Uint32(head[1:])
	switch {
	case head[0] != 0:
		return nil, &status{codeUnimplemented, "compressed messages are not read here"}
	case n > maxMessage:
		return nil, &status{codeResourceExhausted, fmt.Sprintf("a message of %d bytes is larger than %d", n, maxMessage)}
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, &status{codeInternal, "the message has not come: " + err.Error()}
	}
	return b, nil
}

// prefixed returns what comes before a message.
func prefixed(message []byte) []byte {
	return binary.BigEndian.AppendUint32(make([]byte, 1, prefix), uint32(len(message)))
}
