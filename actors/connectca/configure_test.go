package connectca

import (
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/actor-consul/consul/messages/wire"
)

// inForce is the authority of a new datacenter.
func inForce(t *testing.T) *State {
	t.Helper()
	root, secret := made(t)
	return &State{Roots: []*wire.CARoot{root}, Secret: secret, Config: &wire.CAConfiguration{
		ClusterID: cluster, Provider: Provider, Config: map[string]any{"LeafCertTTL": "72h"}, RaftIndex: wire.RaftIndex{ModifyIndex: 7},
	}}
}

func with(config map[string]any) *wire.CAConfiguration {
	return &wire.CAConfiguration{Provider: Provider, Config: config}
}

func TestConfigureRefuses(t *testing.T) {
	was := inForce(t)
	root, other, err := New("other", noon, RootTTL)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		want *wire.CAConfiguration
		why  string
	}{
		{"another_provider", &wire.CAConfiguration{Provider: "vault"}, `the provider "vault" is not there`},
		{"no_duration", with(map[string]any{"LeafCertTTL": "x"}), "LeafCertTTL: time: invalid duration"},
		{"odd_duration", with(map[string]any{"RootCertTTL": true}), "RootCertTTL is a bool, want a duration"},
		{"short_leaf", with(map[string]any{"LeafCertTTL": "1m"}), "leaf cert TTL must be greater or equal than 1h0m0s"},
		{"long_leaf", with(map[string]any{"LeafCertTTL": "9000h"}), "leaf cert TTL must be less than"},
		{"short_intermediate", with(map[string]any{"IntermediateCertTTL": "200h"}), "Intermediate Cert TTL must be greater"},
		{"short_root", with(map[string]any{"RootCertTTL": "8760h"}), "root cert TTL is set and is not greater"},
		{"certificate_without_a_key", with(map[string]any{"RootCert": root.RootCert}), "a RootCert needs its PrivateKey"},
		{"no_pem", with(map[string]any{"PrivateKey": "x"}), "PrivateKey is no PEM"},
		{"no_ec_key", with(map[string]any{"PrivateKey": root.RootCert}), "PrivateKey has to be an EC key"},
		{"no_certificate", with(map[string]any{"PrivateKey": other.PrivateKey, "RootCert": "x"}), "are no PEM"},
		{"another_key", with(map[string]any{"PrivateKey": was.Secret.PrivateKey, "RootCert": root.RootCert}), "PrivateKey is not the key of RootCert"},
		{"another_cluster", with(map[string]any{"PrivateKey": other.PrivateKey, "RootCert": root.RootCert}), "RootCert has to be for spiffe://" + domain},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Configure(was, tt.want, noon); err == nil || !strings.Contains(err.Error(), tt.why) {
				t.Errorf("%v, want %s", err, tt.why)
			}
		})
	}
	if _, err := Configure(&State{}, with(nil), noon); err == nil {
		t.Error("there was no authority, and it was configured")
	}
}

// TestConfigureKeepsTheRoot: what has nothing to do with it leaves the root alone.
func TestConfigureKeepsTheRoot(t *testing.T) {
	was := inForce(t)
	is, err := Configure(was, with(map[string]any{
		"PrivateKey": was.Secret.PrivateKey, "IntermediateCertTTL": float64(300 * 24 * time.Hour), "test_state": map[string]any{"foo": "bar"},
	}), noon)
	if err != nil || is.Secret != was.Secret || is.Active() != was.Active() {
		t.Fatalf("%+v, %v", is, err)
	}
	c := is.Config
	if c.Config["PrivateKey"] != nil || c.Config["IntermediateCertTTL"] != "7200h0m0s" || c.State["foo"] != "bar" || c.ClusterID != cluster || c.ModifyIndex != 7 {
		t.Errorf("configuration %+v", c)
	}
}

// TestRotation: a leaf certificate of a new root is trusted by those who know the new
// one, and by those who know the old one alone; the old one is forgotten in the end.
func TestRotation(t *testing.T) {
	was := inForce(t)
	_, fresh, err := New(cluster, noon, RootTTL)
	if err != nil {
		t.Fatal(err)
	}
	for name, config := range map[string]map[string]any{
		"key":                 {"PrivateKey": fresh.PrivateKey},
		"key_and_certificate": {"PrivateKey": fresh.PrivateKey, "RootCert": strings.TrimSpace(fresh.RootCert)},
	} {
		t.Run(name, func(t *testing.T) {
			is, err := Configure(was, with(config), noon)
			if err != nil {
				t.Fatal(err)
			}
			old, active := is.Roots[0], is.Active()
			if len(is.Roots) != 2 || old.Active || old.ID == active.ID || !old.RotatedOutAt.Equal(noon) || !was.Roots[0].Active ||
				is.Secret.ID == was.Secret.ID || is.Secret.RootCert != active.RootCert || is.Config.Config["RootCert"] != active.RootCert {
				t.Errorf("roots %+v %+v", old, active)
			}
			_, csr, err := Request(domain, "dc1", "web")
			if err != nil {
				t.Fatal(err)
			}
			leaf, err := Sign(csr, is.Secret, domain, "dc1", noon, LeafTTL)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range is.Roots {
				if err := trusted(leaf.CertPEM, active.IntermediateCerts, r, noon); err != nil {
					t.Errorf("who trusts the root that is active=%t: %v", r.Active, err)
				}
			}
			again, err := Configure(is, with(map[string]any{"RootCert": active.RootCert, "LeafCertTTL": "1h"}), noon)
			if err != nil || again.Secret != is.Secret || len(again.Roots) != 2 {
				t.Errorf("the same root again: %+v, %v", again, err)
			}
			back, err := Configure(is, with(map[string]any{"PrivateKey": was.Secret.PrivateKey, "RootCert": was.Secret.RootCert}), noon.Add(2*LeafTTL))
			if err != nil || len(back.Roots) != 2 || back.Active().ID != old.ID {
				t.Errorf("back to the old one: %+v, %v", back, err)
			}
		})
	}
}

// trusted verifies a leaf certificate as one does who trusts a root alone.
func trusted(leafPEM string, intermediates []string, root *wire.CARoot, now time.Time) error {
	block, _ := pem.Decode([]byte(leafPEM))
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return err
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(root.RootCert))
	for _, i := range intermediates {
		between.AppendCertsFromPEM([]byte(i))
	}
	_, err = leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	return err
}
