package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/actor-consul/consul/actors/agentca"
	"github.com/actor-consul/consul/messages"
)

// Keychain is where connections take their certificates from: always the newest. Any
// number of goroutines may use it. The actor fills it.
type Keychain struct {
	newest             messages.Published[set]
	datacenter, domain string
}

// NewKeychain returns a keychain of an agent of that datacenter; domain is that of its
// DNS. It is empty.
func NewKeychain(datacenter, domain string) *Keychain {
	return &Keychain{datacenter: datacenter, domain: domain}
}

func (k *Keychain) ownName() string { return agentca.ServerName(k.datacenter, k.domain) }

// Incoming returns how to speak TLS to who connects to port 8300; nil when there is no
// certificate for it.
func (k *Keychain) Incoming() *tls.Config {
	if s := k.newest.Load(); s != nil {
		return s.incoming
	}
	return nil
}

// AllowsPlain says whether who connects to port 8300 may do without TLS.
func (k *Keychain) AllowsPlain() bool {
	s := k.newest.Load()
	return s != nil && !s.rpc.VerifyIncoming
}

// AuthorizeServer says why the one at the other end of a connection does not pass for a
// server of this datacenter; nil when it does, or when nobody is to be asked for that
// (verify_server_hostname is not set). The state is nil without TLS.
//
// In Consul it needs verify_incoming as well; see CVE-2021-37219.
func (k *Keychain) AuthorizeServer(state *tls.ConnectionState) error {
	s := k.newest.Load()
	switch {
	case s == nil:
		return errNotLoaded
	case !s.rpc.VerifyServerHostname:
		return nil
	case state == nil || len(state.PeerCertificates) == 0:
		return fmt.Errorf("it has shown no certificate, and verify_server_hostname wants one for %s", k.ownName())
	}
	peer := state.PeerCertificates[0]
	if err := verifyPeer(state, s.rpc.roots, k.ownName(), x509.ExtKeyUsageClientAuth); err != nil {
		return fmt.Errorf("its certificate (%s) is not that of a server: %w", peer.Subject.CommonName, err)
	}
	return nil
}

// Outgoing returns how to speak TLS to the port 8300 of a server of a datacenter; nil
// when that is done without TLS. The name of the server is in it where it matters.
func (k *Keychain) Outgoing(datacenter string) (*tls.Config, error) {
	s := k.newest.Load()
	switch {
	case s == nil:
		return nil, errNotLoaded
	case s.outgoing == nil || !s.rpc.VerifyServerHostname:
		return s.outgoing, nil
	}
	conf := s.outgoing.Clone()
	conf.ServerName = agentca.ServerName(datacenter, k.domain)
	return conf, nil
}

// Checks returns how to speak TLS to a service that is checked: with the authorities
// and the certificate of port 8300, whatever else is to be verified there. Without
// authorities they are those of the system. No name is in it.
func (k *Keychain) Checks() *tls.Config {
	if s := k.newest.Load(); s != nil {
		return s.checks
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool()} // nobody passes
}

// HTTPS returns how to speak TLS to who connects to the HTTPS port. It is for the life
// of the listener: each connection takes the newest certificates.
func (k *Keychain) HTTPS() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: protocols,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			if s := k.newest.Load(); s != nil && s.web != nil {
				return s.web, nil
			}
			return nil, errNoWeb
		},
	}
}

var (
	errNotLoaded = errors.New("the certificates are not loaded yet")
	errNoWeb     = errors.New("this agent has no certificate for HTTPS: set tls.https.cert_file and key_file, or those of tls.defaults")
)
