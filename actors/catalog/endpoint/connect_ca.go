package endpoint

import (
	"errors"
	"fmt"
	"strings"

	"github.com/actor-consul/consul/actors/connectca"
	"github.com/actor-consul/consul/messages/wire"
)

// ConnectCARoots returns the certificate authorities that are trusted, without what
// is secret of them.
var ConnectCARoots = Read[wire.DCSpecificRequest, wire.IndexedCARoots]{"ConnectCA.Roots", connectCARoots}

func connectCARoots(env *Env, _ *wire.DCSpecificRequest, reply *wire.IndexedCARoots) error {
	index, roots, config := env.View.CARoots(env.Watch)
	if config == nil || config.ClusterID == "" {
		return connectca.ErrNotReady
	}
	reply.Index, reply.TrustDomain, reply.Roots = index, config.TrustDomain(), []*wire.CARoot{}
	for _, r := range roots {
		public := *r
		public.SigningCert, public.SigningKey = "", ""
		reply.Roots = append(reply.Roots, &public)
		if r.Active {
			reply.ActiveRootID = r.ID
		}
	}
	return nil
}

// ConnectCAConfigurationGet returns how certificates are made.
var ConnectCAConfigurationGet = Read[wire.DCSpecificRequest, wire.CAConfiguration]{"ConnectCA.ConfigurationGet", connectCAConfigurationGet}

func connectCAConfigurationGet(env *Env, _ *wire.DCSpecificRequest, reply *wire.CAConfiguration) error {
	if err := env.may(Authorizer.OperatorRead); err != nil {
		return err
	}
	if _, _, config := env.View.CARoots(env.Watch); config != nil {
		*reply = *config
	}
	return nil
}

// ConnectCASign signs the certificate of a service. The leader does it, and writes
// nothing.
var ConnectCASign = Write[wire.CASignRequest, wire.IssuedCert]{
	"ConnectCA.Sign", wire.ConnectCALeafRequestType, connectCASign, resultErr[wire.IssuedCert],
}

func connectCASign(env *Env, args *wire.CASignRequest, reply *wire.IssuedCert) (bool, error) {
	index, roots, config := env.View.CARoots(nil)
	if config == nil {
		return false, connectca.ErrNotReady
	}
	active := (&connectca.State{Roots: roots}).Active()
	if active == nil {
		return false, connectca.ErrNotReady
	}
	cert, err := connectca.Sign(args.CSR, env.View.CAProviderState(active), config.TrustDomain(), args.Datacenter, env.Now, connectca.LeafTTLOf(config))
	if err != nil {
		return false, err
	}
	if err := env.may(func(a Authorizer) bool { return a.ServiceWrite(cert.Service) }); err != nil {
		return false, err
	}
	cert.CertPEM += strings.Join(active.IntermediateCerts, "")
	cert.CreateIndex, cert.ModifyIndex = index, index
	*reply = *cert
	return false, nil
}

// ConnectCAApply changes the state of the certificate authority. It is for the
// leader alone, and is not to be called from elsewhere.
var ConnectCAApply = Write[wire.CARequest, bool]{
	"ConnectCA.Apply", wire.ConnectCARequestType,
	func(*Env, *wire.CARequest, *bool) (bool, error) { return true, nil },
	func(result any, reply *bool) error {
		if err := resultBool(result, reply); err != nil {
			return fmt.Errorf("write the state of the certificate authority: %w", err)
		}
		return nil
	},
}

// ConnectCASteps returns what the leader has to write, one request after the other,
// for a configuration to come into force: for another root first its secret, then root
// and configuration at once, so that a root that is seen can sign. It is refused to who
// may not.
func ConnectCASteps(env *Env, config *wire.CAConfiguration) ([]*wire.CARequest, error) {
	if err := env.may(Authorizer.OperatorWrite); err != nil {
		return nil, err
	}
	if config == nil {
		return nil, errors.New("there is no configuration in the request")
	}
	was := &connectca.State{}
	if _, was.Roots, was.Config = env.View.CARoots(nil); was.Active() != nil {
		was.Secret = env.View.CAProviderState(was.Active())
	}
	is, err := connectca.Configure(was, config, env.Now)
	if err != nil {
		return nil, err
	}
	if is.Secret == was.Secret {
		return []*wire.CARequest{{Op: wire.CASetConfig, Config: is.Config}}, nil
	}
	index := was.Roots[0].ModifyIndex // all are written at once
	return []*wire.CARequest{
		{Op: wire.CASetProviderState, ProviderState: is.Secret},
		{Op: wire.CASetRootsAndConfig, Index: index, Roots: is.Roots, Config: is.Config},
		{Op: wire.CADeleteProviderState, ProviderState: was.Secret},
	}, nil
}
