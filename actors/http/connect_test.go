package http

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/actor-consul/consul/actors/connectca"
	"github.com/actor-consul/consul/messages/wire"
)

const clusterID = "11111111-2222-3333-4444-555555555555"

// authority puts a certificate authority into the state, as the leader does.
func (s *stage) authority(t *testing.T) *wire.CARoot {
	t.Helper()
	root, secret, err := connectca.New(clusterID, time.Now(), connectca.RootTTL)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []*wire.CARequest{
		{Op: wire.CASetProviderState, ProviderState: secret},
		{Op: wire.CASetRootsAndConfig, Roots: []*wire.CARoot{root}, Config: &wire.CAConfiguration{ClusterID: clusterID, Provider: "consul", Config: map[string]any{"LeafCertTTL": "72h"}}},
	} {
		entry, err := wire.Encode(wire.ConnectCARequestType, r)
		if err != nil {
			t.Fatal(err)
		}
		s.index++
		if done := s.fsm.Apply(&raft.Log{Index: s.index, Data: entry}); done != true {
			t.Fatal(done)
		}
	}
	return root
}

func TestRoots(t *testing.T) {
	s := newStage(t)
	if got := call(s.api(t), "GET", "/v1/connect/ca/roots", ""); got.Code != http.StatusInternalServerError || got.Body.String() != "Connect must be enabled in order to use this endpoint" {
		t.Errorf("without an authority: %d %s", got.Code, got.Body)
	}
	s.cfg.Facts.Connect = true
	a := s.api(t)
	if got := call(a, "GET", "/v1/connect/ca/roots", ""); got.Code != http.StatusInternalServerError || got.Body.String() != "CA has not finished initializing" {
		t.Errorf("before there is an authority: %d %s", got.Code, got.Body)
	}
	root := s.authority(t)
	for _, target := range []string{"/v1/connect/ca/roots", "/v1/agent/connect/ca/roots?cached"} {
		got := call(a, "GET", target, "")
		var roots wire.IndexedCARoots
		if err := json.Unmarshal(got.Body.Bytes(), &roots); err != nil {
			t.Fatalf("%s: %d %s", target, got.Code, got.Body)
		}
		if roots.ActiveRootID != root.ID || roots.TrustDomain != clusterID+".consul" || len(roots.Roots) != 1 || roots.Roots[0].RootCert != root.RootCert ||
			got.Header().Get("X-Consul-Index") != "3" || strings.Contains(got.Body.String(), "PRIVATE KEY") {
			t.Errorf("%s: %s %s", target, got.Header(), got.Body)
		}
	}
	pem := call(a, "GET", "/v1/connect/ca/roots?pem=true", "")
	if pem.Body.String() != root.RootCert || pem.Header().Get("Content-Type") != "application/pem-certificate-chain" {
		t.Errorf("as a file: %s %s", pem.Header(), pem.Body)
	}
	if got := call(a, "GET", "/v1/connect/ca/roots?pem=maybe", ""); got.Code != http.StatusBadRequest {
		t.Errorf("an odd pem: %d", got.Code)
	}
	if got := call(a, "GET", "/v1/connect/ca/configuration", "").Body.String(); !strings.HasPrefix(got, `{"Provider":"consul","Config":{"LeafCertTTL":"72h"},"State":null,"ForceWithoutCrossSigning":false,"CreateIndex":3`) {
		t.Errorf("configuration %s", got)
	}
}

func TestLeaf(t *testing.T) {
	s := newStage(t)
	s.cfg.Facts.Connect = true
	a := s.api(t)
	if got := call(a, "GET", "/v1/agent/connect/ca/leaf/web", ""); got.Code != http.StatusInternalServerError {
		t.Errorf("before there is an authority: %d %s", got.Code, got.Body)
	}
	s.authority(t)
	got := call(a, "GET", "/v1/agent/connect/ca/leaf/web", "")
	var leaf wire.IssuedCert
	if err := json.Unmarshal(got.Body.Bytes(), &leaf); err != nil || leaf.Service != "web" || leaf.ServiceURI != "spiffe://"+clusterID+".consul/ns/default/dc/dc1/svc/web" ||
		!strings.Contains(leaf.PrivateKeyPEM, "EC PRIVATE KEY") || got.Header().Get("X-Consul-Index") != "3" || leaf.ModifyIndex != 3 {
		t.Errorf("leaf %s %s, %v", got.Header(), got.Body, err)
	}
	for target, want := range map[string]int{
		"/v1/agent/connect/ca/leaf/":              http.StatusBadRequest,
		"/v1/agent/connect/ca/leaf/web?ns=x":      http.StatusBadRequest,
		"/v1/agent/connect/ca/leaf/web?index=x":   http.StatusBadRequest,
		"/v1/agent/connect/ca/leaf/web?dc=nope":   http.StatusInternalServerError,
		"/v1/agent/connect/ca/leaf/web?index=2":   http.StatusOK,
		"/v1/agent/connect/ca/leaf/b%20%C3%BC":    http.StatusOK,
		"/v1/agent/connect/ca/leaf/a/b?wait=10ms": http.StatusOK,
	} {
		if got := call(a, "GET", target, ""); got.Code != want {
			t.Errorf("%s: %d %s", target, got.Code, got.Body)
		}
	}
}

// TestRotate replaces the root by way of the configuration.
func TestRotate(t *testing.T) {
	s := newStage(t)
	s.cfg.Facts.Connect = true
	a := s.api(t)
	s.authority(t)
	_, secret, err := connectca.New(clusterID, time.Now(), connectca.RootTTL)
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(wire.CAConfiguration{Provider: "consul", Config: map[string]any{"PrivateKey": secret.PrivateKey, "RootCert": secret.RootCert}})
	if err != nil {
		t.Fatal(err)
	}
	if got := call(a, "PUT", "/v1/connect/ca/configuration", string(body)); got.Code != http.StatusOK || got.Body.Len() > 0 {
		t.Fatalf("%d %s", got.Code, got.Body)
	}
	var roots wire.IndexedCARoots
	if err := json.Unmarshal(call(a, "GET", "/v1/connect/ca/roots", "").Body.Bytes(), &roots); err != nil || len(roots.Roots) != 2 {
		t.Errorf("roots %+v, %v", roots, err)
	}
	var leaf wire.IssuedCert
	if err := json.Unmarshal(call(a, "GET", "/v1/agent/connect/ca/leaf/web", "").Body.Bytes(), &leaf); err != nil || strings.Count(leaf.CertPEM, "BEGIN CERTIFICATE") != 2 {
		t.Errorf("a leaf without the root's own certificate by the old one: %+v, %v", leaf, err)
	}
	if got := call(a, "GET", "/v1/connect/ca/configuration", "").Body.String(); strings.Contains(got, "PRIVATE KEY") {
		t.Errorf("the configuration tells the key: %s", got)
	}
	for body, want := range map[string]int{`{"Provider":"vault"}`: http.StatusInternalServerError, `{`: http.StatusBadRequest} {
		if got := call(a, "PUT", "/v1/connect/ca/configuration", body); got.Code != want {
			t.Errorf("%s: %d %s", body, got.Code, got.Body)
		}
	}
}

func TestAuthorize(t *testing.T) {
	a := newStage(t).api(t)
	for name, tt := range map[string]struct {
		body   string
		status int
		want   string
	}{
		"allowed":   {`{"Target":"web","ClientCertURI":"spiffe://x.consul/ns/default/dc/ny1/svc/db","ClientCertSerial":"s"}`, 200, `{"Authorized":true,"Reason":"Default behavior configured by ACLs"}`},
		"no_target": {`{"ClientCertURI":"spiffe://x.consul/ns/default/dc/ny1/svc/db"}`, 400, "Target service must be specified"},
		"no_uri":    {`{"Target":"web","ClientCertURI":"%zz"}`, 400, "ClientCertURI not a valid Connect identifier"},
		"no_id":     {`{"Target":"web","ClientCertURI":"https://x"}`, 400, "ClientCertURI not a valid Service identifier"},
		"no_json":   {`{`, 400, "Request decode failed: unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := call(a, "POST", "/v1/agent/connect/authorize", tt.body); got.Code != tt.status || got.Body.String() != tt.want {
				t.Errorf("%d %s, want %d %s", got.Code, got.Body, tt.status, tt.want)
			}
		})
	}
}
