package main

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/cli"

	"github.com/actor-consul/consul/actors/agentca"
)

// tlsCertCreateCommand makes a certificate of an agent, or for who speaks to one.
type tlsCertCreateCommand struct {
	command
	ca, key             string
	server, client, cli bool
	days                int
	request             agentca.Request
}

func newTLSCertCreateCommand(ui cli.Ui) cli.Command {
	c := &tlsCertCreateCommand{command: newCommand(ui, words{
		name:     "tls cert create",
		synopsis: "Create a new certificate",
		about: `
Makes a certificate and its key, signed by an authority that "consul tls ca create"
has made. Agents get them as cert_file and key_file. Files are numbered, and none is
ever overwritten.`,
		example: `
$ consul tls cert create -client
==> Using consul-agent-ca.pem and consul-agent-ca-key.pem
==> Saved dc1-client-consul-0.pem
==> Saved dc1-client-consul-0-key.pem`,
	})}
	r := &c.request
	c.flags.StringVar(&c.ca, "ca", "", "the certificate of the authority is in `FILE` (default DOMAIN-agent-ca.pem)")
	c.flags.StringVar(&c.key, "key", "", "the key of the authority is in `FILE` (default DOMAIN-agent-ca-key.pem)")
	c.flags.BoolVar(&c.server, "server", false, "for a server")
	c.flags.BoolVar(&c.client, "client", false, "for an agent that is no server")
	c.flags.BoolVar(&c.cli, "cli", false, "for the command line, and others who speak to agents")
	c.flags.StringVar(&r.Datacenter, "dc", "dc1", "the agent is in the datacenter `NAME`")
	c.flags.StringVar(&r.Domain, "domain", agentca.DefaultDomain, "the DNS domain of the agents is `NAME`")
	c.flags.StringVar(&r.Node, "node", "", "with -server, also for the node `NAME` by itself")
	c.flags.IntVar(&c.days, "days", agentca.DefaultCertDays, "valid for `N` days")
	c.flags.Func("additional-dnsname", "also for the DNS name `NAME`; may be repeated", func(name string) error {
		if name = strings.TrimSpace(name); name != "" {
			r.DNSNames = append(r.DNSNames, name)
		}
		return nil
	})
	c.flags.Func("additional-ipaddress", "also for the IP address `IP`; may be repeated", func(text string) error {
		ip := net.ParseIP(strings.TrimSpace(text))
		if ip == nil {
			return errors.New("it is no IP address")
		}
		r.IPAddresses = append(r.IPAddresses, ip)
		return nil
	})
	return c
}

// Run implements cli.Command.
func (c *tlsCertCreateCommand) Run(args []string) int {
	if _, ok := c.parse(args, 0, 0); !ok {
		return 1
	}
	if err := c.judge(); err != nil {
		return c.misused(err)
	}
	authority, err := c.authority()
	if err != nil {
		return c.failed("%s", err)
	}
	now := time.Now()
	c.request.NotAfter = now.AddDate(0, 0, c.days)
	pair, err := authority.Issue(c.request, now)
	if err != nil {
		return c.failed("%s and %s: %s", c.ca, c.key, err)
	}
	certFile, keyFile, err := c.free()
	if err == nil {
		err = savePair(certFile, pair.Cert, keyFile, pair.Key)
	}
	if err != nil {
		return c.failed("%s", err)
	}
	if c.server {
		c.ui.Output(serverCertWarning)
	}
	c.ui.Output("==> Using " + c.ca + " and " + c.key)
	if end := authority.Cert.NotAfter; end.Before(c.request.NotAfter) {
		c.ui.Output("==> WARNING: the authority ends before the certificate, on " + end.Format(time.DateOnly))
	}
	c.ui.Output("==> Saved " + certFile)
	c.ui.Output("==> Saved " + keyFile)
	return 0
}

// serverCertWarning is what the maker of a server's certificate has to know.
const serverCertWarning = `==> WARNING: who has a server certificate and its key can be a server, and then
    has all state of the cluster, secrets included. Keep them on the servers, and
    as safe as the key of the authority.`

// judge settles what the flags ask for.
func (c *tlsCertCreateCommand) judge() error {
	var roles []agentca.Role
	for role, wanted := range map[agentca.Role]bool{agentca.Server: c.server, agentca.Client: c.client, agentca.CLI: c.cli} {
		if wanted {
			roles = append(roles, role)
		}
	}
	switch {
	case len(roles) != 1:
		return errors.New("Please provide either -server, -client, or -cli") // Consul's text
	case c.request.Node != "" && !c.server:
		return errors.New("-node requires -server")
	case c.days <= 0:
		return errors.New("-days is at least 1")
	case c.request.Datacenter == "" || c.request.Domain == "":
		return errors.New("-dc and -domain cannot be empty")
	}
	c.request.Role = roles[0]
	c.ca = cmp.Or(c.ca, c.request.Domain+"-agent-ca.pem")
	c.key = cmp.Or(c.key, c.request.Domain+"-agent-ca-key.pem")
	return nil
}

func (c *tlsCertCreateCommand) authority() (*agentca.Authority, error) {
	cert, err := os.ReadFile(c.ca)
	if err != nil {
		return nil, fmt.Errorf("Error reading CA: %w; make one with `consul tls ca create`, or say where it is with -ca", err)
	}
	key, err := os.ReadFile(c.key)
	if err != nil {
		return nil, fmt.Errorf("Error reading CA key: %w; say where it is with -key", err)
	}
	authority, err := agentca.Read(&agentca.Pair{Cert: cert, Key: key})
	if err != nil {
		return nil, fmt.Errorf("%s and %s: %w", c.ca, c.key, err)
	}
	return authority, nil
}

// maxNumber is where the numbers of files end.
const maxNumber = 10000

// free returns the names of files with the lowest number that nobody has.
func (c *tlsCertCreateCommand) free() (certFile, keyFile string, err error) {
	r := c.request
	for n := range maxNumber + 1 {
		name := fmt.Sprintf("%s-%s-%s-%d", r.Datacenter, r.Role, r.Domain, n)
		if certFile, keyFile = name+".pem", name+"-key.pem"; !exists(certFile) && !exists(keyFile) {
			return certFile, keyFile, nil
		}
	}
	return "", "", errors.New("Could not find a filename that doesn't already exist") // Consul's text
}
