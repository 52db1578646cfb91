package frame

import (
	"errors"
	"net"
	"time"
)

// ErrNoHalfClose is returned for a connection that can only be closed as a whole.
var ErrNoHalfClose = errors.New("the connection cannot be closed for writing alone")

// CloseWrite tells the other side that nothing more will be written; it may go on to
// write itself. TCP and TLS have that.
func CloseWrite(conn net.Conn) error {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return ErrNoHalfClose
}

// Parts is a connection on which something large comes or goes: each part of it may
// take so long, and the whole as long as it needs.
type Parts struct {
	net.Conn
	Each time.Duration
}

// Read implements io.Reader.
func (p Parts) Read(b []byte) (int, error) {
	_ = p.SetReadDeadline(time.Now().Add(p.Each))
	return p.Conn.Read(b)
}

// Write implements io.Writer.
func (p Parts) Write(b []byte) (int, error) {
	_ = p.SetWriteDeadline(time.Now().Add(p.Each))
	return p.Conn.Write(b)
}
