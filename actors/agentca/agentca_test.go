package agentca

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

func newAuthority(t *testing.T, o Options) (*Pair, *Authority) {
	t.Helper()
	pair, err := New(o, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	a, err := Read(pair)
	if err != nil {
		t.Fatal(err)
	}
	return pair, a
}

func read(t *testing.T, p *Pair) *x509.Certificate {
	t.Helper()
	if _, err := tls.X509KeyPair(p.Cert, p.Key); err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(p.Cert)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestAuthority(t *testing.T) {
	pair, _ := newAuthority(t, Options{Days: 10, ClusterID: "A1", Domain: "Example", Constraints: []string{"example"}})
	cert := read(t, pair)
	if !cert.IsCA || !strings.HasPrefix(cert.Subject.CommonName, "Consul Agent CA ") || len(cert.URIs) != 1 || cert.URIs[0].String() != "spiffe://a1.example" {
		t.Errorf("the authority is %v, %v", cert.Subject, cert.URIs)
	}
	if days := cert.NotAfter.Sub(cert.NotBefore).Hours() / 24; days < 10 || days > 10.1 {
		t.Errorf("it is valid for %v days", days)
	}
}

func TestIssue(t *testing.T) {
	_, a := newAuthority(t, Options{})
	more, ip := []string{"web.example.com"}, []net.IP{net.IPv4(10, 0, 0, 1)}
	tests := map[string]struct {
		ask Request
		cn  string
		dns []string
		ips int
	}{
		"server": {Request{Role: Server, Datacenter: "dc2", DNSNames: more, IPAddresses: ip}, "server.dc2.consul", []string{"web.example.com", "server.dc2.consul", "localhost"}, 2},
		"node":   {Request{Role: Server, Datacenter: "dc1", Node: "a", Domain: "x."}, "server.dc1.x", []string{"a.server.dc1.x", "server.dc1.x", "localhost"}, 1},
		"client": {Request{Role: Client, Datacenter: "dc1"}, "client.dc1.consul", []string{"client.dc1.consul", "localhost"}, 1},
		"cli":    {Request{Role: CLI, Datacenter: "dc1", DNSNames: more, IPAddresses: ip}, "cli.dc1.consul", []string{"cli.dc1.consul", "localhost"}, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			pair, err := a.Issue(tt.ask, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			cert := read(t, pair)
			if cert.Subject.CommonName != tt.cn || !slices.Equal(cert.DNSNames, tt.dns) || len(cert.IPAddresses) != tt.ips || cert.IsCA {
				t.Errorf("certificate of %q for %v, %v", cert.Subject.CommonName, cert.DNSNames, cert.IPAddresses)
			}
			if cert.CheckSignatureFrom(a.Cert) != nil {
				t.Error("it is not signed by the authority")
			}
			if isServer := cert.VerifyHostname(ServerName("dc1", "x")) == nil; isServer != (name == "node") {
				t.Errorf("passes for a server of dc1.x: %t", isServer)
			}
		})
	}
}

func TestConstraints(t *testing.T) {
	_, a := newAuthority(t, Options{Constraints: []string{"consul", "localhost"}})
	if _, err := a.Issue(Request{Role: Server, Datacenter: "dc1"}, time.Now()); err != nil {
		t.Errorf("within its domains: %v", err)
	}
	_, err := a.Issue(Request{Role: Server, Datacenter: "dc1", DNSNames: []string{"example.com"}}, time.Now())
	if err == nil || !strings.Contains(err.Error(), "example.com") {
		t.Errorf("outside of them: %v", err)
	}
}

func TestRead(t *testing.T) {
	pair, a := newAuthority(t, Options{})
	other, _ := newAuthority(t, Options{})
	leaf, err := a.Issue(Request{Role: Client, Datacenter: "dc1"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		pair *Pair
		want string
	}{
		"swapped":   {&Pair{pair.Key, pair.Cert}, "not one in PEM"},
		"other_key": {&Pair{pair.Cert, other.Key}, "the key is not the one"},
		"leaf":      {leaf, "is not that of an authority"},
		"no_key":    {&Pair{pair.Cert, []byte("key")}, "is not in PEM"},
		"bad_key":   {&Pair{pair.Cert, pair.Cert}, "cannot be read"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := Read(tt.pair); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("err = %v, want %s", err, tt.want)
			}
		})
	}
}
