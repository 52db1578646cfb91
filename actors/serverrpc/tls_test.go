package serverrpc

import (
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/actors/agentca"
	"github.com/actor-consul/consul/actors/agentca/catest"
	"github.com/actor-consul/consul/actors/certs"
	"github.com/actor-consul/consul/actors/invoke"
	"github.com/actor-consul/consul/actors/serverrpc/client"
	"github.com/actor-consul/consul/actors/serverrpc/frame"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// openTLS sets the stage with certificates of ca, verified in every way that there is,
// unless tweak says otherwise.
func openTLS(t *testing.T, ca *catest.CA, tweak func(*messages.TLSSection, *Config)) *stage {
	t.Helper()
	own := ca.Server()
	section := messages.TLSSection{
		CAFile: ca.File, CertFile: own.Cert, KeyFile: own.Key,
		VerifyIncoming: true, VerifyOutgoing: true, VerifyServerHostname: true,
	}
	s := newStage(t, func(cfg *Config) {
		if tweak != nil {
			tweak(&section, cfg)
		}
		cfg.Security = keychain(t, section)
	})
	actortest.AwaitReady(t, s.parent)
	return s
}

// keychain is filled by an actor of its own.
func keychain(t *testing.T, section messages.TLSSection) *certs.Keychain {
	t.Helper()
	k := certs.NewKeychain("dc1", "consul.")
	_, parent := actortest.Parent(t, actortest.System(t), certs.New(certs.Config{
		Logger: zap.NewNop(), Keychain: k, Server: true, TLS: messages.TLSConfig{RPC: section},
	}), certs.Name)
	actortest.AwaitReady(t, parent)
	return k
}

// secure opens a connection over TLS. Whether the server takes it is not known yet.
func (s *stage) secure(t *testing.T, conf *tls.Config, first ...byte) net.Conn {
	t.Helper()
	nc := tls.Client(s.dial(t, byte(frame.TLS)), conf)
	if err := nc.Handshake(); err != nil {
		t.Fatal(err)
	}
	write(t, nc, string(first))
	return nc
}

// TestTLSRefusals comes to the port as nobody should. Each is refused and said once,
// with who it was, and the port serves others as before.
func TestTLSRefusals(t *testing.T) {
	ca, other := catest.New(t, "ours"), catest.New(t, "theirs")
	stranger := ca.Config(other.Server()) // trusts us, and we do not trust it
	const unsecured = "closed a connection that could not be secured"
	tests := []struct {
		name  string
		come  func(t *testing.T, s *stage) net.Conn
		say   string // the remark
		tells string // the reason in it
	}{
		{"plain_rpc", plainly(frame.RPC), "closed a connection without TLS: verify_incoming is set", ""},
		{"plain_raft", plainly(frame.Raft), "closed a connection without TLS: verify_incoming is set", ""},
		{"plain_multiplex", plainly(frame.Multiplex), "closed a connection without TLS: verify_incoming is set", ""},
		{"plain_multiplex_v2", plainly(frame.MultiplexV2), "closed a connection without TLS: verify_incoming is set", ""},
		{"plain_grpc", plainly(frame.GRPC), "closed a connection without TLS: verify_incoming is set", ""},
		{"plain_snapshot", plainly(frame.Snapshot), "closed a connection without TLS: verify_incoming is set", ""},
		{"garbage", plainly('G', 'E', 'T'), "closed a connection without TLS: verify_incoming is set", ""},
		{"garbage_after_tls", plainly(frame.TLS, 'G', 'E', 'T', ' ', '/', '\r', '\n'), unsecured, "first record does not look like a TLS handshake"},
		{"bare_tls", plainly(frame.NativeTLS, 3, 1), "closed a connection that wants another kind of TLS", ""},
		{"tls_in_tls", secretly(ca.Config(ca.Server()), frame.TLS), "closed a connection that wants another kind of TLS", ""},
		{"no_certificate", secretly(ca.Config(catest.Files{}), frame.RPC), unsecured, "client didn't provide a certificate"},
		{"other_authority", secretly(stranger, frame.Raft), unsecured, "certificate signed by unknown authority"},
		{"expired", secretly(ca.Config(ca.Expired()), frame.Raft), unsecured, "certificate has expired"},
		{"raft_for_a_client", secretly(ca.Config(ca.Client()), frame.Raft), "closed a connection that wants raft from one that is no server", "not server.dc1.consul"},
		{"raft_for_another_datacenter", secretly(ca.Config(ca.Issue(agentca.Request{Role: agentca.Server, Datacenter: "dc2"})), frame.Raft), "wants raft from one that is no server", "not server.dc1.consul"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := openTLS(t, ca, nil)
			for range 2 {
				refused(t, tt.come(t, s))
			}
			line := s.await(t, tt.say)
			if !strings.Contains(line, "from=127.0.0.1:") || !strings.Contains(line, tt.tells) {
				t.Errorf("the log says %q, want where from and %q", line, tt.tells)
			}
			s.pingsOver(t, ca.Config(ca.Client()))
			if again := count(s.lines(), tt.say); again > 0 {
				t.Errorf("it is said %d times more", again)
			}
			for _, m := range s.raft.Messages() {
				if _, ok := m.(*messages.RaftConnAccepted); ok {
					t.Error("raft was handed the connection")
				}
			}
		})
	}
}

// plainly comes without TLS.
func plainly(first ...frame.Kind) func(*testing.T, *stage) net.Conn {
	return func(t *testing.T, s *stage) net.Conn {
		var b []byte
		for _, k := range first {
			b = append(b, byte(k))
		}
		return s.dial(t, b...)
	}
}

// secretly comes with TLS.
func secretly(conf *tls.Config, first frame.Kind) func(*testing.T, *stage) net.Conn {
	return func(t *testing.T, s *stage) net.Conn { return s.secure(t, conf, byte(first)) }
}

// refused fails unless the server closes the connection; before that, it may say why.
func refused(t *testing.T, nc net.Conn) {
	t.Helper()
	var b [100]byte
	for {
		_, err := nc.Read(b[:])
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			t.Fatal("the connection goes on")
		}
		if err != nil {
			return
		}
	}
}

// pingsOver shows that the port serves who may come.
func (s *stage) pingsOver(t *testing.T, conf *tls.Config) {
	t.Helper()
	pool := client.NewPool(client.Config{Logger: zap.NewNop(), Dial: (&client.Dialer{
		TLS: func(string) (*tls.Config, error) { return conf, nil },
	}).Dial})
	defer pool.Close()
	if err := pool.Ping(t.Context(), s.addr()); err != nil {
		t.Errorf("another is not served: %v", err)
	}
}

// TestTLSRoles shows what a certificate lets its owner do.
func TestTLSRoles(t *testing.T) {
	ca := catest.New(t, "ours")
	s := openTLS(t, ca, nil)
	stats := request(t, 1, "Status.RaftStats", &wire.EmptyReadRequest{})
	remove := request(t, 2, "Peer.Remove", &wire.RemovePeerRequest{ID: "b"})
	ping := request(t, 3, "Status.Ping", struct{}{})

	nc := s.secure(t, ca.Config(ca.Client()), byte(frame.RPC))
	r := reader(nc)
	for _, ask := range []string{stats, remove} {
		write(t, nc, ask)
		if got := answer(t, r, nil); !strings.Contains(got.Error, "is for servers: its certificate (client.dc1.consul) is not that of a server") {
			t.Errorf("a client asks what is for servers: %+v", got)
		}
	}
	s.await(t, "refused a request that is for servers to one that is none")
	write(t, nc, ping)
	if got := answer(t, r, new(struct{})); got.Error != "" {
		t.Errorf("a client pings: %+v", got)
	}

	nc = s.secure(t, ca.Config(ca.Server()), byte(frame.RPC))
	r = reader(nc)
	for _, ask := range []string{stats, remove, ping} {
		write(t, nc, ask)
		if got := answer(t, r, new(any)); got.Error != "" {
			t.Errorf("a server asks: %+v", got)
		}
	}
	nc = s.secure(t, ca.Config(ca.Server()), byte(frame.Raft), 'x')
	got := actortest.Next[*messages.RaftConnAccepted](t, s.raft)
	var b [1]byte
	if _, err := got.Conn.Read(b[:]); err != nil || b[0] != 'x' {
		t.Errorf("raft reads %q, %v", b, err)
	}
	_, _ = nc.Close(), got.Conn.Close()
}

// TestTLSOptional lets everybody in, with TLS and without, but nobody be a server who
// does not show that he is one.
func TestTLSOptional(t *testing.T) {
	ca := catest.New(t, "ours")
	s := openTLS(t, ca, func(section *messages.TLSSection, _ *Config) { section.VerifyIncoming = false })
	if err := s.pool.Ping(t.Context(), s.addr()); err != nil {
		t.Errorf("without TLS: %v", err)
	}
	s.pingsOver(t, ca.Config(catest.Files{}))
	refused(t, s.dial(t, byte(frame.Raft)))
	s.await(t, "closed a connection that wants raft from one that is no server error=it has shown no certificate")
	if _, err := s.pool.RaftStats(t.Context(), s.addr()); err == nil || !strings.Contains(err.Error(), "is for servers") {
		t.Errorf("the stats of raft without TLS: %v", err)
	}
	nc := s.secure(t, ca.Config(ca.Server()), byte(frame.Raft))
	_, _ = actortest.Next[*messages.RaftConnAccepted](t, s.raft).Conn.Close(), nc.Close()
}

// TestTLSSilence holds no goroutine for one who begins TLS and says no more.
func TestTLSSilence(t *testing.T) {
	ca := catest.New(t, "ours")
	s := openTLS(t, ca, func(_ *messages.TLSSection, cfg *Config) { cfg.HandshakeTimeout = 50 * time.Millisecond })
	refused(t, s.dial(t, byte(frame.TLS)))
	refused(t, s.dial(t, byte(frame.TLS), 0x16, 3, 1))
	s.await(t, "closed a connection that did not say in time what it is for")
}

// TestPoolExplains has the calls of a pool fail for what is wrong with certificates:
// nothing was done, and the error says why.
func TestPoolExplains(t *testing.T) {
	ca, other := catest.New(t, "ours"), catest.New(t, "theirs")
	s := openTLS(t, ca, nil)
	plain := open(t, nil)
	named := ca.Config(ca.Server())
	named.InsecureSkipVerify, named.VerifyConnection, named.ServerName = false, nil, "server.dc2.consul"
	tests := []struct {
		name string
		addr string
		conf *tls.Config
		want string
	}{
		{"we_trust_another", s.addr(), other.Config(other.Server()), "the server's certificate is refused: x509: certificate signed by unknown authority"},
		{"they_trust_another", s.addr(), ca.Config(other.Server()), "perhaps since it does not trust our certificate: remote error: tls: unknown certificate authority"},
		{"other_datacenter", s.addr(), named, "not server.dc2.consul"},
		{"no_tls_there", plain.addr(), ca.Config(ca.Server()), "TLS with " + plain.addr()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pool := client.NewPool(client.Config{Logger: zap.NewNop(), Dial: (&client.Dialer{
				TLS: func(string) (*tls.Config, error) { return tt.conf, nil },
			}).Dial})
			defer pool.Close()
			err := pool.RemovePeer(t.Context(), tt.addr, "b") // a write: whether it is done matters
			if err == nil || !strings.Contains(err.Error(), tt.want) || !unsent(err) {
				t.Errorf("err = %v, want one that nothing was done with: %s", err, tt.want)
			}
		})
	}
}

func unsent(err error) bool { return errors.As(err, new(*invoke.Unsent)) }
