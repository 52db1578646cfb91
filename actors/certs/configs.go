package certs

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"time"
)

// protocols are what is spoken over HTTPS.
var protocols = []string{"h2", "http/1.1"}

// basic returns what all configurations share. Sessions are not resumed: a certificate
// that is not trusted any more is not to be trusted again for an old ticket.
func (s *side) basic() *tls.Config {
	conf := &tls.Config{
		MinVersion: cmp.Or(s.MinVersion, tls.VersionTLS12), CipherSuites: s.CipherSuites,
		RootCAs: s.roots, ClientCAs: s.roots, SessionTicketsDisabled: true,
	}
	if s.cert != nil {
		conf.Certificates = []tls.Certificate{*s.cert}
	}
	return conf
}

// incoming asks for a certificate also where none is demanded: who is to act as a
// server is asked for it later.
func incoming(s *side) *tls.Config {
	if s.cert == nil {
		return nil
	}
	conf := s.basic()
	switch {
	case s.VerifyIncoming:
		conf.ClientAuth = tls.RequireAndVerifyClientCert
	case s.roots != nil:
		conf.ClientAuth = tls.RequestClientCert
	}
	return conf
}

// dialling shows the certificate whatever authorities the server names: its refusal
// says more than our silence.
func dialling(s *side) *tls.Config {
	conf := s.basic()
	conf.Certificates = nil
	conf.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		if s.cert == nil {
			return &tls.Certificate{}, nil
		}
		return s.cert, nil
	}
	return conf
}

func outgoing(s *side) *tls.Config {
	if !s.VerifyOutgoing && !s.VerifyServerHostname {
		return nil
	}
	conf := dialling(s)
	if !s.VerifyServerHostname { // then its certificate may be for any name
		roots := s.roots
		conf.InsecureSkipVerify = true //nolint:gosec // what follows is the verification
		conf.VerifyConnection = func(state tls.ConnectionState) error {
			if err := verifyPeer(&state, roots, "", x509.ExtKeyUsageServerAuth); err != nil {
				return &tls.CertificateVerificationError{UnverifiedCertificates: state.PeerCertificates, Err: err}
			}
			return nil
		}
	}
	return conf
}

func web(s *side) *tls.Config {
	if s.cert == nil {
		return nil
	}
	conf := s.basic()
	conf.NextProtos = protocols
	if s.VerifyIncoming {
		conf.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return conf
}

func verifyPeer(state *tls.ConnectionState, roots *x509.CertPool, name string, usage x509.ExtKeyUsage) error {
	chain := make([][]byte, 0, len(state.PeerCertificates))
	for _, c := range state.PeerCertificates[1:] {
		chain = append(chain, c.Raw)
	}
	return verify(state.PeerCertificates[0], chain, roots, name, time.Now(), usage)
}
