package supervisor

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/actor-consul/consul/actors/agentca"
	"github.com/actor-consul/consul/actors/agentca/catest"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// TestAgentTLSForChecks has an agent check a service that wants to see a certificate of
// the agent's authority: with the agent's own it passes, without it does not.
func TestAgentTLSForChecks(t *testing.T) {
	ca := catest.New(t, "ours")
	shown := ca.Issue(agentca.Request{Role: agentca.Server, Datacenter: "dc1", DNSNames: []string{"site"}})
	pair, err := tls.LoadX509KeyPair(shown.Cert, shown.Key)
	if err != nil {
		t.Fatal(err)
	}
	service := httptest.NewUnstartedServer(http.NotFoundHandler())
	service.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: ca.Config(catest.Files{}).RootCAs, ClientAuth: tls.RequireAndVerifyClientCert}
	service.EnableHTTP2 = true
	service.StartTLS()
	defer service.Close()

	own := ca.Client()
	for _, with := range []bool{true, false} {
		s := newSite(t)
		s.cfg.TLS.RPC = messages.TLSSection{CAFile: ca.File, CertFile: own.Cert, KeyFile: own.Key}
		s.cfg.Services.AgentTLS = with
		s.cfg.Services.Checks = []*messages.RegisterCheck{{FromConfig: true, CheckDefinition: messages.CheckDefinition{
			Check: &wire.HealthCheck{CheckID: "c", Name: "c"},
			Run:   &wire.CheckType{H2PING: service.Listener.Addr().String(), H2PingUseTLS: true, Interval: time.Second},
		}}}
		s.start()
		want := map[bool]string{true: "HTTP2 ping was successful", false: "unknown authority"}[with]
		s.await(want, func() bool { return strings.Contains(s.get("/v1/agent/checks"), want) })
		s.stop()
	}
}

// get returns what is answered over HTTP.
func (s *site) get(path string) string {
	s.t.Helper()
	resp, err := http.Get("http://" + s.at("http") + path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(body)
}
