package config

import (
	"crypto/tls"
	"slices"
	"strings"
	"testing"
)

func TestTLS(t *testing.T) {
	const suite = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
	tests := []struct {
		name string
		hcl  string
		rpc  TLSSection
		web  TLSHTTPS
	}{
		{"nothing", ``, TLSSection{MinVersion: "TLSv1_2"}, TLSHTTPS{MinVersion: "TLSv1_2"}},
		{
			"old_keys", `ca_file = "a" cert_file = "c" key_file = "k" verify_incoming = true verify_outgoing = true verify_server_hostname = true`,
			TLSSection{CAFile: "a", CertFile: "c", KeyFile: "k", MinVersion: "TLSv1_2", VerifyIncoming: true, VerifyOutgoing: true, VerifyServerHostname: true},
			TLSHTTPS{CAFile: "a", CertFile: "c", KeyFile: "k", MinVersion: "TLSv1_2", VerifyIncoming: true},
		},
		{
			"old_keys_for_one", `verify_incoming_rpc = true verify_incoming_https = false verify_incoming = true tls_min_version = "tls13"`,
			TLSSection{MinVersion: "TLSv1_3", VerifyIncoming: true}, TLSHTTPS{MinVersion: "TLSv1_3"},
		},
		{
			"sections", `tls { defaults { ca_path = "p" verify_incoming = true } internal_rpc { ca_file = "a" tls_cipher_suites = "` + suite + `" } https { verify_incoming = false tls_min_version = "TLSv1_3" } }`,
			TLSSection{CAPath: "p", CAFile: "a", MinVersion: "TLSv1_2", CipherSuites: suite, VerifyIncoming: true},
			TLSHTTPS{CAPath: "p", MinVersion: "TLSv1_3"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rt := load(t, "-dev", "-hcl", tt.hcl)
			if rt.TLS.InternalRPC != tt.rpc || rt.TLS.HTTPS != tt.web {
				t.Errorf("internal_rpc is %+v, want %+v\nhttps is %+v, want %+v", rt.TLS.InternalRPC, tt.rpc, rt.TLS.HTTPS, tt.web)
			}
		})
	}
	s := TLSSection{MinVersion: "TLSv1_3", CipherSuites: suite + ", "}
	if s.MinVersionID() != tls.VersionTLS13 || !slices.Equal(s.CipherSuiteIDs(), []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}) {
		t.Errorf("%+v is %x, %x", s, s.MinVersionID(), s.CipherSuiteIDs())
	}
}

func TestTLSMistakes(t *testing.T) {
	tests := map[string]struct{ hcl, want string }{
		"version":  {`tls { defaults { tls_min_version = "1.2" } }`, `tls.defaults.tls_min_version cannot be "1.2"`},
		"suite":    {`tls { https { tls_cipher_suites = "TLS_RSA_WITH_RC4_128_SHA" } }`, `tls.https.tls_cipher_suites has "TLS_RSA_WITH_RC4_128_SHA", which cannot be chosen`},
		"suite_13": {`tls { internal_rpc { tls_cipher_suites = "TLS_AES_128_GCM_SHA256" } }`, `tls.internal_rpc.tls_cipher_suites has "TLS_AES_128_GCM_SHA256"`},
		"mode":     {`unix_sockets { mode = "u+x" }`, `unix_sockets.mode cannot be "u+x"`},
		"port":     {`ports { https = 8500 }`, `ports.http and ports.https are both 8500`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := loadError(t, "-dev", "-hcl", tt.hcl); !strings.Contains(got, tt.want) || strings.Contains(got, "\n") {
				t.Errorf("%s\nwant %s alone", got, tt.want)
			}
		})
	}
}

func TestHTTPSListeners(t *testing.T) {
	rt := load(t, "-dev", "-https-port", "8501", "-hcl", `client_addr = "127.0.0.1 unix:///tmp/s" addresses { dns = "127.0.0.1" }`)
	if !slices.Equal(rt.HTTPSListeners, []Listener{{"tcp", "127.0.0.1:8501"}}) {
		t.Errorf("HTTPS listens at %v", rt.HTTPSListeners)
	}
	if rt := load(t, "-dev"); len(rt.HTTPSListeners) != 0 {
		t.Errorf("HTTPS listens at %v without being asked to", rt.HTTPSListeners)
	}
}
