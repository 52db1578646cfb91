package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/actor-consul/consul/cmd/consul/config"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/definition"
	"github.com/actor-consul/consul/messages/wire"
)

// definitions returns what the configuration files say is to be registered at this
// agent, or all that is wrong with it.
func definitions(rt *config.Runtime) (services []*messages.RegisterService, checks []*messages.RegisterCheck, err error) {
	var faults []error
	for i := range rt.Services {
		d, err := serviceDefinition(&rt.Services[i])
		if err == nil {
			var r *messages.RegisterService
			if r, err = definition.Service(d); err == nil {
				services = append(services, r)
			}
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("service %q of the configuration cannot be registered: %w", rt.Services[i].Name, err))
		}
	}
	for i := range rt.Checks {
		c := &rt.Checks[i]
		d := &wire.CheckDefinition{ServiceID: c.ServiceID, Token: c.Token, CheckType: *checkType(c)}
		d.Name = cmp.Or(c.Name, c.ID)
		r, err := definition.Check(d)
		if err != nil {
			faults = append(faults, fmt.Errorf("check %q of the configuration cannot be registered: %w", d.Name, err))
			continue
		}
		r.FromConfig = true
		checks = append(checks, r)
	}
	for _, r := range services {
		r.FromConfig = true
		if r.Sidecar != nil {
			r.Sidecar.FromConfig = true
		}
	}
	return services, checks, errors.Join(faults...)
}

func serviceDefinition(s *config.Service) (*wire.ServiceDefinition, error) {
	d := &wire.ServiceDefinition{
		Kind: wire.ServiceKind(s.Kind), ID: s.ID, Name: s.Name, Tags: s.Tags, Address: s.Address, Meta: s.Meta,
		Port: s.Port, SocketPath: s.SocketPath, Token: s.Token, EnableTagOverride: s.EnableTagOverride,
	}
	for _, p := range s.Ports {
		d.Ports = append(d.Ports, wire.ServicePort(p))
	}
	if len(s.TaggedAddresses) > 0 {
		d.TaggedAddresses = map[string]wire.ServiceAddress{}
		for tag, a := range s.TaggedAddresses {
			d.TaggedAddresses[tag] = wire.ServiceAddress(a)
		}
	}
	if s.Weights != (config.Weights{}) {
		d.Weights = &wire.Weights{Passing: cmp.Or(s.Weights.Passing, 1), Warning: cmp.Or(s.Weights.Warning, 1)}
	}
	if s.Locality != (config.Locality{}) {
		d.Locality = &wire.Locality{Region: s.Locality.Region, Zone: s.Locality.Zone}
	}
	for i := range s.Checks {
		d.Checks = append(d.Checks, checkType(&s.Checks[i]))
	}
	if err := reread("proxy", s.Proxy, &d.Proxy); err != nil {
		return nil, err
	}
	return d, reread("connect", s.Connect, &d.Connect)
}

// reread reads what the configuration has kept as it was written.
func reread[T any](key string, kept map[string]any, into **T) error {
	if len(kept) == 0 {
		return nil
	}
	text, err := json.Marshal(listed(kept))
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return nil
}

// lists are the keys below proxy and connect that hold lists. A file may give them
// one item as a block, which looks like an object.
var lists = []string{"upstreams", "paths", "checks", "envoyextensions"}

// listed returns what was kept with the lists as such. What is for the proxy itself,
// its config, is left as it is.
func listed(kept map[string]any) map[string]any {
	mended := make(map[string]any, len(kept))
	for key, value := range kept {
		name := strings.ToLower(strings.ReplaceAll(key, "_", ""))
		if object, ok := value.(map[string]any); ok && name != "config" {
			value = listed(object)
			if slices.Contains(lists, name) {
				value = []any{value}
			}
		}
		mended[key] = value
	}
	return mended
}

func checkType(c *config.Check) *wire.CheckType {
	t := &wire.CheckType{
		CheckID: c.ID, Name: c.Name, Status: c.Status, Notes: c.Notes,
		ScriptArgs: c.Args, Shell: c.Shell, DockerContainerID: c.DockerContainerID,
		HTTP: c.HTTP, Header: c.Header, Method: c.Method, Body: c.Body, DisableRedirects: c.DisableRedirects,
		TCP: c.TCP, TCPUseTLS: c.TCPUseTLS, UDP: c.UDP, GRPC: c.GRPC, GRPCUseTLS: c.GRPCUseTLS,
		H2PING: c.H2Ping, H2PingUseTLS: c.H2Ping != "" && c.H2PingUseTLS,
		TLSServerName: c.TLSServerName, TLSSkipVerify: c.TLSSkipVerify,
		AliasNode: c.AliasNode, AliasService: c.AliasService, OSService: c.OSService,
		TTL: c.TTL, Interval: c.Interval, Timeout: c.Timeout, OutputMaxSize: c.OutputMaxSize,
		SuccessBeforePassing: c.SuccessBeforePassing, FailuresBeforeWarning: c.FailuresBeforeWarning,
		FailuresBeforeCritical: c.FailuresBeforeCritical, DeregisterCriticalServiceAfter: c.DeregisterCriticalServiceAfter,
	}
	if len(t.ScriptArgs) == 0 && c.Script != "" {
		t.ScriptArgs = wire.ShellCommand(c.Shell, c.Script)
	}
	return t
}
