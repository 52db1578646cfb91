package http

import (
	"io"
	"log"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-metrics"
	"go.uber.org/zap"
)

const (
	// repeatAfter is when the same is said of the same client again.
	repeatAfter = 10 * time.Minute
	// maxStrangers bounds how many clients are remembered.
	maxStrangers = 256
)

// strangers are the clients who have come with TLS where there is none, or the other
// way round, or with certificates that are refused. The log says so once about each.
//
// It is called on the goroutines of net/http, hence the lock.
type strangers struct {
	log *zap.Logger

	mu   sync.Mutex
	said map[string]time.Time // by client and text
}

func newStrangers(log *zap.Logger) *strangers {
	return &strangers{log: log, said: map[string]time.Time{}}
}

func (s *strangers) remark(from, text string, fields ...zap.Field) {
	metrics.IncrCounter([]string{"api", "http", "connections_refused"}, 1)
	client, _, err := net.SplitHostPort(from)
	if err != nil {
		client = from
	}
	if s.news(client+" "+text, time.Now()) {
		s.log.Warn(text, append(fields, zap.String("from", from))...)
	}
}

// news says whether something has not been said lately.
func (s *strangers) news(what string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for old, at := range s.said {
		if now.Sub(at) >= repeatAfter {
			delete(s.said, old)
		}
	}
	if _, ok := s.said[what]; ok || len(s.said) >= maxStrangers {
		return false
	}
	s.said[what] = now
	return true
}

// complaints returns where net/http says what clients have broken. What it says of TLS
// is for people, the rest for who looks for it. Each is one line:
// "http: TLS handshake error from ADDRESS: REASON".
func (s *strangers) complaints() *log.Logger { return log.New(complaints{s}, "", 0) }

type complaints struct{ *strangers }

// Write implements io.Writer.
func (c complaints) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line))
	about, ofTLS := strings.CutPrefix(text, "http: TLS handshake error from ")
	from, reason, found := strings.Cut(about, ": ")
	if ofTLS && found && reason != io.EOF.Error() { // who only looks whether the port is open
		c.remark(from, "refused a connection to the HTTPS port", zap.String("reason", reason))
	} else {
		c.log.Debug(text)
	}
	return len(line), nil
}

// plain is the listener of a port without TLS. It turns away those who speak TLS there,
// who would wait for an answer in vain.
type plain struct {
	net.Listener
	strangers *strangers
}

// Accept implements net.Listener.
func (l plain) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &sniffed{Conn: nc, strangers: l.strangers}, nil
}

// sniffed is a connection whose first byte is looked at.
type sniffed struct {
	net.Conn
	strangers *strangers
	known     bool // used by who reads
}

// What TLS begins with, and what its speaker is told; clients know the status line.
const (
	tlsHandshake = 0x16
	noTLSHere    = "HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nThis port speaks HTTP, not HTTPS.\n"
)

// Read implements net.Conn.
func (c *sniffed) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.known || n == 0 {
		return n, err
	}
	c.known = true
	if b[0] != tlsHandshake {
		return n, err
	}
	c.strangers.remark(c.RemoteAddr().String(), "closed a connection that wants TLS: this port is for HTTP; see ports.https")
	_ = c.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = io.WriteString(c.Conn, noTLSHere)
	return 0, io.EOF
}
