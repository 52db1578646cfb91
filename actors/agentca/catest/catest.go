// Package catest makes authorities and certificates for tests, in files that go with
// the test.
//
//	test ──New──▶ CA ──Issue──▶ Files
//
// It is for tests alone, and knows nobody who uses what it makes.
package catest

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/actor-consul/consul/actors/agentca"
)

// CA is an authority whose certificate is in File.
type CA struct {
	File string
	PEM  []byte

	t         testing.TB
	dir       string
	authority *agentca.Authority
}

// New makes an authority that calls itself name. It has been valid for a week.
func New(t testing.TB, name string) *CA {
	t.Helper()
	pair, err := agentca.New(agentca.Options{CommonName: name}, time.Now().AddDate(0, 0, -7))
	check(t, err)
	authority, err := agentca.Read(pair)
	check(t, err)
	c := &CA{PEM: pair.Cert, t: t, dir: t.TempDir(), authority: authority}
	c.File = filepath.Join(c.dir, "ca.pem")
	check(t, os.WriteFile(c.File, pair.Cert, 0o600))
	return c
}

// Files are where a certificate and its key are.
type Files struct{ Cert, Key string }

// Server makes the certificate of a server of dc1.
func (c *CA) Server() Files { return c.Issue(agentca.Request{Role: agentca.Server, Datacenter: "dc1"}) }

// Client makes the certificate of a client agent of dc1.
func (c *CA) Client() Files { return c.Issue(agentca.Request{Role: agentca.Client, Datacenter: "dc1"}) }

// Expired makes the certificate of a server of dc1 that was valid until yesterday.
func (c *CA) Expired() Files {
	now := time.Now()
	return c.Issue(agentca.Request{Role: agentca.Server, Datacenter: "dc1", NotBefore: now.AddDate(0, 0, -6), NotAfter: now.AddDate(0, 0, -1)})
}

// Issue makes a certificate.
func (c *CA) Issue(r agentca.Request) Files {
	c.t.Helper()
	pair, err := c.authority.Issue(r, time.Now())
	check(c.t, err)
	dir := c.t.TempDir()
	f := Files{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
	check(c.t, os.WriteFile(f.Cert, pair.Cert, 0o600))
	check(c.t, os.WriteFile(f.Key, pair.Key, 0o600))
	return f
}

// Config returns how to speak TLS as a client that trusts the authority and nobody
// else, and shows the certificate in f; of the zero Files, none. It looks for no name.
func (c *CA) Config(f Files) *tls.Config {
	c.t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(c.authority.Cert)
	conf := &tls.Config{
		RootCAs: roots, InsecureSkipVerify: true, //nolint:gosec // the chain is verified below
		VerifyConnection: func(state tls.ConnectionState) error {
			if _, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots}); err != nil {
				return &tls.CertificateVerificationError{UnverifiedCertificates: state.PeerCertificates, Err: err}
			}
			return nil
		},
	}
	if f != (Files{}) {
		pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
		check(c.t, err)
		conf.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	return conf
}

// Replace puts the content of from where f is, as an operator renews a certificate.
func (f Files) Replace(t testing.TB, from Files) {
	t.Helper()
	Copy(t, f.Cert, from.Cert)
	Copy(t, f.Key, from.Key)
}

// Copy writes the content of files, one after the other, to another.
func Copy(t testing.TB, to string, from ...string) {
	t.Helper()
	var all []byte
	for _, path := range from {
		text, err := os.ReadFile(path)
		check(t, err)
		all = append(all, text...)
	}
	check(t, os.WriteFile(to, all, 0o600))
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
