package certs

import (
	"context"
	"crypto/tls"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/actors/agentca"
	"github.com/actor-consul/consul/actors/agentca/catest"
	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/messages"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stage is an actor with what it logs.
type stage struct {
	keys   *Keychain
	at     ask.Address
	parent *actortest.Probe
	log    *observer.ObservedLogs
}

type fail struct{}

func open(t *testing.T, section messages.TLSSection) *stage {
	t.Helper()
	core, log := observer.New(zapcore.InfoLevel)
	s := &stage{keys: NewKeychain("dc1", "consul."), log: log}
	produce := New(Config{Logger: zap.New(core), TLS: messages.TLSConfig{RPC: section}, Keychain: s.keys, Server: true})
	s.at, s.parent = actortest.Parent(t, actortest.System(t), func() actor.Actor {
		inner := produce()
		return actor.ReceiveFunc(func(ctx actor.Context) {
			if _, ok := ctx.Message().(*fail); ok {
				panic("as the test wants")
			}
			inner.Receive(ctx)
		})
	}, Name)
	return s
}

// load has the files read again, and wants these of them to hold other certificates
// than before.
func (s *stage) load(t *testing.T, section messages.TLSSection, anew ...string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	got, err := ask.Do(ctx, s.at, &messages.LoadCertificates{TLS: messages.TLSConfig{RPC: section}})
	if !slices.Equal(got.Anew, anew) {
		t.Errorf("loaded anew: %q, want %q", got.Anew, anew)
	}
	return err
}

// shows returns the number of the certificate that the agent shows now.
func (s *stage) shows(t *testing.T) string {
	t.Helper()
	conf := s.keys.Incoming()
	if conf == nil {
		return ""
	}
	return conf.Certificates[0].Leaf.SerialNumber.String()
}

func sectionOf(ca *catest.CA, f catest.Files) messages.TLSSection {
	return messages.TLSSection{CAFile: ca.File, CertFile: f.Cert, KeyFile: f.Key, VerifyIncoming: true, VerifyOutgoing: true, VerifyServerHostname: true}
}

// TestReload takes new files over, refuses bad ones as a whole, and comes back from a
// failure with those in force.
func TestReload(t *testing.T) {
	ca := catest.New(t, "ours")
	f := ca.Server()
	section := sectionOf(ca, f)
	s := open(t, section)
	actortest.AwaitReady(t, s.parent)
	first := s.shows(t)

	if err := s.load(t, section); err != nil {
		t.Fatal(err)
	}
	f.Replace(t, ca.Server())
	if err := s.load(t, section, f.Cert); err != nil {
		t.Fatal(err)
	}
	second := s.shows(t)
	if second == first {
		t.Error("the new certificate is not in force")
	}

	f.Replace(t, ca.Expired())
	if err := s.load(t, section); err == nil || !strings.Contains(err.Error(), f.Cert) || !strings.Contains(err.Error(), "expired") {
		t.Errorf("an expired certificate: %v", err)
	}
	if s.shows(t) != second {
		t.Error("the old certificate is not in force any more")
	}

	s.at.Tell(&fail{})
	actortest.AwaitReady(t, s.parent)
	if s.shows(t) != second || s.log.FilterMessageSnippet("cannot be read again").Len() != 1 {
		t.Errorf("after a failure: %v", s.log.All())
	}

	if err := s.load(t, messages.TLSSection{}); err != nil || s.shows(t) != "" || !s.keys.AllowsPlain() {
		t.Errorf("without TLS: %v", err)
	}
}

func TestDoesNotStart(t *testing.T) {
	s := open(t, messages.TLSSection{VerifyIncoming: true})
	if got := actortest.Next[*messages.StartFailed](t, s.parent); !strings.HasPrefix(got.Err.Error(), "tls.internal_rpc: verify_incoming is set") {
		t.Errorf("err = %v", got.Err)
	}
	if s.keys.Incoming() != nil || s.keys.AllowsPlain() {
		t.Error("an empty keychain lets somebody in")
	}
	if _, err := s.keys.Outgoing("dc1"); err == nil {
		t.Error("an empty keychain lets us out")
	}
}

// TestTells watches a certificate to its end, in virtual time.
func TestTells(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := catest.New(t, "ours")
		s := open(t, sectionOf(ca, ca.Issue(agentca.Request{Role: agentca.Server, Datacenter: "dc1", NotAfter: time.Now().Add(72 * time.Hour)})))
		synctest.Wait()
		time.Sleep(47 * time.Hour)
		if n := s.log.FilterLevelExact(zap.WarnLevel).Len(); n != 0 {
			t.Errorf("warned %d times two days before", n)
		}
		time.Sleep(24 * time.Hour)
		if n := s.log.FilterMessage("the certificate of this agent will expire soon: put a new one there and reload").Len(); n != 1 {
			t.Errorf("warned %d times on the last day", n)
		}
		time.Sleep(2 * time.Hour)
		if n := s.log.FilterMessage("the certificate of this agent has expired: put a new one there and reload").Len(); n != 1 {
			t.Errorf("said %d times that it is over", n)
		}
	})
}

// TestOutgoing shows whom the keychain expects at the other end.
func TestOutgoing(t *testing.T) {
	ca := catest.New(t, "ours")
	f := ca.Server()
	for name, tt := range map[string]struct {
		tweak func(*messages.TLSSection)
		dc    string
		want  string // the name; -: none at all
	}{
		"own":       {func(*messages.TLSSection) {}, "dc1", "server.dc1.consul"},
		"elsewhere": {func(*messages.TLSSection) {}, "dc2", "server.dc2.consul"},
		"any_name":  {func(s *messages.TLSSection) { s.VerifyServerHostname = false }, "dc1", ""},
		"implied":   {func(s *messages.TLSSection) { s.VerifyOutgoing = false }, "dc1", "server.dc1.consul"},
		"plain":     {func(s *messages.TLSSection) { s.VerifyOutgoing, s.VerifyServerHostname = false, false }, "dc1", "-"},
	} {
		t.Run(name, func(t *testing.T) {
			section := sectionOf(ca, f)
			tt.tweak(&section)
			s := open(t, section)
			actortest.AwaitReady(t, s.parent)
			conf, err := s.keys.Outgoing(tt.dc)
			if err != nil {
				t.Fatal(err)
			}
			if (conf == nil) != (tt.want == "-") || conf != nil && conf.ServerName != tt.want {
				t.Errorf("expects %+v", conf)
			}
			if conf != nil && conf.InsecureSkipVerify != (conf.VerifyConnection != nil && tt.want == "") {
				t.Error("nothing is verified")
			}
		})
	}
}

// TestHTTPS takes the certificate of each connection from what is in force.
func TestHTTPS(t *testing.T) {
	k := NewKeychain("dc1", "consul")
	conf := k.HTTPS()
	if _, err := conf.GetConfigForClient(&tls.ClientHelloInfo{}); err == nil || !strings.Contains(err.Error(), "tls.https.cert_file") {
		t.Errorf("without a certificate: %v", err)
	}
	ca := catest.New(t, "ours")
	f := ca.Server()
	set, _, err := judged(t, messages.TLSSection{}, messages.TLSSection{CAFile: ca.File, CertFile: f.Cert, KeyFile: f.Key, VerifyIncoming: true})
	if err != nil {
		t.Fatal(err)
	}
	k.newest.Publish(set)
	got, err := conf.GetConfigForClient(&tls.ClientHelloInfo{})
	if err != nil || got.ClientAuth != tls.RequireAndVerifyClientCert || len(got.NextProtos) != 2 {
		t.Errorf("with one: %+v, %v", got, err)
	}
}

// TestChecks takes what a check begins with from what is in force, also where nobody is
// to be verified on port 8300.
func TestChecks(t *testing.T) {
	k := NewKeychain("dc1", "consul")
	if conf := k.Checks(); conf.RootCAs == nil || conf.GetClientCertificate != nil {
		t.Error("an empty keychain trusts somebody")
	}
	ca := catest.New(t, "ours")
	for range 2 {
		f := ca.Client()
		set, _, err := judged(t, messages.TLSSection{CAFile: ca.File, CertFile: f.Cert, KeyFile: f.Key}, messages.TLSSection{})
		if err != nil {
			t.Fatal(err)
		}
		k.newest.Publish(set)
		shown, err := k.Checks().GetClientCertificate(nil)
		if err != nil || shown != set.rpc.cert || k.Checks().RootCAs != set.rpc.roots || k.Checks().InsecureSkipVerify {
			t.Errorf("shows %v, %v", shown, err)
		}
	}
}
