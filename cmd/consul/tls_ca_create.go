package main

import (
	"errors"
	"time"

	"github.com/hashicorp/cli"

	"github.com/actor-consul/consul/actors/agentca"
)

// tlsCACreateCommand makes the authority of a cluster.
type tlsCACreateCommand struct {
	command
	options     agentca.Options
	constrained bool
	more        []string // domains to sign for
}

func newTLSCACreateCommand(ui cli.Ui) cli.Command {
	c := &tlsCACreateCommand{command: newCommand(ui, words{
		name:     "tls ca create",
		synopsis: "Create a new consul CA",
		about: `
Makes a certificate authority and writes its certificate, which all agents get as
ca_file, and its key, which stays secret: who has it can make himself a server.
No file is ever overwritten.`,
		example: `
$ consul tls ca create
==> Saved consul-agent-ca.pem
==> Saved consul-agent-ca-key.pem`,
	})}
	o := &c.options
	c.flags.IntVar(&o.Days, "days", agentca.DefaultCADays, "valid for `N` days")
	c.flags.StringVar(&o.Domain, "domain", agentca.DefaultDomain, "the DNS domain of the agents is `NAME`")
	c.flags.StringVar(&o.CommonName, "common-name", "", "call the authority `NAME` (default Consul Agent CA and a number)")
	c.flags.StringVar(&o.ClusterID, "cluster-id", "", "name the cluster with the UUID `ID` in the URI of the authority")
	c.flags.BoolVar(&c.constrained, "name-constraint", false, "sign for localhost and the domains given here only")
	c.flags.Func("additional-name-constraint", "sign for `DOMAIN` too; may be repeated", func(domain string) error {
		c.more = append(c.more, domain)
		return nil
	})
	return c
}

// Run implements cli.Command.
func (c *tlsCACreateCommand) Run(args []string) int {
	if _, ok := c.parse(args, 0, 0); !ok {
		return 1
	}
	switch {
	case c.options.Days <= 0:
		return c.misused(errors.New("-days is at least 1"))
	case c.options.Domain == "":
		return c.misused(errors.New("-domain cannot be empty"))
	case len(c.more) > 0 && !c.constrained:
		return c.misused(errors.New("-additional-name-constraint needs -name-constraint"))
	}
	if c.constrained {
		c.options.Constraints = append(c.more, c.options.Domain, "localhost")
	}
	pair, err := agentca.New(c.options, time.Now())
	if err != nil {
		return c.failed("%s", err)
	}
	certFile, keyFile := c.options.Domain+"-agent-ca.pem", c.options.Domain+"-agent-ca-key.pem"
	if err := savePair(certFile, pair.Cert, keyFile, pair.Key); err != nil {
		return c.failed("%s", err)
	}
	c.ui.Output("==> Saved " + certFile)
	c.ui.Output("==> Saved " + keyFile)
	return 0
}
