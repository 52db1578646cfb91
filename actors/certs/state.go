package certs

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/actor-consul/consul/messages"
)

// rules are what certificates are judged by, beside the configuration.
type rules struct {
	server     bool   // this agent is one
	serverName string // which its certificate then has to be for, if anybody looks
}

// set is all that connections need, as of one load. Nobody changes it.
type set struct {
	rpc, https side

	incoming *tls.Config // for port 8300; nil: there is no certificate
	outgoing *tls.Config // for the port 8300 of others; nil: without TLS
	web      *tls.Config // for HTTPS; nil: there is no certificate
	checks   *tls.Config // for the services of this agent

	dated []dated
	print [sha256.Size]byte // differs when anything does
}

// side is a section with what its files hold.
type side struct {
	messages.TLSSection
	cert  *tls.Certificate // nil: none
	roots *x509.CertPool   // nil: none
	dated dated            // the certificate's, if there is one
}

// judge makes a set of what was read, or says what is wrong with it, and what is odd.
func judge(rpc, https *material, r rules, now time.Time) (s *set, odd []string, err error) {
	s = &set{}
	if s.rpc, err = s.side(rpc, now, &odd); err == nil {
		err = checkRPC(&s.rpc, r)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("tls.internal_rpc: %w", err)
	}
	if s.https, err = s.side(https, now, &odd); err == nil {
		err = checkIncoming(&s.https)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("tls.https: %w", err)
	}
	s.incoming, s.outgoing, s.web, s.checks = incoming(&s.rpc), outgoing(&s.rpc), web(&s.https), dialling(&s.rpc)
	s.print = fingerprint(rpc, https)
	s.dated = distinct(s.dated)
	return s, slices.Compact(slices.Sorted(slices.Values(odd))), nil
}

// side reads what the files of a section hold.
func (s *set) side(m *material, now time.Time, odd *[]string) (side, error) {
	it := side{TLSSection: m.section}
	roots, err := readAuthorities(m, now, odd)
	if err != nil {
		return it, err
	}
	if len(roots) > 0 {
		it.roots = x509.NewCertPool()
	}
	for _, d := range roots {
		it.roots.AddCert(d.cert)
		s.dated = append(s.dated, d)
	}
	switch {
	case m.section.CertFile == "" && m.section.KeyFile == "":
		return it, nil
	case m.section.KeyFile == "":
		return it, fmt.Errorf("cert_file %s is set without key_file: set the key that belongs to it", m.section.CertFile)
	case m.section.CertFile == "":
		return it, fmt.Errorf("key_file %s is set without cert_file: set the certificate that belongs to it", m.section.KeyFile)
	}
	if it.cert, err = readPair(m); err != nil {
		return it, err
	}
	it.dated = dateOf(it.cert.Leaf, m.cert.path, true)
	if err := it.dated.check(now); err != nil {
		return it, err
	}
	s.dated = append(s.dated, it.dated)
	if it.roots != nil && verify(it.cert.Leaf, it.cert.Certificate[1:], it.roots, "", now, x509.ExtKeyUsageAny) != nil {
		*odd = append(*odd, fmt.Sprintf("the certificate in %s is not signed by an authority that this agent itself trusts; others may trust another", m.cert.path))
	}
	return it, nil
}

// readAuthorities returns the certificates of the authorities. Some of them may have
// expired, as long as one has not.
func readAuthorities(m *material, now time.Time, odd *[]string) (all []dated, err error) {
	valid := 0
	for _, f := range m.authorities {
		certs, err := readCertificates(f.text)
		if err != nil {
			return nil, fmt.Errorf("a certificate in %s cannot be read: %w", f.path, err)
		}
		for _, c := range certs {
			d := dateOf(c, f.path, false)
			all = append(all, d)
			if err := d.check(now); err != nil {
				*odd = append(*odd, err.Error())
				continue
			}
			valid++
		}
	}
	key, path := "ca_file", m.section.CAFile
	if path == "" {
		key, path = "ca_path", m.section.CAPath
	}
	switch {
	case path == "":
		return nil, nil
	case len(all) == 0:
		return nil, fmt.Errorf("%s %s holds no certificate in PEM", key, path)
	case valid == 0:
		return nil, all[0].check(now)
	}
	return all, nil
}

// readCertificates returns the certificates among the blocks of a file.
func readCertificates(text []byte) (all []*x509.Certificate, err error) {
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return all, nil
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
}

// readPair reads a certificate and its key.
func readPair(m *material) (*tls.Certificate, error) {
	if certs, err := readCertificates(m.cert.text); err != nil || len(certs) == 0 {
		return nil, fmt.Errorf("cert_file %s holds no certificate in PEM that can be read%s", m.cert.path, because(err))
	}
	pair, err := tls.X509KeyPair(m.cert.text, m.key.text)
	switch {
	case err == nil:
		return &pair, nil
	case strings.Contains(err.Error(), "does not match"):
		return nil, fmt.Errorf("key_file %s is not the key of the certificate in cert_file %s", m.key.path, m.cert.path)
	default:
		return nil, fmt.Errorf("key_file %s holds no private key in PEM that can be read: %w", m.key.path, err)
	}
}

func because(err error) string {
	if err == nil {
		return ""
	}
	return ": " + err.Error()
}

// What verifying needs.
var (
	errNoAuthority   = errors.New("is set, but neither ca_file nor ca_path: nobody could be verified")
	errNoCertificate = errors.New("is set, but not cert_file and key_file: nobody could speak TLS to this agent")
)

func checkIncoming(s *side) error {
	switch {
	case !s.VerifyIncoming:
		return nil
	case s.roots == nil:
		return fmt.Errorf("verify_incoming %w", errNoAuthority)
	case s.cert == nil:
		return fmt.Errorf("verify_incoming %w", errNoCertificate)
	}
	return nil
}

func checkRPC(s *side, r rules) error {
	if err := checkIncoming(s); err != nil {
		return err
	}
	switch {
	case s.VerifyOutgoing && s.roots == nil:
		return fmt.Errorf("verify_outgoing %w", errNoAuthority)
	case s.VerifyServerHostname && s.roots == nil:
		return fmt.Errorf("verify_server_hostname %w", errNoAuthority)
	case !s.VerifyServerHostname || !r.server:
		return nil
	case s.cert == nil:
		return fmt.Errorf("verify_server_hostname %w", errNoCertificate)
	}
	if err := s.cert.Leaf.VerifyHostname(r.serverName); err != nil {
		return fmt.Errorf("verify_server_hostname is set, and the certificate in %s is not for %s but for %s: nobody would take this agent for a server; `consul tls cert create -server` makes one",
			s.CertFile, r.serverName, strings.Join(s.cert.Leaf.DNSNames, ", "))
	}
	return nil
}

// verify says why a certificate is not to be trusted. An empty name is any.
func verify(leaf *x509.Certificate, chain [][]byte, roots *x509.CertPool, name string, now time.Time, usage x509.ExtKeyUsage) error {
	opts := x509.VerifyOptions{
		DNSName: name, Roots: roots, Intermediates: x509.NewCertPool(), CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{usage},
	}
	for _, der := range chain {
		if c, err := x509.ParseCertificate(der); err == nil {
			opts.Intermediates.AddCert(c)
		}
	}
	_, err := leaf.Verify(opts)
	return err
}

func fingerprint(all ...*material) (sum [sha256.Size]byte) {
	h := sha256.New()
	for _, m := range all {
		fmt.Fprintf(h, "%#v\n", m.section)
		for _, f := range append([]file{m.cert, m.key}, m.authorities...) {
			fmt.Fprintf(h, "%q %d ", f.path, len(f.text))
			h.Write(f.text)
		}
	}
	h.Sum(sum[:0])
	return sum
}
