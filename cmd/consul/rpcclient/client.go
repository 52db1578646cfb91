// Package rpcclient speaks to an agent on port 8400, as the command line does.
//
//	a command ──▶ Client ──messages/agentrpc──▶ the agent's RPC listener
//
// It works with our agents and with those of Consul 0.1 to 0.7: where a command
// of our own is not known there, it falls back to the one that is. A client holds
// one connection, has no goroutine and no state worth keeping; after an error,
// close it.
//
// It does not read the environment or flags, and prints nothing.
package rpcclient

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/actor-consul/consul/messages/agentrpc"
)

// ErrUnsupported is returned when the agent is too old for what was asked, and
// there is nothing to fall back to.
var ErrUnsupported = errors.New("the agent does not know this command; it is older than this program")

// ErrClosed is returned when the agent has closed the connection, as it does when
// it ends.
var ErrClosed = errors.New("the agent closed the connection; it has ended, or its RPC listener has been restarted")

// A RemoteError is an error that the agent answered with, in its own words.
type RemoteError string

// Error implements error.
func (e RemoteError) Error() string { return string(e) }

// Client is a connection to an agent. It is not safe for use by several
// goroutines at the same time.
type Client struct {
	addr    string
	timeout time.Duration
	conn    net.Conn
	dec     *agentrpc.Decoder
	enc     *agentrpc.Encoder
	seq     uint64
}

// Dial connects to the agent at addr (host:port, or the path of a unix socket)
// and shakes hands with it, all within timeout. The caller closes the client.
func Dial(addr string, timeout time.Duration) (*Client, error) {
	c := &Client{addr: addr, timeout: timeout}
	if err := c.connect(); err != nil {
		return nil, err
	}
	return c, nil
}

// Close ends the connection.
func (c *Client) Close() error { return c.conn.Close() }

func (c *Client) connect() error {
	deadline := time.Now().Add(c.timeout)
	network := "tcp"
	if strings.HasPrefix(c.addr, "/") {
		network = "unix"
	}
	d := net.Dialer{Deadline: deadline}
	conn, err := d.Dial(network, c.addr)
	if err != nil {
		return explainDial(c.addr, err)
	}
	c.conn, c.seq = conn, 0
	c.dec, c.enc = agentrpc.NewDecoder(conn, agentrpc.MaxResponse), agentrpc.NewEncoder(conn)
	if err := c.handshake(deadline); err != nil {
		_ = conn.Close()
		return explainHandshake(c.addr, err)
	}
	return nil
}

func (c *Client) handshake(deadline time.Time) error {
	if err := c.conn.SetDeadline(deadline); err != nil {
		return err
	}
	if err := c.call(agentrpc.Handshake, &agentrpc.HandshakeRequest{Version: agentrpc.Version}, nil); err != nil {
		return err
	}
	return c.conn.SetDeadline(time.Time{})
}

// call makes a request and reads the answer: its header, and its body into out
// unless that is nil. A body comes with a refusal as well.
func (c *Client) call(cmd agentrpc.Command, body, out any) error {
	return c.callWithToken(cmd, "", body, out)
}

func (c *Client) callWithToken(cmd agentrpc.Command, token string, body, out any) error {
	if err := c.send(cmd, token, body); err != nil {
		return err
	}
	refusal, err := c.header()
	if err != nil {
		return err
	}
	if out != nil && !errors.Is(refusal, ErrUnsupported) {
		if err := c.read(out); err != nil {
			return err
		}
	}
	return refusal
}

func (c *Client) send(cmd agentrpc.Command, token string, body any) error {
	c.seq++
	values := []any{&agentrpc.RequestHeader{Command: cmd, Seq: c.seq, Token: token}}
	if body != nil {
		values = append(values, body)
	}
	if err := c.enc.Encode(values...); err != nil {
		return c.explain(err)
	}
	if err := c.enc.Flush(); err != nil {
		return c.explain(err)
	}
	return nil
}

// header reads up to the next header of the newest request and returns the error
// that it carries, as refusal. It skips the rest of older answers: agents of
// Consul before 0.7.4 answer list-keys twice, taking its body for a header.
func (c *Client) header() (refusal, err error) {
	for {
		var h agentrpc.ResponseHeader
		if err := c.read(&h); err != nil {
			return nil, err
		}
		if h.Seq != c.seq {
			continue
		}
		switch h.Error {
		case "":
			return nil, nil
		case agentrpc.UnsupportedCommand:
			return ErrUnsupported, nil
		default:
			return RemoteError(h.Error), nil
		}
	}
}

func (c *Client) read(v any) error {
	if err := c.dec.Decode(v); err != nil {
		return c.explain(err)
	}
	return nil
}

// explain puts what happened to a connection in words for the person who waits.
func (c *Client) explain(err error) error {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), isReset(err):
		return ErrClosed
	default:
		return fmt.Errorf("rpc with the agent at %s: %w", c.addr, err)
	}
}
