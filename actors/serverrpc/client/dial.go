package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/actor-consul/consul/actors/serverrpc/frame"
)

// A Dialer opens connections to the port 8300 of servers, over TLS where that is wanted.
type Dialer struct {
	// TLS returns how to speak TLS to the server at address, which is in its name or
	// else verified otherwise; nil: without TLS.
	TLS func(address string) (*tls.Config, error)
}

// Dial opens a connection on which nothing has been said yet.
func (d *Dialer) Dial(ctx context.Context, address string) (net.Conn, error) {
	conf, err := d.TLS(address)
	if err != nil {
		return nil, err
	}
	conn, err := dialTCP(ctx, address)
	if err != nil || conf == nil {
		return conn, err
	}
	secure, err := shakeHands(ctx, conn, conf)
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("TLS with %s: %w", address, explain(err))
	}
	return secure, nil
}

func dialTCP(ctx context.Context, address string) (net.Conn, error) {
	return (&net.Dialer{Control: control}).DialContext(ctx, "tcp", address)
}

// Raft opens a connection on which raft has been asked for.
func (d *Dialer) Raft(ctx context.Context, address string) (net.Conn, error) {
	conn, err := d.Dial(ctx, address)
	if err != nil {
		return nil, err
	}
	if err := begin(ctx, conn, frame.Raft); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("ask %s for raft: %w", address, err)
	}
	return conn, nil
}

func shakeHands(ctx context.Context, conn net.Conn, conf *tls.Config) (net.Conn, error) {
	if err := begin(ctx, conn, frame.TLS); err != nil {
		return nil, err
	}
	secure := tls.Client(conn, conf)
	return secure, secure.HandshakeContext(ctx)
}

// begin writes what a connection is for.
func begin(ctx context.Context, conn net.Conn, kind frame.Kind) error {
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetWriteDeadline(deadline)
		defer conn.SetWriteDeadline(time.Time{}) //nolint:errcheck // the connection would be broken
	}
	_, err := conn.Write([]byte{byte(kind)})
	return err
}

// explain says what a handshake that has failed means for who runs the agents.
func explain(err error) error {
	var verification *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &verification):
		return fmt.Errorf("the server's certificate is refused: %w", verification.Err)
	case errors.As(err, &record):
		return fmt.Errorf("the server does not speak TLS: %w", err)
	default:
		return err
	}
}
