package frame

import (
	"bytes"
	"fmt"

	"github.com/actor-consul/consul/messages/wire"
)

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
