package gossip

import (
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/memberlist"
	"github.com/hashicorp/serf/serf"

	"github.com/actor-consul/consul/messages"
)

// plan is what an instance of the actor opens the pool with.
type plan struct {
	cfg  Config
	tags map[string]string
	keys *memberlist.Keyring // of the instance before; nil: load them
	port uint16              // of the instance before; 0: as configured
}

// library is Serf, opened, and what the actor has to know of it.
type library struct {
	serf  *serf.Serf
	list  *memberlist.Config // read only
	gate  *gate
	wire  *transport
	self  messages.Member
	keys  *memberlist.Keyring
	port  uint16
	notes []string // what the operator should know

	claims chan claim // that members have moved
}

// errBusy is in the error of open when the port is in use, which may pass.
var errBusy = errors.New("address already in use")

// open gets the files in order, listens, and starts Serf. The order matters: Serf
// leaves goroutines behind when it fails, so all that is likely to fail is done
// before it.
func open(p plan, events chan<- serf.Event) (*library, error) {
	lib := &library{keys: p.keys, claims: make(chan claim, claimsWaiting)}
	file, err := openFiles(p, lib)
	if err != nil {
		return nil, err
	}
	logger := log.New(&hushed{out: p.cfg.LogOutput}, "", 0)
	wire, err := listen(p, logger, lib.keys == nil || !p.cfg.EncryptVerifyIncoming)
	if err != nil {
		return nil, err
	}
	lib.wire = wire
	lib.port = uint16(wire.GetAutoBindPort())
	if lib.self, err = advertised(p, wire); err != nil {
		wire.discard()
		return nil, err
	}
	lib.gate = newGate(p.cfg, lib.self)
	if err := lib.gate.admit(lib.self, lib.gate.known.Load(), false); err != nil {
		wire.discard()
		return nil, p.cfg.errorf("%w", err)
	}

	lib.list = memberlistConfig(p.cfg, lib.keys, lib.gate, logger)
	lib.list.Transport = wire
	lib.list.BindAddr = p.cfg.Bind.Addr().String()
	lib.list.BindPort = int(lib.port)
	lib.list.AdvertiseAddr = lib.self.Addr.String()
	lib.list.AdvertisePort = int(lib.self.Port)
	wire.begin = func() { watchConflicts(lib.list, lib.self.Name, lib.claims) }

	conf := serfConfig(p.cfg, maps.Clone(p.tags), logger, events)
	conf.MemberlistConfig = lib.list
	conf.KeyringFile = file
	if lib.serf, err = serf.Create(conf); err != nil {
		wire.discard()
		return nil, p.cfg.errorf("start serf: %w", err)
	}
	return lib, nil
}

// openFiles gets the folder, the snapshot and the keyring ready, and returns the
// keyring file.
func openFiles(p plan, lib *library) (keyringFile string, err error) {
	if p.cfg.DataDir != "" {
		snapshot := p.cfg.file("snapshot")
		if err := os.MkdirAll(filepath.Dir(snapshot), 0o755); err != nil {
			return "", p.cfg.errorf("data directory %s: %w; choose another by -data-dir", filepath.Dir(snapshot), plain(err))
		}
		note, err := mendSnapshot(snapshot)
		if err != nil {
			return "", p.cfg.errorf("%w", err)
		}
		lib.note(note)
	}
	ring, err := loadKeyring(p.cfg)
	if err != nil {
		return "", err
	}
	if lib.keys == nil { // a later instance has the keys of the one before
		lib.keys = ring.keys
		lib.note(ring.note)
	}
	return ring.file, nil
}

func (l *library) note(text string) {
	if text != "" {
		l.notes = append(l.notes, text)
	}
}

// listenTries is how often to ask the system for a port: what is free for TCP may
// be taken for UDP.
const listenTries = 10

func listen(p plan, logger *log.Logger, clear bool) (*transport, error) {
	port, tries := p.cfg.Bind.Port(), 1
	if port == 0 {
		if port = p.port; port == 0 {
			tries = listenTries
		}
	}
	for {
		tries--
		net, err := p.cfg.network(&memberlist.NetTransportConfig{
			BindAddrs: []string{p.cfg.Bind.Addr().String()},
			BindPort:  int(port),
			Logger:    logger,
		})
		if err == nil {
			return newTransport(net, newDoorman(logger, clear)), nil
		}
		if tries == 0 {
			return nil, listenError(p.cfg, port, err)
		}
	}
}

// listenError says what to do about err, of which memberlist leaves the text only.
func listenError(cfg Config, port uint16, err error) error {
	at := netip.AddrPortFrom(cfg.Bind.Addr(), port)
	is := func(errno syscall.Errno) bool { return strings.Contains(err.Error(), errno.Error()) }
	switch {
	case is(syscall.EADDRINUSE):
		return cfg.errorf("listen on %s: %w; is another agent running here? Choose other ports with %s or another -bind address",
			at, errBusy, cfg.portKey())
	case is(syscall.EADDRNOTAVAIL):
		return cfg.errorf("listen on %s: this machine has no such address; choose another -bind address", at)
	case is(syscall.EACCES):
		return cfg.errorf("listen on %s: permission denied; choose a port above 1023 with %s", at, cfg.portKey())
	default:
		return cfg.errorf("listen on %s: %w", at, err)
	}
}

// advertised returns this agent as the others are to know it.
func advertised(p plan, t *transport) (messages.Member, error) {
	self := messages.Member{
		Name:   p.cfg.NodeName,
		Addr:   p.cfg.Advertise.Addr(),
		Port:   p.cfg.Advertise.Port(),
		Tags:   p.tags,
		Status: messages.MemberAlive,
	}
	if !self.Addr.IsValid() {
		ip, _, err := t.FinalAdvertiseAddr("", 0)
		if err != nil {
			return self, p.cfg.errorf("which address to advertise: %w; give it by -advertise", err)
		}
		self.Addr = addrOf(ip)
	}
	if self.Addr.IsUnspecified() {
		return self, p.cfg.errorf("cannot advertise %s, which is every address; give one by -advertise", self.Addr)
	}
	if self.Port == 0 {
		self.Port = uint16(t.GetAutoBindPort())
	}
	return self, nil
}

// hushed is where Serf and memberlist log. Only their logger writes to it, one line at
// a time.
type hushed struct {
	hush hush
	out  io.Writer
}

// Write implements io.Writer.
func (h *hushed) Write(line []byte) (int, error) {
	text, ok := h.hush.tell(legible(strings.TrimRight(string(line), "\n")), time.Now())
	if !ok {
		return len(line), nil
	}
	_, err := io.WriteString(h.out, text+"\n")
	return len(line), err
}

// flatten turns the errors of a join, of which memberlist makes a list over several
// lines, into one line.
func flatten(err error) error {
	var list interface{ WrappedErrors() []error }
	if !errors.As(err, &list) {
		return err
	}
	var texts []string
	for _, e := range list.WrappedErrors() {
		texts = append(texts, strings.TrimPrefix(e.Error(), "failed to "))
	}
	if len(texts) == 0 {
		return err
	}
	return fmt.Errorf("%s", strings.Join(texts, "; "))
}
