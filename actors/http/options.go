package http

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/actor-consul/consul/messages/wire"
)

// options reads the parameters and headers that every read has:
// https://developer.hashicorp.com/consul/api-docs/features/consistency,
// https://developer.hashicorp.com/consul/api-docs/features/blocking,
// https://developer.hashicorp.com/consul/api-docs/features/filtering.
func (r *request) options(o *wire.QueryOptions) error {
	o.Token = r.token()
	o.Filter = r.param("filter")
	if err := r.consistency(o); err != nil {
		return err
	}
	if err := r.cacheControl(o); err != nil {
		return err
	}
	return r.waiting(o)
}

func (r *request) consistency(o *wire.QueryOptions) error {
	o.AllowStale = r.has("stale")
	o.RequireConsistent = r.has("consistent")
	o.UseCache = r.has("cached")
	if text := r.param("max_stale"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil {
			return refusal(http.StatusBadRequest, fmt.Sprintf("Invalid max_stale value %q", text))
		}
		o.MaxStaleDuration = d
		o.AllowStale = o.AllowStale || d > 0
	}
	unsaid := !o.AllowStale && !o.RequireConsistent && !o.UseCache && !r.has("leader")
	if most := r.api.cfg.DiscoveryMaxStale; unsaid && most > 0 && isDiscovery(r.URL.Path) {
		o.AllowStale, o.MaxStaleDuration = true, most
	}
	switch {
	case o.AllowStale && o.RequireConsistent:
		return refusal(http.StatusBadRequest, "Cannot specify ?stale with ?consistent, conflicting semantics.")
	case o.UseCache && o.RequireConsistent:
		return refusal(http.StatusBadRequest, "Cannot specify ?cached with ?consistent, conflicting semantics.")
	}
	return nil
}

func isDiscovery(path string) bool {
	return strings.HasPrefix(path, "/v1/catalog") || strings.HasPrefix(path, "/v1/health")
}

// cacheControl reads the directives of RFC 9111 and RFC 5861 that Consul knows.
func (r *request) cacheControl(o *wire.QueryOptions) error {
	for directive := range strings.SplitSeq(strings.ToLower(r.Header.Get("Cache-Control")), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		var into *time.Duration
		switch name {
		case "must-revalidate":
			o.MustRevalidate = true
			continue
		case "max-age":
			into = &o.MaxAge
		case "stale-if-error":
			into = &o.StaleIfError
		default:
			continue
		}
		seconds, err := strconv.ParseInt(value, 10, 32)
		if err != nil {
			return refusal(http.StatusBadRequest, "Invalid Cache-Control header.")
		}
		*into = time.Duration(seconds) * time.Second
		if name == "max-age" && seconds == 0 {
			o.MustRevalidate = true // since a MaxAge of 0 says nothing
		}
	}
	return nil
}

func (r *request) waiting(o *wire.QueryOptions) error {
	if text := r.param("wait"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil {
			return refusal(http.StatusBadRequest, "Invalid wait time")
		}
		o.MaxQueryTime = d
	}
	if text := r.param("index"); text != "" {
		index, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return refusal(http.StatusBadRequest, "Invalid index")
		}
		o.MinQueryIndex = index
	}
	return nil
}

// datacenter returns where the request is to be answered.
func (r *request) datacenter() string {
	for _, name := range []string{"datacenter", "dc"} {
		if dc := r.param(name); dc != "" {
			return dc
		}
	}
	return r.api.cfg.Facts.Datacenter
}

// source returns where the client says it is, for sorting by distance.
func (r *request) source() wire.QuerySource {
	s := wire.QuerySource{Datacenter: r.datacenter(), Node: r.param("near"), Ip: r.clientIP()}
	if s.Node == "_agent" {
		s.Node = r.api.cfg.Facts.NodeName
	}
	return s
}

// clientIP returns the address of the client, as the first proxy saw it.
func (r *request) clientIP() string {
	first, _, _ := strings.Cut(r.Header.Get("X-Forwarded-For"), ",")
	if ip, err := netip.ParseAddr(strings.TrimSpace(first)); err == nil {
		return ip.String()
	}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		return host
	}
	return ""
}

// nodeMeta returns the metadata that nodes must have.
func (r *request) nodeMeta() map[string]string {
	pairs := r.query["node-meta"]
	if len(pairs) == 0 {
		return nil
	}
	meta := make(map[string]string, len(pairs))
	for _, pair := range pairs {
		key, value, _ := strings.Cut(pair, ":")
		meta[key] = value
	}
	return meta
}

// tenancy is where Consul Enterprise would put what a body describes.
type tenancy struct{ Namespace, Partition any }

// decodeHere is decode for what is put somewhere. A body that names a namespace or a
// partition is refused, as Consul's community edition does: what two tenants call by
// one name would overwrite each other here. Other fields that are not known are passed
// over as always.
func (r *request) decodeHere(into any) error {
	if err := r.decode(into); err != nil {
		return err
	}
	if !bytes.Contains(r.body, []byte("amespace")) && !bytes.Contains(r.body, []byte("artition")) {
		return nil
	}
	var said struct {
		tenancy
		Service, Check *tenancy
		Checks         []*tenancy
	}
	_ = json.Unmarshal(r.body, &said) // it was JSON a moment ago; what is of another type is no name
	for _, t := range append(said.Checks, &said.tenancy, said.Service, said.Check) {
		switch {
		case t == nil:
		case names(t.Namespace):
			return refusal(http.StatusBadRequest, `Request decode failed: json: unknown field "Namespace" - Namespaces are a Consul Enterprise feature`)
		case names(t.Partition):
			return refusal(http.StatusBadRequest, `Request decode failed: json: unknown field "Partition" - Partitions are a Consul Enterprise feature`)
		}
	}
	return nil
}

// names says whether a name is of another tenant than the one that there is.
func names(name any) bool { return name != nil && name != "" && name != "default" }

// checkNames refuses the names of Consul Enterprise, as Consul's community edition
// does.
func (r *request) checkNames(names naming) error {
	for _, n := range []struct {
		applies               bool
		header, param, plural string
	}{
		{names == noNames, "X-Consul-Namespace", "ns", "Namespaces"},
		{names != anyNames, "X-Consul-Partition", "partition", "Partitions"},
	} {
		switch {
		case !n.applies:
		case r.Header.Get(n.header) != "":
			return refusal(http.StatusBadRequest, fmt.Sprintf("Invalid header: %q - %s are a Consul Enterprise feature", n.header, n.plural))
		case r.param(n.param) != "":
			return refusal(http.StatusBadRequest, fmt.Sprintf("Invalid query parameter: %q - %s are a Consul Enterprise feature", n.param, n.plural))
		}
	}
	return nil
}
