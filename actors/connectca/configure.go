package connectca

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // the name of a root, as Consul makes it
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/actor-consul/consul/messages/wire"
)

// The bounds of what can be configured. Those of Consul.
const (
	minLeafTTL      = time.Hour
	maxLeafTTL      = 365 * 24 * time.Hour
	intermediateTTL = 365 * 24 * time.Hour // unless configured
)

// crossTTL is how long a new root is vouched for by the one before it.
const crossTTL = 7 * 24 * time.Hour

// State is the certificate authority as it is in force.
type State struct {
	Roots  []*wire.CARoot
	Secret *wire.CAConsulProviderState // of the active root
	Config *wire.CAConfiguration
}

// Active returns the root that leaf certificates are signed with, nil if there is
// none.
func (s *State) Active() *wire.CARoot {
	if i := slices.IndexFunc(s.Roots, func(r *wire.CARoot) bool { return r.Active }); i >= 0 {
		return s.Roots[i]
	}
	return nil
}

// Configure returns the state that follows from a new configuration; was stays as it
// is. A RootCert or PrivateKey that is not the active one makes another root, which
// the one before it vouches for; that one stays trusted for as long as leaf
// certificates of it may be about, and is left out by the first change of root after
// that.
//
// A configuration is kept without the private key, which is in the secret alone.
func Configure(was *State, want *wire.CAConfiguration, now time.Time) (*State, error) {
	active := was.Active()
	if was.Config == nil || active == nil || was.Secret == nil {
		return nil, ErrNotReady
	}
	config, err := normal(was.Config, want)
	if err != nil {
		return nil, err
	}
	is := &State{Config: config, Secret: was.Secret}
	for _, r := range was.Roots {
		if r.Active || now.Before(r.RotatedOutAt.Add(2*LeafTTLOf(was.Config))) {
			is.Roots = append(is.Roots, r)
		}
	}
	keyPEM, certPEM := text(want, "PrivateKey"), text(want, "RootCert")
	if same(keyPEM, was.Secret.PrivateKey) && same(certPEM, was.Secret.RootCert) {
		return is, nil
	}
	root, secret, err := rootOf(config, keyPEM, certPEM, now)
	if err != nil {
		return nil, err
	}
	cross, err := crossSign(root, was.Secret, now)
	if err != nil {
		return nil, err
	}
	root.IntermediateCerts = []string{cross}
	is.Secret = secret
	for i, r := range is.Roots {
		if r.Active {
			out := *r
			out.Active, out.RotatedOutAt = false, now
			is.Roots[i] = &out
		}
	}
	is.Roots = append(slices.DeleteFunc(is.Roots, func(r *wire.CARoot) bool { return r.ID == root.ID }), root)
	return is, nil
}

// same says whether a PEM of a configuration is the one in force, or left out.
func same(given, inForce string) bool {
	return given == "" || strings.TrimSpace(given) == strings.TrimSpace(inForce)
}

// normal checks a configuration and returns what is kept of it.
func normal(was, want *wire.CAConfiguration) (*wire.CAConfiguration, error) {
	if p := cmp.Or(want.Provider, Provider); p != Provider {
		return nil, fmt.Errorf("the provider %q is not there: this agent has %q alone, which is built in", p, Provider)
	}
	config := *want
	config.Provider, config.ClusterID, config.State = Provider, was.ClusterID, nil
	config.RaftIndex = was.RaftIndex
	config.Config = maps.Clone(want.Config)
	if config.Config == nil {
		config.Config = map[string]any{}
	}
	delete(config.Config, "PrivateKey")
	if state, ok := config.Config["test_state"].(map[string]any); ok { // Consul's provider keeps it, to test who reads it
		delete(config.Config, "test_state")
		config.State = map[string]string{}
		for key, value := range state {
			config.State[key] = fmt.Sprint(value)
		}
	}
	for _, key := range []string{"LeafCertTTL", "IntermediateCertTTL", "RootCertTTL"} {
		if ttl, err := ttlIn(&config, key); err != nil {
			return nil, err
		} else if ttl > 0 {
			config.Config[key] = ttl.String()
		}
	}
	leaf, intermediate, root := LeafTTLOf(&config), ttlOf(&config, "IntermediateCertTTL", intermediateTTL), RootTTLOf(&config)
	switch {
	case leaf < minLeafTTL:
		return nil, fmt.Errorf("leaf cert TTL must be greater or equal than %s, and is %s", minLeafTTL, leaf)
	case leaf > maxLeafTTL:
		return nil, fmt.Errorf("leaf cert TTL must be less than %s, and is %s", maxLeafTTL, leaf)
	case intermediate < 3*leaf:
		return nil, fmt.Errorf("Intermediate Cert TTL must be greater or equal than 3 * LeafCertTTL (>=%s)", 3*leaf)
	case root <= intermediate:
		return nil, fmt.Errorf("root cert TTL is set and is not greater than intermediate cert ttl. root cert ttl: %s, intermediate cert ttl: %s", root, intermediate)
	}
	return &config, nil
}

// ttlIn reads a duration, which may be a text, or a number of nanoseconds as the
// official client writes it; 0: there is none.
func ttlIn(c *wire.CAConfiguration, key string) (time.Duration, error) {
	switch v := c.Config[key].(type) {
	case nil:
		return 0, nil
	case float64:
		return time.Duration(v), nil
	case int64:
		return time.Duration(v), nil
	case uint64:
		return time.Duration(v), nil //nolint:gosec // what is too great is negative, and refused
	case string:
		ttl, err := time.ParseDuration(v)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", key, err)
		}
		return ttl, nil
	default:
		return 0, fmt.Errorf("%s is a %T, want a duration such as \"72h\"", key, v)
	}
}

func text(c *wire.CAConfiguration, key string) string {
	s, _ := c.Config[key].(string)
	return strings.TrimSpace(s)
}

// rootOf makes the root of what was configured: with its key, or one that is made.
func rootOf(c *wire.CAConfiguration, keyPEM, certPEM string, now time.Time) (*wire.CARoot, *wire.CAConsulProviderState, error) {
	if keyPEM == "" {
		return nil, nil, errors.New("a RootCert needs its PrivateKey")
	}
	if certPEM != "" {
		return given(c, keyPEM, certPEM)
	}
	block, _ := pem.Decode([]byte(keyPEM))
	if block == nil {
		return nil, nil, errors.New("PrivateKey is no PEM")
	}
	key, err := x509.ParseECPrivateKey(block.Bytes)
	if err != nil {
		return nil, nil, fmt.Errorf("PrivateKey has to be an EC key (\"EC PRIVATE KEY\"): %w", err)
	}
	root, secret, err := newRoot(c.ClusterID, key, now, RootTTLOf(c))
	if err == nil {
		c.Config["RootCert"] = secret.RootCert
	}
	return root, secret, err
}

// given makes a root of a certificate that somebody has made.
func given(c *wire.CAConfiguration, keyPEM, certPEM string) (*wire.CARoot, *wire.CAConsulProviderState, error) {
	certPEM += "\n"
	secret := &wire.CAConsulProviderState{ID: stateID(certPEM), PrivateKey: keyPEM + "\n", RootCert: certPEM}
	cert, key, err := readCA(secret)
	switch {
	case err != nil:
		return nil, nil, err
	case !key.PublicKey.Equal(cert.PublicKey):
		return nil, nil, errors.New("PrivateKey is not the key of RootCert")
	case !cert.IsCA:
		return nil, nil, errors.New("RootCert is not the certificate of an authority")
	case len(cert.URIs) != 1 || cert.URIs[0].Scheme != "spiffe" || cert.URIs[0].Host != c.TrustDomain():
		return nil, nil, fmt.Errorf("RootCert has to be for spiffe://%s, the trust domain of this cluster", c.TrustDomain())
	}
	c.Config["RootCert"] = certPEM
	return describe(c.ClusterID, cert, key, certPEM), secret, nil
}

// describe returns what others are told of a root.
func describe(clusterID string, cert *x509.Certificate, key *ecdsa.PrivateKey, certPEM string) *wire.CARoot {
	name := sha1.Sum(cert.Raw) //nolint:gosec // as above
	return &wire.CARoot{
		ID: hexadecimal(name[:]), Name: "Consul CA Primary Cert", SerialNumber: cert.SerialNumber.Uint64(),
		SigningKeyID: hexadecimal(cert.SubjectKeyId), ExternalTrustDomain: clusterID,
		NotBefore: cert.NotBefore, NotAfter: cert.NotAfter,
		RootCert: certPEM, Active: true, PrivateKeyType: "ec", PrivateKeyBits: key.Params().BitSize,
	}
}

// stateID names a secret. Consul finds its state under the hash of what it was
// configured with.
func stateID(certPEM string) string {
	id := sha256.Sum256([]byte("," + certPEM + ",ec,256,true"))
	return hexadecimal(id[:])
}

// crossSign returns a certificate of the root's key that is signed by the authority
// before it, for those who have not heard of the root yet.
func crossSign(root *wire.CARoot, by *wire.CAConsulProviderState, now time.Time) (string, error) {
	signer, key, err := readCA(by)
	if err != nil {
		return "", err
	}
	block, _ := pem.Decode([]byte(root.RootCert))
	template, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return "", fmt.Errorf("the root certificate cannot be read: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 62))
	if err != nil {
		return "", fmt.Errorf("choose a serial number: %w", err)
	}
	template.SerialNumber, template.AuthorityKeyId, template.SignatureAlgorithm = serial, signer.SubjectKeyId, 0
	template.NotBefore, template.NotAfter = now.Add(-backdate), now.Add(crossTTL)
	der, err := x509.CreateCertificate(rand.Reader, template, signer, template.PublicKey, key)
	if err != nil {
		return "", fmt.Errorf("have the new root certificate vouched for by the old one: %w", err)
	}
	return encode("CERTIFICATE", der), nil
}
