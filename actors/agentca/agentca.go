package agentca

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"
)

// How long things are valid unless somebody says otherwise, in days. Those of Consul.
const (
	DefaultCADays   = 5 * 365
	DefaultCertDays = 365
)

// DefaultDomain is Consul's own.
const DefaultDomain = "consul"

// backdate is how much earlier than now a certificate becomes valid, for machines
// whose clocks are behind.
const backdate = time.Minute

// ServerName is the name that the certificate of every server of a datacenter has.
func ServerName(datacenter, domain string) string {
	return Server.name(datacenter, domain)
}

// Role is what a certificate is for.
type Role string

// The roles, as they stand in names.
const (
	Server Role = "server"
	Client Role = "client" // an agent that is no server
	CLI    Role = "cli"    // a person, or a program, that speaks to agents
)

func (r Role) name(datacenter, domain string) string {
	return string(r) + "." + datacenter + "." + strings.TrimSuffix(cmp.Or(domain, DefaultDomain), ".")
}

// Pair is a certificate and its private key, in PEM.
type Pair struct{ Cert, Key []byte }

// Options say which authority is made. The zero value is a good one.
type Options struct {
	CommonName string // default: "Consul Agent CA" and the serial number
	Days       int    // default: DefaultCADays
	Domain     string // default: DefaultDomain
	ClusterID  string // a UUID, which goes into the authority's URI; empty: it has none
	// Constraints are the domains that it signs for. None: all.
	Constraints []string
}

// New makes an authority that is valid from about now on.
func New(o Options, now time.Time) (*Pair, error) {
	key, id, serial, err := newKey("authority")
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:                serial,
		Subject:                     pkix.Name{CommonName: cmp.Or(o.CommonName, fmt.Sprintf("Consul Agent CA %d", serial))},
		BasicConstraintsValid:       true,
		IsCA:                        true,
		KeyUsage:                    x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature,
		NotBefore:                   now.Add(-backdate),
		NotAfter:                    now.AddDate(0, 0, cmp.Or(o.Days, DefaultCADays)),
		AuthorityKeyId:              id,
		SubjectKeyId:                id,
		PermittedDNSDomains:         o.Constraints,
		PermittedDNSDomainsCritical: len(o.Constraints) > 0,
	}
	if o.ClusterID != "" {
		template.URIs = []*url.URL{{Scheme: "spiffe", Host: strings.ToLower(o.ClusterID + "." + cmp.Or(o.Domain, DefaultDomain))}}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make the certificate of the authority: %w", err)
	}
	return pairOf(der, key)
}

// Authority can sign certificates.
type Authority struct {
	Cert *x509.Certificate
	key  crypto.Signer
}

// Read reads an authority. It refuses a certificate that must not sign, and a key that
// is not its.
func Read(p *Pair) (*Authority, error) {
	block, _ := pem.Decode(p.Cert)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("the certificate of the authority is not one in PEM")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("the certificate of the authority cannot be read: %w", err)
	}
	if !cert.IsCA {
		return nil, fmt.Errorf("the certificate of %q is not that of an authority", cert.Subject.CommonName)
	}
	key, err := readKey(p.Key)
	if err != nil {
		return nil, err
	}
	if public, ok := cert.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); !ok || !public.Equal(key.Public()) {
		return nil, errors.New("the key is not the one of the authority's certificate")
	}
	return &Authority{Cert: cert, key: key}, nil
}

// readKey reads a private key in any of the usual forms.
func readKey(text []byte) (crypto.Signer, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("the key of the authority is not in PEM")
	}
	if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("the key of the authority cannot be read: it is a PEM block %q", block.Type)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("the key of the authority cannot sign: it is a %T", key)
	}
	return signer, nil
}

// Request says which certificate is wanted.
type Request struct {
	Role       Role   // required
	Datacenter string // required
	Domain     string // default: DefaultDomain
	Node       string // of a server: a name of its own, beside that of all servers

	// DNSNames and IPAddresses come before those that every certificate of the role
	// has. A CLI has only the latter.
	DNSNames    []string
	IPAddresses []net.IP

	NotBefore time.Time // default: about now
	NotAfter  time.Time // default: DefaultCertDays after now
}

// names returns what the certificate says of its owner.
func (r *Request) names() (dns []string, ips []net.IP) {
	own := []string{r.Role.name(r.Datacenter, r.Domain), "localhost"}
	if r.Role == CLI {
		return own, nil
	}
	dns = slices.Clone(r.DNSNames)
	if r.Node != "" {
		dns = append(dns, r.Node+"."+own[0])
	}
	return append(dns, own...), append(slices.Clone(r.IPAddresses), net.IPv4(127, 0, 0, 1))
}

// usage returns what the certificate may be used for. Agents speak to each other in both
// directions.
func (r *Request) usage() []x509.ExtKeyUsage {
	if r.Role == CLI {
		return nil // any
	}
	return []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
}

// Issue makes a certificate and its key. One that the authority's own constraints
// forbid is refused, since nobody would accept it.
func (a *Authority) Issue(r Request, now time.Time) (*Pair, error) {
	key, id, serial, err := newKey("certificate")
	if err != nil {
		return nil, err
	}
	dns, ips := r.names()
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: r.Role.name(r.Datacenter, r.Domain)},
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage:           r.usage(),
		NotBefore:             orTime(r.NotBefore, now.Add(-backdate)),
		NotAfter:              orTime(r.NotAfter, now.AddDate(0, 0, DefaultCertDays)),
		SubjectKeyId:          id,
		DNSNames:              dns,
		IPAddresses:           ips,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.Cert, key.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("make the certificate: %w", err)
	}
	if err := a.check(der, template); err != nil {
		return nil, err
	}
	return pairOf(der, key)
}

// check looks at a new certificate as others will.
func (a *Authority) check(der []byte, template *x509.Certificate) error {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return fmt.Errorf("the new certificate cannot be read: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(a.Cert)
	_, err = cert.Verify(x509.VerifyOptions{
		DNSName: template.Subject.CommonName, Roots: roots,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}, CurrentTime: template.NotBefore.Add(backdate),
	})
	if err != nil {
		return fmt.Errorf("nobody would accept the certificate: %w", err)
	}
	return nil
}

func orTime(t, otherwise time.Time) time.Time {
	if t.IsZero() {
		return otherwise
	}
	return t
}

func pairOf(der []byte, key *ecdsa.PrivateKey) (*Pair, error) {
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode a key: %w", err)
	}
	return &Pair{
		Cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		Key:  pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private}),
	}, nil
}

// newKey makes a key for what is named, with its ID and a serial number for the
// certificate.
func newKey(what string) (key *ecdsa.PrivateKey, id []byte, serial *big.Int, err error) {
	if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, nil, nil, fmt.Errorf("make the key of the %s: %w", what, err)
	}
	if id, err = idOf(key.Public()); err != nil {
		return nil, nil, nil, err
	}
	serial, err = newSerial()
	return key, id, serial, err
}

// newSerial returns a random serial number of at most 128 bits.
func newSerial() (*big.Int, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 128))
	if err != nil {
		return nil, fmt.Errorf("choose a serial number: %w", err)
	}
	return serial, nil
}

// idOf returns the ID of a key.
func idOf(public any) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("a certificate needs a public key: %w", err)
	}
	id := sha256.Sum256(der)
	return id[:], nil
}
