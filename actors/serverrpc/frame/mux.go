package frame

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/yamux"
	"go.uber.org/zap"
)

const (
	// backlog is how many streams may wait to be accepted. Consul's, and yamux's.
	backlog = 256
	// closeTimeout is how long a stream waits for the other side's goodbye.
	closeTimeout = 30 * time.Second
	// keepalive is how often the other side is asked whether it is there. It has ten
	// seconds to answer. Who opens streams asks more often: somebody waits for answers
	// on them.
	keepalive       = 30 * time.Second
	keepaliveClient = 5 * time.Second
)

// errSilent is why a connection is ended whose other side stands still, or is not
// reached any more.
var errSilent = errors.New("it does not answer")

// Mux is a connection that carries streams, by yamux. It is safe for use by several
// goroutines.
//
// In yamux 0.1.2 a goroutine that waits on a stream spins from the moment its
// session ends until its stream is closed. With thousands of them, the one that
// closes the streams hardly gets to run, for minutes. A Mux therefore watches the
// connection, and has all who wait let go before yamux hears that it is broken.
type Mux struct {
	session *yamux.Session
	over    atomic.Bool

	mu      sync.Mutex
	streams map[*Stream]struct{}
	cause   error
}

// NewServer returns the side of a connection that accepts streams. What the library
// has to say is about what the other side did, and goes to log at DEBUG. Close closes
// the connection as well.
func NewServer(conn net.Conn, log *zap.Logger) *Mux {
	return newMux(conn, yamux.Server, settings(log), keepalive)
}

// NewClient returns the side of a connection that opens streams; see NewServer.
func NewClient(conn net.Conn, log *zap.Logger) *Mux {
	return newMux(conn, yamux.Client, settings(log), keepaliveClient)
}

func settings(log *zap.Logger) *yamux.Config {
	conf := yamux.DefaultConfig()
	conf.AcceptBacklog = backlog
	conf.StreamCloseTimeout = closeTimeout
	conf.EnableKeepAlive = false // its failure would come as a surprise to who waits
	conf.LogOutput = nil
	conf.Logger = quiet{log}
	return conf
}

func newMux(conn net.Conn, side func(io.ReadWriteCloser, *yamux.Config) (*yamux.Session, error), conf *yamux.Config, keepalive time.Duration) *Mux {
	m := &Mux{streams: map[*Stream]struct{}{}}
	session, err := side(&watched{conn, m.broken}, conf)
	if err != nil {
		panic(err) // the configuration is ours
	}
	m.session = session
	go m.keepAlive(conn, keepalive)
	return m
}

// keepAlive ends the connection when the other side does not answer any more.
func (m *Mux) keepAlive(conn net.Conn, every time.Duration) {
	again := time.NewTicker(every)
	defer again.Stop()
	for {
		select {
		case <-again.C:
			if _, err := m.session.Ping(); err != nil {
				m.broken(errSilent)
				_ = conn.Close()
				return
			}
		case <-m.session.CloseChan():
			m.letGo()
			return
		}
	}
}

// Accept waits for the other side to open a stream.
func (m *Mux) Accept() (*Stream, error) {
	inner, err := m.session.AcceptStream()
	if err != nil {
		m.letGo()
		return nil, err
	}
	return m.track(inner), nil
}

// Open opens a stream. It may wait, if the other side leaves hundreds of streams
// unaccepted.
func (m *Mux) Open() (*Stream, error) {
	inner, err := m.session.OpenStream()
	if err != nil {
		return nil, err
	}
	return m.track(inner), nil
}

// Ping waits for a sign of life from the other side. It may take ten seconds to give up.
func (m *Mux) Ping() error {
	_, err := m.session.Ping()
	return err
}

// Broken says whether the connection has ended.
func (m *Mux) Broken() bool { return m.over.Load() || m.session.IsClosed() }

// Done returns a channel that is closed when the connection has ended, for whatever
// reason.
func (m *Mux) Done() <-chan struct{} { return m.session.CloseChan() }

// Close ends the connection and all of its streams.
func (m *Mux) Close() error {
	m.letGo()
	return m.session.Close()
}

func (m *Mux) track(inner *yamux.Stream) *Stream {
	s := &Stream{inner, m}
	m.mu.Lock()
	m.streams[s] = struct{}{}
	m.mu.Unlock()
	s.mind()
	return s
}

// letGo wakes everybody who waits on a stream, for good.
func (m *Mux) letGo() {
	m.over.Store(true)
	m.mu.Lock()
	defer m.mu.Unlock()
	for s := range m.streams {
		s.mind()
	}
}

// broken keeps why the connection has ended.
func (m *Mux) broken(err error) {
	m.mu.Lock()
	if m.cause == nil {
		m.cause = err
	}
	m.mu.Unlock()
	m.letGo()
}

// Cause returns why the connection has ended, as the connection itself told; nil when
// it has not, or was closed here.
func (m *Mux) Cause() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.cause
}

// watched is a connection that says that it is broken before anybody else does.
type watched struct {
	net.Conn
	broken func(error)
}

// Read implements net.Conn.
func (w *watched) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	if err != nil {
		w.broken(err)
	}
	return n, err
}

// Write implements net.Conn.
func (w *watched) Write(b []byte) (int, error) {
	n, err := w.Conn.Write(b)
	if err != nil {
		w.broken(err)
	}
	return n, err
}

// Stream is a stream of a Mux.
type Stream struct {
	inner *yamux.Stream
	mux   *Mux
}

var _ net.Conn = (*Stream)(nil)

// past is a deadline that is over.
var past = time.Unix(1, 0)

// mind ends what waits on the stream if the connection is over.
func (s *Stream) mind() {
	if s.mux.over.Load() {
		_ = s.inner.SetDeadline(past)
	}
}

// explain tells a deadline of ours from one that the user of the stream has set.
func (s *Stream) explain(err error) error {
	if errors.Is(err, yamux.ErrTimeout) && s.mux.over.Load() {
		return yamux.ErrSessionShutdown
	}
	return err
}

// Read implements net.Conn.
func (s *Stream) Read(b []byte) (int, error) {
	n, err := s.inner.Read(b)
	return n, s.explain(err)
}

// Write implements net.Conn.
func (s *Stream) Write(b []byte) (int, error) {
	n, err := s.inner.Write(b)
	return n, s.explain(err)
}

// Close implements net.Conn.
func (s *Stream) Close() error {
	s.mux.mu.Lock()
	delete(s.mux.streams, s)
	s.mux.mu.Unlock()
	return s.inner.Close()
}

// SetDeadline implements net.Conn.
func (s *Stream) SetDeadline(t time.Time) error {
	defer s.mind()
	return s.inner.SetDeadline(t)
}

// SetReadDeadline implements net.Conn.
func (s *Stream) SetReadDeadline(t time.Time) error {
	defer s.mind()
	return s.inner.SetReadDeadline(t)
}

// SetWriteDeadline implements net.Conn.
func (s *Stream) SetWriteDeadline(t time.Time) error {
	defer s.mind()
	return s.inner.SetWriteDeadline(t)
}

// LocalAddr implements net.Conn.
func (s *Stream) LocalAddr() net.Addr { return s.inner.LocalAddr() }

// RemoteAddr implements net.Conn.
func (s *Stream) RemoteAddr() net.Addr { return s.inner.RemoteAddr() }

// quiet is a yamux.Logger.
type quiet struct{ log *zap.Logger }

var _ yamux.Logger = quiet{}

// Print implements yamux.Logger.
func (q quiet) Print(v ...any) { q.say(fmt.Sprint(v...)) }

// Printf implements yamux.Logger.
func (q quiet) Printf(format string, v ...any) { q.say(fmt.Sprintf(format, v...)) }

// Println implements yamux.Logger.
func (q quiet) Println(v ...any) { q.say(fmt.Sprintln(v...)) }

// say leaves out the level that the library writes into its lines.
func (q quiet) say(text string) {
	if _, rest, ok := strings.Cut(text, "] yamux: "); ok {
		text = rest
	}
	q.log.Debug("multiplexing: " + strings.TrimSpace(text))
}
