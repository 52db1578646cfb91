package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"

	"github.com/hashicorp/cli"
	"github.com/hashicorp/consul/api"

	"github.com/actor-consul/consul/messages/agentrpc"
)

// httpCommand is a command that asks a running agent over its HTTP API, with
// Consul's own client. What no flag says the client takes from the environment:
// https://developer.hashicorp.com/consul/commands#environment-variables.
type httpCommand struct {
	command
	http *httpFlags
}

// httpFlags are the values of the flags that all these commands have, and those of
// datacenterFlag and staleFlag.
type httpFlags struct {
	addr, token, tokenFile                           string
	caFile, caPath, clientCert, clientKey, tlsServer string

	datacenter string
	stale      bool
}

func newHTTPCommand(ui cli.Ui, w words) httpCommand {
	c := httpCommand{command: newCommand(ui, w), http: &httpFlags{}}
	c.excuse = noHTTPFlag
	f := c.http
	c.flags.StringVar(&f.addr, "http-addr", "", fmt.Sprintf(
		"speak to the agent whose HTTP API is at `ADDR`: host:port, a URL, or unix:// and a path (default $%s, else %s)",
		api.HTTPAddrEnvName, defaultHTTPAddr))
	c.flags.StringVar(&f.token, "token", "", "ask with the ACL token `TOKEN` (default $"+api.HTTPTokenEnvName+")")
	c.flags.StringVar(&f.tokenFile, "token-file", "", "read the ACL token from `FILE` (default $"+api.HTTPTokenFileEnvName+")")
	c.flags.StringVar(&f.caFile, "ca-file", "", "trust the authorities in `FILE` when speaking HTTPS (default $"+api.HTTPCAFile+")")
	c.flags.StringVar(&f.caPath, "ca-path", "", "trust the authorities in the files of `DIR` (default $"+api.HTTPCAPath+")")
	c.flags.StringVar(&f.clientCert, "client-cert", "", "show the certificate in `FILE` when speaking HTTPS (default $"+api.HTTPClientCert+")")
	c.flags.StringVar(&f.clientKey, "client-key", "", "prove it with the key in `FILE` (default $"+api.HTTPClientKey+")")
	c.flags.StringVar(&f.tlsServer, "tls-server-name", "", "expect a certificate for `NAME` (default $"+api.HTTPTLSServerName+")")
	return c
}

// defaultHTTPAddr is where an agent serves HTTP unless it is told otherwise.
const defaultHTTPAddr = "127.0.0.1:8500"

// datacenterFlag adds the flag of commands that servers carry out.
func (c *httpCommand) datacenterFlag() {
	c.flags.StringVar(&c.http.datacenter, "datacenter", "", "ask the servers of the datacenter `NAME` (default the agent's own)")
}

// staleFlag adds the flag of commands that a server can carry out that does not
// lead.
func (c *httpCommand) staleFlag() {
	c.flags.BoolVar(&c.http.stale, "stale", false, "let any server answer with what it has, also when nobody leads")
}

// client returns a client of the agent. Where ok is false the user has been told
// why, and the command is to return 1.
func (c *httpCommand) client() (agent *api.Client, ok bool) {
	return c.connect(c.http.config())
}

// connect does so with a configuration, which then has the http.Client that is used.
func (c *httpCommand) connect(cfg *api.Config) (agent *api.Client, ok bool) {
	agent, err := api.NewClient(cfg)
	if err != nil {
		c.failed("Error connecting to Consul agent: %s", err)
		return nil, false
	}
	return agent, true
}

// open reads the command line, as parse does, and returns a client as well.
func (c *httpCommand) open(args []string, least, most int) (agent *api.Client, operands []string, ok bool) {
	if operands, ok = c.parse(args, least, most); !ok {
		return nil, nil, false
	}
	agent, ok = c.client()
	return agent, operands, ok
}

// query returns the options of a read.
func (c *httpCommand) query() *api.QueryOptions { return &api.QueryOptions{AllowStale: c.http.stale} }

// refused tells the user what the agent, or the way to it, did not let happen, and
// returns the exit status for that.
func (c *httpCommand) refused(doing string, err error) int {
	return c.failed("Error %s: %s", doing, c.http.explain(err))
}

// serverFlags adds the flags of commands that any server of a datacenter can carry
// out.
func (c *httpCommand) serverFlags() {
	c.datacenterFlag()
	c.staleFlag()
}

// config returns the environment's configuration with what the flags say.
func (f *httpFlags) config() *api.Config {
	cfg := api.DefaultConfig()
	if os.Getenv(api.HTTPAddrEnvName) == "" {
		cfg.Address = defaultHTTPAddr
	}
	for flag, value := range map[*string]*string{
		&f.addr: &cfg.Address, &f.token: &cfg.Token, &f.tokenFile: &cfg.TokenFile,
		&f.caFile: &cfg.TLSConfig.CAFile, &f.caPath: &cfg.TLSConfig.CAPath,
		&f.clientCert: &cfg.TLSConfig.CertFile, &f.clientKey: &cfg.TLSConfig.KeyFile,
		&f.tlsServer: &cfg.TLSConfig.Address, &f.datacenter: &cfg.Datacenter,
	} {
		*value = cmp.Or(*flag, *value)
	}
	if f.token != "" && f.tokenFile == "" {
		cfg.TokenFile = "" // the flag goes before the environment's file
	}
	return cfg
}

// address returns where the agent is looked for, as an operator wrote it.
func (f *httpFlags) address() string {
	return cmp.Or(f.addr, os.Getenv(api.HTTPAddrEnvName), defaultHTTPAddr)
}

// explain says why the agent could not be asked, and what to do. What it has
// answered is left in the client's words, which scripts know.
func (f *httpFlags) explain(err error) error {
	const elsewhere = "; for another address use -http-addr or " + api.HTTPAddrEnvName
	var failed *url.Error
	if !errors.As(err, &failed) {
		return err
	}
	var dns *net.DNSError
	reason := failed.Err
	switch {
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("nothing listens at %s: is the agent running there?%s (%w)", f.address(), elsewhere, reason)
	case errors.As(err, &dns):
		return fmt.Errorf("no such host in %q%s (%w)", f.address(), elsewhere, reason)
	case failed.Timeout():
		return fmt.Errorf("no answer from %s in time: is the host up and the port open?%s (%w)", f.address(), elsewhere, reason)
	case strings.Contains(reason.Error(), "server gave HTTP response to HTTPS client"):
		return fmt.Errorf("the agent at %s speaks HTTP and no HTTPS: leave out https:// and %s (%w)", f.address(), api.HTTPSSLEnvName, reason)
	case strings.Contains(reason.Error(), "malformed HTTP"), errors.Is(reason, io.EOF):
		return fmt.Errorf("%s does not speak HTTP: it is the port that the agent shows as \"HTTP addr\", not that of its RPC%s (%w)", f.address(), elsewhere, reason)
	default:
		return fmt.Errorf("ask the agent at %s: %w", f.address(), reason)
	}
}

// noHTTPFlag is the excuse for the flag of the commands that speak the RPC of port
// 8400, and for those of Consul Enterprise.
func noHTTPFlag(name string) string {
	switch name {
	case "rpc-addr":
		return fmt.Sprintf("no flag -%s: it is for the agent's RPC (%s), and this command speaks HTTP;"+
			" give its address with -http-addr or %s", name, agentrpc.AddrEnv, api.HTTPAddrEnvName)
	case "namespace", "partition":
		return fmt.Sprintf("no flag -%s: %ss are a Consul Enterprise feature", name, name)
	default:
		return ""
	}
}
