package config

import (
	"crypto/tls"
	"slices"
	"strings"
)

// TLS is how the agent speaks TLS. After resolution, what the sections leave open is
// what Defaults say.
type TLS struct {
	Defaults    TLSSection `config:"defaults"`
	InternalRPC TLSSection `config:"internal_rpc"`
	HTTPS       TLSHTTPS   `config:"https"`
}

// TLSSection is TLS for one purpose.
type TLSSection struct {
	CAFile               string `config:"ca_file"`
	CAPath               string `config:"ca_path"`
	CertFile             string `config:"cert_file"`
	KeyFile              string `config:"key_file"`
	MinVersion           string `config:"tls_min_version"`
	CipherSuites         string `config:"tls_cipher_suites"` // separated by commas
	VerifyIncoming       bool   `config:"verify_incoming"`
	VerifyOutgoing       bool   `config:"verify_outgoing"`
	VerifyServerHostname bool   `config:"verify_server_hostname"`
}

// TLSHTTPS is a TLSSection for those who come in only.
type TLSHTTPS struct {
	CAFile         string `config:"ca_file"`
	CAPath         string `config:"ca_path"`
	CertFile       string `config:"cert_file"`
	KeyFile        string `config:"key_file"`
	MinVersion     string `config:"tls_min_version"`
	CipherSuites   string `config:"tls_cipher_suites"`
	VerifyIncoming bool   `config:"verify_incoming"`
}

// MinVersionID is MinVersion as crypto/tls has it.
func (s *TLSSection) MinVersionID() uint16 { return tlsVersions[s.MinVersion] }

// CipherSuiteIDs are CipherSuites as crypto/tls has them; nil for the usual ones.
func (s *TLSSection) CipherSuiteIDs() []uint16 {
	ids, _ := cipherSuites(s.CipherSuites)
	return ids
}

// Section is the same with what is not for HTTPS left out.
func (h *TLSHTTPS) Section() *TLSSection {
	return &TLSSection{
		CAFile: h.CAFile, CAPath: h.CAPath, CertFile: h.CertFile, KeyFile: h.KeyFile,
		MinVersion: h.MinVersion, CipherSuites: h.CipherSuites, VerifyIncoming: h.VerifyIncoming,
	}
}

// tlsVersions are the versions by Consul's names of today; those of former days are in oldVersions.
var tlsVersions = map[string]uint16{
	"TLS_AUTO": 0, "TLSv1_0": tls.VersionTLS10, "TLSv1_1": tls.VersionTLS11, "TLSv1_2": tls.VersionTLS12, "TLSv1_3": tls.VersionTLS13,
}

var oldVersions = map[string]string{"": "TLS_AUTO", "tls10": "TLSv1_0", "tls11": "TLSv1_1", "tls12": "TLSv1_2", "tls13": "TLSv1_3"}

// cipherSuites reads a list of names, and answers the first that is none of the suites that may be chosen.
func cipherSuites(list string) (ids []uint16, unknown string) {
	for name := range strings.SplitSeq(list, ",") {
		name = strings.TrimSpace(name)
		i := slices.IndexFunc(tls.CipherSuites(), func(s *tls.CipherSuite) bool {
			return s.Name == name && slices.Contains(s.SupportedVersions, tls.VersionTLS12)
		})
		switch {
		case i >= 0:
			ids = append(ids, tls.CipherSuites()[i].ID)
		case name != "":
			return nil, name
		}
	}
	return ids, ""
}

const tlsDefaults = "tls.defaults."

// inheritTLS gives the sections of tls what the defaults say and they do not.
func inheritTLS(all settings) {
	for i := range table {
		k := &table[i]
		name, own := strings.CutPrefix(k.Path, "tls.")
		_, name, nested := strings.Cut(name, ".")
		d := all[tlsDefaults+name]
		if own && nested && k.Is(Acted) && all[k.Path].at == (place{}) && d.at != (place{}) {
			all[k.Path] = setting{key: k, value: d.value, at: d.at}
		}
	}
}

// security judges the values of tls. Which files go together is judged by who reads them.
func (r *resolver) security() {
	t := &r.TLS
	for _, s := range []struct {
		name             string
		version, ciphers *string
	}{
		{tlsDefaults, &t.Defaults.MinVersion, &t.Defaults.CipherSuites},
		{"tls.internal_rpc.", &t.InternalRPC.MinVersion, &t.InternalRPC.CipherSuites},
		{"tls.https.", &t.HTTPS.MinVersion, &t.HTTPS.CipherSuites},
	} {
		known := r.tlsVersion(s.version)
		if key := s.name + "tls_min_version"; !known && r.own(key) {
			r.bad(key, "cannot be %q. Must be TLS_AUTO, TLSv1_0, TLSv1_1, TLSv1_2 or TLSv1_3", *s.version)
		}
		_, unknown := cipherSuites(*s.ciphers)
		if key := s.name + "tls_cipher_suites"; unknown != "" && r.own(key) {
			r.bad(key, "has %q, which cannot be chosen. Must be safe suites of TLS 1.2, such as TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", unknown)
		}
	}
}

// own reports whether a key of tls says something by itself, and not what the defaults say.
func (r *resolver) own(key string) bool {
	name := key[strings.LastIndex(key, ".")+1:]
	return key == tlsDefaults+name || r.at(key) != r.at(tlsDefaults+name)
}

// tlsVersion gives a version its name of today, if it is one.
func (r *resolver) tlsVersion(version *string) (known bool) {
	if now, old := oldVersions[strings.ToLower(*version)]; old {
		*version = now
	}
	_, known = tlsVersions[*version]
	return known
}
