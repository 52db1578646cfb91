package http

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/actors/agentca/catest"
	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/actors/certs"
	"github.com/actor-consul/consul/actors/socket"
	"github.com/actor-consul/consul/messages"
)

// secured is an API on two ports, with TLS and without.
type secured struct {
	*sockets
	log   *observer.ObservedLogs
	said  chan struct{} // gets a value after a line of the log, if it has room
	certs ask.Address
}

const (
	plainDoor  = "127.0.0.1:0"
	secretDoor = "localhost:0" // another name for the same, so that the ports can be told apart
)

func openHTTPS(t *testing.T, section messages.TLSSection) *secured {
	t.Helper()
	s := newStage(t)
	core, log := observer.New(zap.WarnLevel)
	keys := certs.NewKeychain("dc1", "consul.")
	at, parent := actortest.Parent(t, s.sys, certs.New(certs.Config{
		Logger: zap.NewNop(), Keychain: keys, TLS: messages.TLSConfig{HTTPS: section},
	}), certs.Name)
	actortest.AwaitReady(t, parent)
	said := make(chan struct{}, 1)
	tell := zap.Hooks(func(zapcore.Entry) error {
		select {
		case said <- struct{}{}:
		default:
		}
		return nil
	})
	socks := &sockets{}
	s.cfg.Logger, s.cfg.TLS, s.cfg.Listen = zap.New(core, tell), keys.HTTPS(), socks.listen
	s.cfg.Addrs, s.cfg.TLSAddrs = []string{plainDoor}, []string{secretDoor}
	_, parent = actortest.Parent(t, s.sys, New(s.cfg), Name)
	actortest.AwaitReady(t, parent)
	return &secured{socks, log, said, at}
}

func sectionOf(ca *catest.CA, f catest.Files) messages.TLSSection {
	return messages.TLSSection{CAFile: ca.File, CertFile: f.Cert, KeyFile: f.Key, VerifyIncoming: true}
}

// get asks for a page over HTTPS, or over HTTP without conf, at one of the ports.
func (s *secured) get(t *testing.T, door string, conf *tls.Config) (*http.Response, error) {
	t.Helper()
	c := client(t)
	transport := c.Transport.(*http.Transport)
	transport.TLSClientConfig, transport.DisableKeepAlives = conf, true // the errors of HTTP/2 do not say why
	url := s.url(door, "/v1/agent/self")
	if conf != nil {
		url = strings.Replace(url, "http:", "https:", 1)
	}
	resp, _, err := do(c, "GET", url, "")
	return resp, err
}

// TestHTTPSRefusals comes to the ports as nobody should. Each is refused and said once,
// with who it was, and both ports serve others as before.
func TestHTTPSRefusals(t *testing.T) {
	ca, other := catest.New(t, "ours"), catest.New(t, "theirs")
	good := ca.Config(ca.Client())
	const refused = "refused a connection to the HTTPS port"
	tests := []struct {
		name string
		door string
		conf *tls.Config
		say  string
		why  string // in the log
		want string // in the client's error
	}{
		{"no_certificate", secretDoor, ca.Config(catest.Files{}), refused, "client didn't provide a certificate", "certificate required"},
		{"other_authority", secretDoor, ca.Config(other.Client()), refused, "unknown authority", "unknown certificate authority"},
		{"expired", secretDoor, ca.Config(ca.Expired()), refused, "expired", "expired certificate"},
		{"untrusting_client", secretDoor, other.Config(other.Client()), refused, "bad certificate", "unknown authority"},
		{"plain_to_tls", secretDoor, nil, refused, "client sent an HTTP request to an HTTPS server", ""},
		{"tls_to_plain", plainDoor, good, "closed a connection that wants TLS: this port is for HTTP; see ports.https", "", "server gave HTTP response to HTTPS client"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := openHTTPS(t, sectionOf(ca, ca.Server()))
			for range 2 {
				resp, err := s.get(t, tt.door, tt.conf)
				if err == nil && resp.StatusCode != http.StatusBadRequest || err != nil && (tt.want == "" || !strings.Contains(err.Error(), tt.want)) {
					t.Errorf("answer %v, err = %v, want %s", resp, err, tt.want)
				}
			}
			for door, conf := range map[string]*tls.Config{plainDoor: nil, secretDoor: good} {
				if resp, err := s.get(t, door, conf); err != nil || resp.StatusCode != http.StatusOK {
					t.Errorf("%s does not serve any more: %v", door, err)
				}
			}
			said := s.log.FilterMessage(tt.say).All()
			if len(said) != 1 || s.log.Len() != 1 {
				t.Fatalf("the log says %v, want once %q", s.log.All(), tt.say)
			}
			fields := said[0].ContextMap()
			from, _ := fields["from"].(string)
			reason, _ := fields["reason"].(string)
			if !strings.HasPrefix(from, "127.0.0.1:") || !strings.Contains(reason, tt.why) {
				t.Errorf("the log says %v, want where from and %q", fields, tt.why)
			}
		})
	}
}

// TestHTTPSSpeaks shows that both versions of HTTP are served, streams and queries that
// wait included, and that new certificates need no new listener.
func TestHTTPSSpeaks(t *testing.T) {
	ca := catest.New(t, "ours")
	f := ca.Server()
	s := openHTTPS(t, sectionOf(ca, f))
	shown := ""
	conf := ca.Config(ca.Client())
	verify := conf.VerifyConnection
	conf.VerifyConnection = func(state tls.ConnectionState) error {
		shown = state.PeerCertificates[0].SerialNumber.String()
		return verify(state)
	}
	for want, protocols := range map[string][]string{"HTTP/2.0": nil, "HTTP/1.1": {"http/1.1"}} {
		conf := conf.Clone()
		conf.NextProtos = protocols
		c := client(t)
		transport := c.Transport.(*http.Transport)
		transport.TLSClientConfig, transport.ForceAttemptHTTP2 = conf, protocols == nil
		resp, err := c.Get(strings.Replace(s.url(secretDoor, "/v1/agent/monitor?loglevel=debug"), "http:", "https:", 1))
		if err != nil || resp.Proto != want {
			t.Fatalf("%+v, %v, want %s", resp, err, want)
		}
		resp.Body.Close()
		c.CloseIdleConnections()
	}
	before := shown
	f.Replace(t, ca.Server())
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := ask.Do(ctx, s.certs, &messages.LoadCertificates{TLS: messages.TLSConfig{HTTPS: sectionOf(ca, f)}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.get(t, secretDoor, conf); err != nil || shown == before {
		t.Errorf("the old certificate is shown: %t, %v", shown == before, err)
	}
}

// TestHTTPSWithoutCertificate starts anyway, and says what is missing.
func TestHTTPSWithoutCertificate(t *testing.T) {
	s := openHTTPS(t, messages.TLSSection{})
	if _, err := s.get(t, secretDoor, catest.New(t, "ours").Config(catest.Files{})); err == nil {
		t.Error("an answer without a certificate")
	}
	<-s.said // the client may know before the log does
	all := s.log.All()
	if len(all) != 1 || !strings.Contains(all[0].ContextMap()["reason"].(string), "set tls.https.cert_file") {
		t.Errorf("the log says %v", all)
	}
}

// TestUnixSocket serves over a file, whose permissions are as configured.
func TestUnixSocket(t *testing.T) {
	dir, err := os.MkdirTemp("", "http") //nolint:usetesting // short, for the socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	s := newStage(t)
	s.cfg.Addrs, s.cfg.Socket = []string{"unix://" + path}, socket.Owner{Mode: "0600"}
	_, parent := actortest.Parent(t, s.sys, New(s.cfg), Name)
	actortest.AwaitReady(t, parent)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v", info, err)
	}
	nc, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if _, err := io.WriteString(nc, "GET /v1/agent/self HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("%+v, %v", resp, err)
	}

	s.cfg.Addrs = []string{"unix://" + filepath.Join(dir, "nowhere", "s")}
	_, parent = actortest.Parent(t, s.sys, New(s.cfg), "second")
	if got := actortest.Next[*messages.StartFailed](t, parent); !strings.Contains(got.Err.Error(), "choose another path with addresses.http") {
		t.Errorf("err = %v", got.Err)
	}
}
