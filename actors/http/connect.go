package http

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"github.com/actor-consul/consul/actors/catalog/endpoint"
	"github.com/actor-consul/consul/actors/connectca"
	"github.com/actor-consul/consul/actors/invoke"
	"github.com/actor-consul/consul/messages/wire"
)

// The routes of the certificate authority of the service mesh:
// https://developer.hashicorp.com/consul/api-docs/connect/ca and
// https://developer.hashicorp.com/consul/api-docs/agent/connect.

var errNoConnect = errors.New("Connect must be enabled in order to use this endpoint") // Consul's text

var (
	connectRoots = withConnect(query[wire.DCSpecificRequest, wire.IndexedCARoots]{
		read: endpoint.ConnectCARoots, args: inDatacenter, show: showRoots, silent: true,
	}.handle)

	// agentConnectRoots is the same: what Consul's agent keeps in a cache for it, the
	// view of this one has anyway.
	agentConnectRoots = withConnect(query[wire.DCSpecificRequest, wire.IndexedCARoots]{
		read: endpoint.ConnectCARoots, args: inDatacenter, show: showRoots, silent: true, cached: true,
	}.handle)

	connectConfiguration = withConnect(query[wire.DCSpecificRequest, wire.CAConfiguration]{
		read: endpoint.ConnectCAConfigurationGet, args: inDatacenter, silent: true,
		show: func(_ *request, reply *wire.CAConfiguration) (*answer, error) { return with(reply), nil },
	}.handle)
)

// connectConfigure changes how certificates are made; with another root or key, who
// makes them.
var connectConfigure = withConnect(duty[wire.CARequest, struct{}]{
	do: invoke.ConnectCAConfigurationSet,
	args: func(r *request, args *wire.CARequest) error {
		args.Datacenter, args.Config = r.datacenter(), new(wire.CAConfiguration)
		return r.decode(args.Config)
	},
	show: func(*request, *struct{}) (*answer, error) { return &answer{}, nil },
}.handle)

// withConnect refuses what there is none of without a certificate authority.
func withConnect(h handler) handler {
	return func(r *request) (*answer, error) {
		if !r.api.cfg.Facts.Connect {
			return nil, errNoConnect
		}
		return h(r)
	}
}

// showRoots shows the roots, with ?pem as the file that programs take.
func showRoots(r *request, reply *wire.IndexedCARoots) (*answer, error) {
	if r.param("pem") == "" {
		return with(reply), nil
	}
	pem, err := strconv.ParseBool(r.param("pem"))
	if err != nil {
		return nil, refusal(http.StatusBadRequest, "The 'pem' query parameter must be a boolean value")
	}
	if !pem {
		return with(reply), nil
	}
	var chain []byte
	for _, root := range reply.Roots {
		chain = append(chain, root.RootCert...)
	}
	return &answer{raw: &raw{contentType: "application/pem-certificate-chain", bytes: chain}}, nil
}

// agentConnectLeaf answers with a certificate for a service and its key. With ?index
// it waits until the roots are others, or for as long as it may; each answer has a
// certificate of its own.
var agentConnectLeaf = withConnect(func(r *request) (*answer, error) {
	if err := r.checkNames(noNames); err != nil {
		return nil, err
	}
	if r.tail == "" {
		return nil, missing("service name")
	}
	args := new(wire.DCSpecificRequest)
	if err := r.options(&args.QueryOptions); err != nil {
		return nil, err
	}
	if err := inDatacenter(r, args); err != nil {
		return nil, err
	}
	roots, err := query[wire.DCSpecificRequest, wire.IndexedCARoots]{read: endpoint.ConnectCARoots}.ask(r, args, &args.QueryOptions)
	if err != nil {
		return nil, err
	}
	key, csr, err := connectca.Request(roots.Reply.TrustDomain, args.Datacenter, r.tail)
	if err != nil {
		return nil, err
	}
	cert := new(wire.IssuedCert)
	sign := &wire.CASignRequest{Datacenter: args.Datacenter, CSR: csr, WriteRequest: wire.WriteRequest{Token: r.token()}}
	if err := invoke.Write(r.Context(), r.api.cfg.Invoker, endpoint.ConnectCASign, sign, cert); err != nil {
		return nil, err
	}
	cert.PrivateKeyPEM = key
	ans := with(cert)
	ans.header = miss()
	ans.header.Set("X-Consul-Index", strconv.FormatUint(max(cert.ModifyIndex, 1), 10))
	return ans, nil
})

// agentConnectAuthorize says whether a client may connect to a service: the intention
// decides that is the first to fit, and without one everybody may.
func agentConnectAuthorize(r *request) (*answer, error) {
	if err := r.checkNames(noNames); err != nil {
		return nil, err
	}
	var ask struct{ Target, ClientCertURI, ClientCertSerial string }
	if err := r.decode(&ask); err != nil {
		return nil, err
	}
	if ask.Target == "" {
		return nil, refusal(http.StatusBadRequest, "Target service must be specified")
	}
	uri, err := url.Parse(ask.ClientCertURI)
	if err != nil {
		return nil, refusal(http.StatusBadRequest, "ClientCertURI not a valid Connect identifier")
	}
	client, err := connectca.ParseIdentity(uri)
	if err != nil {
		return nil, refusal(http.StatusBadRequest, err.Error())
	}
	entries, err := r.intentionEntries()
	if err != nil {
		return nil, err
	}
	reason := "Default behavior configured by ACLs"
	allowed, by := wire.MayConnect(wire.Intentions(entries), client.Service, ask.Target)
	if by != nil {
		reason = "Matched intention: " + by.String()
	}
	return with(struct {
		Authorized bool
		Reason     string
	}{allowed, reason}), nil
}
