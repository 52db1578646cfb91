// Package connectca is the certificate authority of the service mesh that is built
// in: it makes the root of a cluster, and signs the identities of services with it.
//
//	supervisor ──New──▶ root and key, which the leader puts into the replicated state
//	endpoint   ──Sign─▶ a leaf certificate
//	http       ──Request──▶ the key of a leaf, and what is to be signed
//
// It is not an actor and keeps nothing. Identities are SPIFFE's:
// https://spiffe.io/docs/latest/spiffe-about/spiffe-concepts/#spiffe-id. There is one
// active root, which signs leaf certificates itself; Configure makes another of it.
package connectca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/actor-consul/consul/messages/wire"
)

// Provider is what Consul calls the authority that is built in.
const Provider = "consul"

// How long certificates are valid unless the configuration says otherwise. Those of
// Consul.
const (
	RootTTL = 10 * 365 * 24 * time.Hour
	LeafTTL = 72 * time.Hour
)

// backdate is how much earlier than now a certificate becomes valid, for machines
// whose clocks are behind.
const backdate = time.Minute

// rootSerial is the serial number of a root. Any would do; Consul begins with it.
const rootSerial = 7

// The refusals of what cannot be signed.
var (
	// ErrNotReady is returned before the leader has made the root.
	ErrNotReady = errors.New("CA has not finished initializing")
	// ErrIdentity is returned when a URI is not the identity of a service.
	ErrIdentity = errors.New("ClientCertURI not a valid Service identifier")
)

// New makes the root of a cluster, valid for ttl from about now, and what has to be
// kept secret of it.
func New(clusterID string, now time.Time, ttl time.Duration) (*wire.CARoot, *wire.CAConsulProviderState, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make the key of the root certificate: %w", err)
	}
	root, secret, err := newRoot(clusterID, key, now, ttl)
	if err == nil {
		secret.ID = stateID("") // nothing was configured
	}
	return root, secret, err
}

// newRoot makes the root of a key.
func newRoot(clusterID string, key *ecdsa.PrivateKey, now time.Time, ttl time.Duration) (*wire.CARoot, *wire.CAConsulProviderState, error) {
	keyID, err := idOf(&key.PublicKey)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(rootSerial),
		Subject:               pkix.Name{CommonName: commonName(clusterID)},
		URIs:                  []*url.URL{{Scheme: "spiffe", Host: clusterID + ".consul"}},
		BasicConstraintsValid: true,
		IsCA:                  true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature,
		NotBefore:             now.Add(-backdate).UTC().Truncate(time.Second),
		NotAfter:              now.Add(ttl - backdate).UTC().Truncate(time.Second),
		AuthorityKeyId:        keyID,
		SubjectKeyId:          keyID,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, nil, fmt.Errorf("make the root certificate: %w", err)
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, fmt.Errorf("read the root certificate: %w", err)
	}
	certPEM := encode("CERTIFICATE", der)
	return describe(clusterID, cert, key, certPEM), &wire.CAConsulProviderState{ID: stateID(certPEM), PrivateKey: keyPEM, RootCert: certPEM}, nil
}

// commonName names a root after the cluster and a random number.
func commonName(clusterID string) string {
	var random [8]byte
	rand.Read(random[:]) //nolint:errcheck // it never fails
	id := strconv.FormatUint(binary.LittleEndian.Uint64(random[:]), 36)
	return fmt.Sprintf("pri-%s.consul.ca.%s.consul", id[:min(8, len(id))], clusterID[:min(8, len(clusterID))])
}

// Request makes a key for a service, and the request to sign its certificate.
func Request(trustDomain, datacenter, service string) (keyPEM, csrPEM string, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", fmt.Errorf("make the key of a leaf certificate: %w", err)
	}
	template := &x509.CertificateRequest{URIs: []*url.URL{Identity{trustDomain, datacenter, service}.URI()}}
	der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		return "", "", fmt.Errorf("make the request for a leaf certificate: %w", err)
	}
	keyPEM, err = encodeKey(key)
	return keyPEM, encode("CERTIFICATE REQUEST", der), err
}

// Sign signs a request for the certificate of a service with the root, valid for ttl
// from now. The request must be for a service of the trust domain and the datacenter.
func Sign(csrPEM string, ca *wire.CAConsulProviderState, trustDomain, datacenter string, now time.Time, ttl time.Duration) (*wire.IssuedCert, error) {
	csr, who, err := readRequest(csrPEM)
	if err != nil {
		return nil, err
	}
	if who.TrustDomain != trustDomain || who.Datacenter != datacenter {
		return nil, fmt.Errorf("the certificate is for %s of datacenter %s, and this is %s of datacenter %s", who.TrustDomain, who.Datacenter, trustDomain, datacenter)
	}
	root, key, err := readCA(ca)
	if err != nil {
		return nil, err
	}
	keyID, err := idOf(csr.PublicKey)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 62))
	if err != nil {
		return nil, fmt.Errorf("choose a serial number: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		URIs:                  []*url.URL{who.URI()},
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDataEncipherment | x509.KeyUsageKeyAgreement | x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(ttl - backdate),
		AuthorityKeyId:        root.SubjectKeyId,
		SubjectKeyId:          keyID,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, root, csr.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("sign the certificate of service %q: %w", who.Service, err)
	}
	return &wire.IssuedCert{
		SerialNumber: hexadecimal(serial.Bytes()), CertPEM: encode("CERTIFICATE", der),
		Service: who.Service, ServiceURI: who.URI().String(),
		ValidAfter: template.NotBefore.UTC(), ValidBefore: template.NotAfter.UTC(),
	}, nil
}

// LeafTTLOf returns how long leaf certificates are valid.
func LeafTTLOf(c *wire.CAConfiguration) time.Duration {
	return ttlOf(c, "LeafCertTTL", LeafTTL)
}

// RootTTLOf returns how long a root is valid.
func RootTTLOf(c *wire.CAConfiguration) time.Duration {
	return ttlOf(c, "RootCertTTL", RootTTL)
}

func ttlOf(c *wire.CAConfiguration, key string, usual time.Duration) time.Duration {
	if ttl, err := ttlIn(c, key); err == nil && ttl > 0 {
		return ttl
	}
	return usual
}

// Identity is who a certificate is for: a service.
type Identity struct{ TrustDomain, Datacenter, Service string }

// URI writes the identity as SPIFFE does.
func (i Identity) URI() *url.URL {
	return &url.URL{
		Scheme: "spiffe", Host: i.TrustDomain,
		Path:    "/ns/default/dc/" + i.Datacenter + "/svc/" + i.Service,
		RawPath: "/ns/default/dc/" + url.PathEscape(i.Datacenter) + "/svc/" + url.PathEscape(i.Service),
	}
}

// ParseIdentity reads the URI of a service.
func ParseIdentity(uri *url.URL) (Identity, error) {
	parts := strings.Split(uri.EscapedPath(), "/")
	if uri.Scheme != "spiffe" || uri.Host == "" || len(parts) != 7 || parts[0] != "" || parts[1] != "ns" || parts[3] != "dc" || parts[5] != "svc" {
		return Identity{}, ErrIdentity
	}
	i := Identity{TrustDomain: uri.Host}
	for _, p := range []struct {
		at   int
		into *string
	}{{4, &i.Datacenter}, {6, &i.Service}} {
		text, err := url.PathUnescape(parts[p.at])
		if err != nil || text == "" {
			return Identity{}, ErrIdentity
		}
		*p.into = text
	}
	return i, nil
}

func readRequest(csrPEM string) (*x509.CertificateRequest, Identity, error) {
	block, _ := pem.Decode([]byte(csrPEM))
	if block == nil || block.Type != "CERTIFICATE REQUEST" {
		return nil, Identity{}, errors.New("first PEM-block should be CERTIFICATE REQUEST type")
	}
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err == nil {
		err = csr.CheckSignature()
	}
	if err != nil {
		return nil, Identity{}, fmt.Errorf("the certificate request cannot be read: %w", err)
	}
	if len(csr.URIs) != 1 {
		return nil, Identity{}, fmt.Errorf("the certificate request has %d identities, want one", len(csr.URIs))
	}
	who, err := ParseIdentity(csr.URIs[0])
	return csr, who, err
}

func readCA(ca *wire.CAConsulProviderState) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	if ca == nil {
		return nil, nil, ErrNotReady
	}
	cert, _ := pem.Decode([]byte(ca.RootCert))
	key, _ := pem.Decode([]byte(ca.PrivateKey))
	if cert == nil || key == nil {
		return nil, nil, errors.New("the root certificate and its key are no PEM")
	}
	root, err := x509.ParseCertificate(cert.Bytes)
	if err != nil {
		return nil, nil, fmt.Errorf("the root certificate cannot be read: %w", err)
	}
	private, err := x509.ParseECPrivateKey(key.Bytes)
	if err != nil {
		return nil, nil, fmt.Errorf("the key of the root certificate is none that this agent can use: %w", err)
	}
	return root, private, nil
}

func encodeKey(key *ecdsa.PrivateKey) (string, error) {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return "", fmt.Errorf("encode a key: %w", err)
	}
	return encode("EC PRIVATE KEY", der), nil
}

func encode(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
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

// hexadecimal writes bytes with colons.
func hexadecimal(b []byte) string { return strings.ReplaceAll(fmt.Sprintf("% x", b), " ", ":") }
