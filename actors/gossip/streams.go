package gossip

import (
	"bufio"
	"bytes"
	"compress/lzw"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/netip"
	"sync"

	"github.com/hashicorp/go-msgpack/v2/codec"

	msgpack "github.com/actor-consul/consul/messages/wire"
)

// What streams may take of this agent all together and, so that one cannot keep out
// the others, those of each address alone. A sync of a pool with ten thousand members
// is some five megabytes.
const (
	maxStreams      = 256
	maxStreamsOfOne = 64
	maxStreamBytes  = 128 << 20

	// nodeBytes is what memberlist takes for each node that a sync announces.
	nodeBytes = 128
)

var errStreamBytes = fmt.Errorf("all streams together may take %d bytes, and have", maxStreamBytes)

// doorman counts what streams take. Memberlist starts a goroutine for each that
// comes in, and makes room for what is announced before it has come, so both are
// bounded here. It has a lock because memberlist reads and closes streams on
// goroutines of its own.
type doorman struct {
	logger *log.Logger
	clear  bool // gossip in the clear is taken

	mu    sync.Mutex
	open  map[netip.Addr]int // streams that have come in
	all   int
	bytes int64
}

func newDoorman(logger *log.Logger, clear bool) *doorman {
	return &doorman{logger: logger, clear: clear, open: map[netip.Addr]int{}}
}

// admit returns a stream that has come in, or closes it when there is no room.
func (d *doorman) admit(conn net.Conn) (s net.Conn, ok bool) {
	from := hostOf(conn.RemoteAddr())
	d.mu.Lock()
	ok = d.all < maxStreams && d.open[from] < maxStreamsOfOne
	if ok {
		d.all++
		d.open[from]++
	}
	d.mu.Unlock()
	if !ok {
		d.logger.Printf("[WARN] memberlist: closed a stream, there are too many from=%s", conn.RemoteAddr())
		conn.Close()
		return nil, false
	}
	return &stream{Conn: conn, doorman: d, from: from, came: true}, true
}

// escort returns a stream of our own to another agent, whose answer takes room too.
func (d *doorman) escort(conn net.Conn) net.Conn { return &stream{Conn: conn, doorman: d} }

// take counts n bytes for a stream, if there is room for them.
func (d *doorman) take(s *stream, n int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s.closed || d.bytes+n > maxStreamBytes {
		return errStreamBytes
	}
	d.bytes += n
	s.taken += n
	return nil
}

func (d *doorman) leave(s *stream) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	d.bytes -= s.taken
	if s.came {
		d.all--
		if d.open[s.from]--; d.open[s.from] == 0 {
			delete(d.open, s.from)
		}
	}
}

// hostOf returns where a stream comes from; the address is one of TCP's.
func hostOf(addr net.Addr) netip.Addr {
	at, _ := netip.ParseAddrPort(addr.String())
	return at.Addr().Unmap()
}

// stream is a connection to another agent, or to whoever pretends to be one.
type stream struct {
	net.Conn
	doorman *doorman
	from    netip.Addr
	came    bool // it has come in; otherwise it is our own

	taken  int64 // as closed, the doorman's
	closed bool

	ahead io.Reader // what was read to look at it, and the rest; nil before
}

// Read implements net.Conn. It fails when streams have taken all there is room for.
func (s *stream) Read(p []byte) (int, error) {
	if s.ahead == nil {
		line := counted{s, s.Conn}
		s.ahead = line
		if s.doorman.clear {
			var seen bytes.Buffer
			s.ahead = io.MultiReader(&seen, line)
			if err := s.vet(io.TeeReader(line, &seen)); err != nil {
				return 0, err
			}
		}
	}
	return s.ahead.Read(p)
}

// Close implements net.Conn.
func (s *stream) Close() error {
	s.doorman.leave(s)
	return s.Conn.Close()
}

// counted counts for a stream what is read from r.
type counted struct {
	s *stream
	r io.Reader
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if full := c.s.doorman.take(c.s, int64(n)); full != nil {
		return 0, full
	}
	return n, err
}

// Memberlist's numbers for what a stream begins with.
const (
	pushPullMsg = 6
	userMsg     = 8
	compressMsg = 9
)

// What a message in the clear may be made of, in bytes; the rest of it is read as it
// comes.
const (
	maxHeader    = 4 << 10
	maxNodeState = 64 << 10
)

// vet reads a message in the clear as far as memberlist decodes it, and takes the room
// that memberlist will make before it has come. The decoder believes what a value
// announces, so no value goes on to it that has not come as a whole. What is encrypted
// needs no look: it is of somebody who has the key.
func (s *stream) vet(r io.Reader) error {
	kind := make([]byte, 1)
	if _, err := io.ReadFull(r, kind); err != nil {
		return err
	}
	if kind[0] != compressMsg {
		return s.vetMessage(kind[0], r)
	}
	packed, err := msgpack.ReadValue(r, nil, maxStreamBytes)
	if err != nil {
		return torn(err)
	}
	decompressed, err := decompress(packed)
	if err != nil {
		return nil // memberlist says so
	}
	unpacked := bufio.NewReader(counted{s, decompressed})
	inner, err := unpacked.ReadByte()
	if err != nil {
		return nil
	}
	if err := s.vetMessage(inner, unpacked); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, unpacked); errors.Is(err, errStreamBytes) { // the rest counts, too
		return err
	}
	return nil
}

// decompress reads what is in a compressed message, which is behind its number.
func decompress(packed []byte) (io.Reader, error) {
	var c struct {
		Algo uint8
		Buf  []byte
	}
	if err := codec.NewDecoderBytes(packed, &codec.MsgpackHandle{}).Decode(&c); err != nil {
		return nil, err
	}
	return lzw.NewReader(bytes.NewReader(c.Buf), lzw.LSB, 8), nil
}

// vetMessage takes the room that the header of such a message announces, and reads the
// states of nodes behind it.
func (s *stream) vetMessage(kind byte, r io.Reader) error {
	if kind != pushPullMsg && kind != userMsg {
		return nil
	}
	raw, err := msgpack.ReadValue(r, nil, maxHeader)
	if err != nil {
		return torn(err)
	}
	var header struct{ Nodes, UserStateLen, UserMsgLen int64 }
	if codec.NewDecoderBytes(raw, &codec.MsgpackHandle{}).Decode(&header) != nil {
		return nil
	}
	for _, n := range []int64{header.Nodes, header.UserStateLen, header.UserMsgLen} {
		if n < 0 || n > maxStreamBytes {
			return nil // beyond memberlist's own limits
		}
	}
	if err := s.doorman.take(s, header.Nodes*nodeBytes+header.UserStateLen+header.UserMsgLen); err != nil {
		return err
	}
	if kind != pushPullMsg {
		return nil
	}
	for range header.Nodes {
		if raw, err = msgpack.ReadValue(r, raw[:0], maxNodeState); err != nil {
			return torn(err)
		}
	}
	return nil
}

// torn is what is wrong with a message that ends where a value should begin.
func torn(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
