package health

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/actor-consul/consul/messages/wire"
)

// h2Ping returns the probe that sends a PING of HTTP/2 (RFC 9113) and passes when it
// comes back. Of the protocol it speaks no more than that takes.
func h2Ping(cfg *Config, run *wire.CheckType) probe {
	return func(ctx context.Context) result {
		dial := (&net.Dialer{}).DialContext
		if run.H2PingUseTLS {
			dial = (&tls.Dialer{Config: tlsConfig(cfg, run, "h2")}).DialContext
		}
		conn, err := dial(ctx, "tcp", run.H2PING)
		if err != nil {
			return failing("Failed to dial to %s: %s", run.H2PING, err)
		}
		defer conn.Close()
		defer context.AfterFunc(ctx, func() { conn.Close() })()
		if err := ping(conn); err != nil {
			return failing("HTTP2 ping failed: %s", cmpErr(ctx, err))
		}
		return passing("HTTP2 ping was successful")
	}
}

// cmpErr returns why a connection has failed: because the time was up, if it was.
func cmpErr(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// What is needed of HTTP/2.
const (
	h2Preface    = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	h2MaxFrame   = 16384 // what a peer may send that was not told otherwise
	h2HeaderSize = 9

	frameSettings = 0x4
	framePing     = 0x6
	frameGoAway   = 0x7
	flagAck       = 0x1
)

var errGoAway = errors.New("the server closes the connection")

// ping begins a connection and waits for its ping to come back.
func ping(conn io.ReadWriter) error {
	var token [8]byte
	rand.Read(token[:]) //nolint:errcheck // it never fails
	hello := []byte(h2Preface)
	hello = appendFrame(hello, frameSettings, 0, nil)
	hello = appendFrame(hello, framePing, 0, token[:])
	if _, err := conn.Write(hello); err != nil {
		return err
	}
	for {
		kind, flags, payload, err := readFrame(conn)
		switch {
		case err != nil:
			return err
		case kind == framePing && flags&flagAck != 0 && string(payload) == string(token[:]):
			return nil
		case kind == framePing && flags&flagAck == 0:
			_, err = conn.Write(appendFrame(nil, framePing, flagAck, payload))
		case kind == frameSettings && flags&flagAck == 0:
			_, err = conn.Write(appendFrame(nil, frameSettings, flagAck, nil))
		case kind == frameGoAway:
			err = errGoAway
		}
		if err != nil {
			return err
		}
	}
}

// appendFrame appends a frame of stream 0.
func appendFrame(to []byte, kind, flags byte, payload []byte) []byte {
	n := len(payload)
	to = append(to, byte(n>>16), byte(n>>8), byte(n), kind, flags, 0, 0, 0, 0)
	return append(to, payload...)
}

func readFrame(from io.Reader) (kind, flags byte, payload []byte, err error) {
	var head [h2HeaderSize]byte
	if _, err := io.ReadFull(from, head[:]); err != nil {
		return 0, 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[:4]) >> 8
	if n > h2MaxFrame {
		return 0, 0, nil, fmt.Errorf("this is not HTTP/2: a frame of %d bytes", n)
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(from, payload)
	return head[3], head[4], payload, err
}
