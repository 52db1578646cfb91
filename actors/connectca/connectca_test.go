package connectca

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/actor-consul/consul/messages/wire"
)

const (
	cluster = "11111111-2222-3333-4444-555555555555"
	domain  = cluster + ".consul"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 500, time.UTC)

func made(t *testing.T) (*wire.CARoot, *wire.CAConsulProviderState) {
	t.Helper()
	root, secret, err := New(cluster, noon, RootTTL)
	if err != nil {
		t.Fatal(err)
	}
	return root, secret
}

// TestLeaf has a leaf certificate checked by the root that everybody is told.
func TestLeaf(t *testing.T) {
	root, secret := made(t)
	key, csr, err := Request(domain, "dc1", "web/1 ü")
	if err != nil {
		t.Fatal(err)
	}
	cert, err := Sign(csr, secret, domain, "dc1", noon, LeafTTL)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tls.X509KeyPair([]byte(cert.CertPEM), []byte(key)); err != nil {
		t.Errorf("the key is not that of the certificate: %v", err)
	}
	block, _ := pem.Decode([]byte(cert.CertPEM))
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(root.RootCert)) {
		t.Fatal("the root is no PEM")
	}
	for when, good := range map[time.Duration]bool{-30 * time.Second: true, LeafTTL - 2*time.Minute: true, LeafTTL: false, -time.Hour: false} {
		_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: noon.Add(when), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}})
		if (err == nil) != good {
			t.Errorf("%v from now it is good: %t, %v", when, good, err)
		}
	}
	if want := "spiffe://" + domain + "/ns/default/dc/dc1/svc/web%2F1%20%C3%BC"; cert.Service != "web/1 ü" || cert.ServiceURI != want || leaf.URIs[0].String() != want {
		t.Errorf("it is for %q, %s, %s", cert.Service, cert.ServiceURI, leaf.URIs[0])
	}
	if cert.SerialNumber == "" || !cert.ValidAfter.Equal(noon.Add(-time.Minute)) || cert.PrivateKeyPEM != "" {
		t.Errorf("certificate %+v", cert)
	}
	again, err := Sign(csr, secret, domain, "dc1", noon, LeafTTL)
	if err != nil || again.SerialNumber == cert.SerialNumber {
		t.Errorf("two certificates have the serial number %s, %v", cert.SerialNumber, err)
	}
}

func TestRoot(t *testing.T) {
	root, secret := made(t)
	if root.ID == "" || root.SigningKeyID == "" || !root.Active || root.ExternalTrustDomain != cluster || root.PrivateKeyType != "ec" || root.PrivateKeyBits != 256 ||
		root.SigningKey != "" || root.NotAfter.Sub(root.NotBefore) != RootTTL {
		t.Errorf("root %+v", root)
	}
	if root.RootCert != secret.RootCert || strings.Contains(root.RootCert, "PRIVATE KEY") || !strings.Contains(secret.PrivateKey, "EC PRIVATE KEY") {
		t.Error("the root tells what is secret, or the secret is not that of the root")
	}
	block, _ := pem.Decode([]byte(root.RootCert))
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if !cert.NotBefore.Equal(root.NotBefore) || !cert.NotAfter.Equal(root.NotAfter) || cert.SerialNumber.Uint64() != root.SerialNumber || !cert.IsCA {
		t.Errorf("the certificate says %v %v %v", cert.NotBefore, cert.NotAfter, cert.SerialNumber)
	}
	if other, _ := made(t); other.ID == root.ID {
		t.Error("two roots are the same")
	}
}

func TestSignRefuses(t *testing.T) {
	_, secret := made(t)
	good := func() string {
		_, csr, err := Request(domain, "dc1", "web")
		if err != nil {
			t.Fatal(err)
		}
		return csr
	}()
	_, foreign, err := Request("x.consul", "dc1", "web")
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		csr, dc string
		secret  *wire.CAConsulProviderState
		want    string
	}{
		"no_pem":          {"x", "dc1", secret, "first PEM-block should be CERTIFICATE REQUEST type"},
		"other_pem":       {secret.RootCert, "dc1", secret, "first PEM-block should be CERTIFICATE REQUEST type"},
		"garbage":         {"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n", "dc1", secret, "the certificate request cannot be read"},
		"other_domain":    {foreign, "dc1", secret, "the certificate is for x.consul of datacenter dc1, and this is"},
		"other_dc":        {good, "dc2", secret, "and this is " + domain + " of datacenter dc2"},
		"not_ready":       {good, "dc1", nil, ErrNotReady.Error()},
		"broken_secret":   {good, "dc1", &wire.CAConsulProviderState{}, "are no PEM"},
		"broken_root":     {good, "dc1", &wire.CAConsulProviderState{RootCert: encode("CERTIFICATE", []byte("x")), PrivateKey: secret.PrivateKey}, "the root certificate cannot be read"},
		"another_kind":    {good, "dc1", &wire.CAConsulProviderState{RootCert: secret.RootCert, PrivateKey: encode("RSA PRIVATE KEY", []byte("x"))}, "none that this agent can use"},
		"without_request": {"", "dc1", secret, "first PEM-block"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Sign(tt.csr, tt.secret, domain, tt.dc, noon, LeafTTL); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("err = %v, want %q", err, tt.want)
			}
		})
	}
}

func TestParseIdentity(t *testing.T) {
	for text, want := range map[string]Identity{
		"spiffe://" + domain + "/ns/default/dc/ny1/svc/web": {domain, "ny1", "web"},
		"spiffe://x/ns/other/dc/a/svc/b%2Fc":                {"x", "a", "b/c"},
		"https://x/ns/default/dc/a/svc/b":                   {},
		"spiffe:///ns/default/dc/a/svc/b":                   {},
		"spiffe://x/ns/default/dc/a/svc/":                   {},
		"spiffe://x/ns/default/dc//svc/b":                   {},
		"spiffe://x/ns/default/dc/a/svc/b/c":                {},
		"spiffe://x/agent/client/dc/a/id/b":                 {},
		"spiffe://x":                                        {},
		"":                                                  {},
	} {
		uri, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseIdentity(uri)
		if got != want || (want == Identity{}) != errors.Is(err, ErrIdentity) {
			t.Errorf("%q is %+v, %v", text, got, err)
		}
	}
}

func TestTTLs(t *testing.T) {
	c := &wire.CAConfiguration{Config: map[string]any{"LeafCertTTL": "1h", "RootCertTTL": 5}}
	if LeafTTLOf(c) != time.Hour || RootTTLOf(c) != RootTTL || LeafTTLOf(&wire.CAConfiguration{}) != LeafTTL {
		t.Errorf("leaf %v, root %v", LeafTTLOf(c), RootTTLOf(c))
	}
}
