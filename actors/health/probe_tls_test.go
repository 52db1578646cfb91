package health

import (
	"crypto/tls"
	"encoding/binary"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/actor-consul/consul/actors/agentca"
	"github.com/actor-consul/consul/actors/agentca/catest"
	"github.com/actor-consul/consul/messages/wire"
)

// demanding is a service that shows a certificate and wants one. It answers HTTP and
// what gRPC asks of the health of a server.
func demanding(t *testing.T, ca *catest.CA, shows catest.Files) *httptest.Server {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(shows.Cert, shows.Key)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "Grpc-Status")
		_, _ = w.Write(append(binary.BigEndian.AppendUint32([]byte{0}, 2), 8, 1))
		w.Header().Set("Grpc-Status", "0")
	}))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: ca.Config(catest.Files{}).RootCAs, ClientAuth: tls.RequireAndVerifyClientCert}
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// agentTLS is a configuration with a certificate of the authority, which may be
// exchanged.
func agentTLS(t *testing.T, ca *catest.CA, shown *atomic.Pointer[catest.Files]) *Config {
	t.Helper()
	return &Config{OutputMaxSize: DefaultOutputMaxSize, NodeName: "n1", TLS: func() *tls.Config {
		conf := ca.Config(*shown.Load())
		return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: conf.RootCAs, GetClientCertificate: conf.GetClientCertificate}
	}}
}

// TestAgentTLS has checks of all kinds look at a service whose certificate is of the
// agent's authority, and which wants one.
func TestAgentTLS(t *testing.T) {
	ca, other := catest.New(t, "ours"), catest.New(t, "theirs")
	s := demanding(t, ca, ca.Issue(agentca.Request{Role: agentca.Server, Datacenter: "dc1", DNSNames: []string{"n1"}}))
	url, addr := s.URL, s.Listener.Addr().String()
	for name, run := range map[string]wire.CheckType{
		"http":   {HTTP: url},
		"grpc":   {GRPC: addr, GRPCUseTLS: true},
		"h2ping": {H2PING: addr, H2PingUseTLS: true},
		"tcp":    {TCP: addr, TCPUseTLS: true},
	} {
		t.Run(name, func(t *testing.T) {
			run.Interval = time.Second
			var shown atomic.Pointer[catest.Files]
			ours, theirs := ca.Client(), other.Client()
			shown.Store(&ours)
			cfg := agentTLS(t, ca, &shown)
			with := func(cfg *Config, change func(*wire.CheckType)) result {
				run := run
				change(&run)
				return newProbe(cfg, &run)(t.Context())
			}
			wants(t, with(cfg, func(*wire.CheckType) {}), "passing", "")
			wants(t, with(&Config{}, func(*wire.CheckType) {}), "critical", "certificate signed by unknown authority")
			wants(t, with(cfg, func(r *wire.CheckType) { r.TLSServerName = "server.dc1.consul" }), "passing", "")
			wants(t, with(cfg, func(r *wire.CheckType) { r.TLSServerName = "web" }), "critical", "not web")
			wants(t, with(cfg, func(r *wire.CheckType) { r.TLSServerName, r.TLSSkipVerify = "web", true }), "passing", "")

			probe := newProbe(cfg, &run)
			wants(t, probe(t.Context()), "passing", "")
			if name == "tcp" {
				return // which has seen enough before it hears of a refusal
			}
			shown.Store(&theirs)
			wants(t, probe(t.Context()), "critical", "")
			shown.Store(&ours)
			wants(t, probe(t.Context()), "passing", "")
		})
	}
}
