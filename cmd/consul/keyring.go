package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/cli"

	"github.com/actor-consul/consul/messages/agentrpc"
)

// maxRelayFactor is how many relays serf goes up to.
const maxRelayFactor = 5

// keyringCommand lists and changes the gossip keys of all members.
type keyringCommand struct {
	eitherCommand
	list, listPrimary, local bool
	install, use, remove     string // keys, in base64
	relayFactor              uint
}

func newKeyringCommand(ui cli.Ui) cli.Command {
	c := &keyringCommand{eitherCommand: newEitherCommand(ui, words{
		name:     "keyring",
		synopsis: "Manages gossip layer encryption keys",
		about: `
Lists or changes the keys that the agents encrypt their gossip with, at all
members of the LAN pool, and of the WAN pool where the agent is a server. To
change to a new key without an interruption, install it, use it, and then remove
the old one. Exactly one of -list, -list-primary, -install, -use and -remove is
needed.

Exits with 1 when a member could not do it; which one, and why, is then shown.`,
		example: `
$ consul keyring -list
==> Gathering installed encryption keys...

WAN:
  3bQ/6LTGwzjcL1BHFO3eImF/7mWF9Ie5WrYXGB9dYKE= [1/1]

dc1 (LAN):
  3bQ/6LTGwzjcL1BHFO3eImF/7mWF9Ie5WrYXGB9dYKE= [3/3]

$ consul keyring -install=$(consul keygen)`,
	})}
	c.flags.BoolVar(&c.list, "list", false, "list the keys and at how many of the members each is installed")
	c.flags.StringVar(&c.install, "install", "", "install `KEY` at all members, without using it yet")
	c.flags.StringVar(&c.use, "use", "", "encrypt with `KEY`, which is installed, from now on")
	c.flags.StringVar(&c.remove, "remove", "", "remove `KEY`, which is not in use, from all members")
	c.flags.UintVar(&c.relayFactor, "relay-factor", 0, fmt.Sprintf(
		"let the members also answer through `N` others, at most %d", maxRelayFactor))
	c.flags.BoolVar(&c.listPrimary, "list-primary", false, "list the keys that members encrypt with, and how many do; over HTTP")
	c.flags.BoolVar(&c.local, "local-only", false, "ask no members of the WAN pool, for a list; over HTTP")
	c.onlyHTTP("list-primary")
	c.onlyHTTP("local-only")
	c.bothWays("token")
	return c
}

// Run implements cli.Command.
func (c *keyringCommand) Run(args []string) int {
	if _, ok := c.parse(args, 0, 0); !ok {
		return 1
	}
	do, err := c.action()
	if err != nil {
		return c.misused(err)
	}
	agent, ok := c.dial()
	if !ok {
		return 1
	}
	defer agent.Close()
	c.ui.Output("==> " + do.intro)
	answer, err := agent.Keyring(keyringQuery{
		command: do.command, key: do.key, relayFactor: uint8(c.relayFactor), token: c.http.token,
		primary: c.listPrimary, local: c.local,
	})
	if troubles := keyringTroubles(answer); troubles != "" {
		return c.failed("%s", troubles)
	}
	if err != nil {
		return c.failed("Error: %s", c.http.explain(err))
	}
	if do.command == agentrpc.ListKeys {
		c.ui.Output(keyringList(answer))
	} else {
		c.ui.Output("==> Done!")
	}
	return 0
}

// keyringAction is what to do to the keys.
type keyringAction struct {
	command agentrpc.Command
	key     string
	intro   string // told before, since it can take a while
}

// action returns the one that was asked for.
func (c *keyringCommand) action() (do keyringAction, err error) {
	asked := 0
	c.flags.Visit(func(f *flag.Flag) {
		switch f.Name {
		case "list":
			do = keyringAction{agentrpc.ListKeys, "", "Gathering installed encryption keys..."}
		case "list-primary":
			do = keyringAction{agentrpc.ListKeys, "", "Gathering installed primary encryption keys..."}
		case "install":
			do = keyringAction{agentrpc.InstallKey, c.install, "Installing new gossip encryption key..."}
		case "use":
			do = keyringAction{agentrpc.UseKey, c.use, "Changing primary gossip encryption key..."}
		case "remove":
			do = keyringAction{agentrpc.RemoveKey, c.remove, "Removing gossip encryption key..."}
		default:
			return
		}
		asked++
	})
	switch {
	case asked != 1:
		return do, errors.New("needs exactly one of -list, -list-primary, -install, -use and -remove")
	case do.command == agentrpc.ListKeys && !c.list && !c.listPrimary:
		return do, errors.New("-list=false asks for nothing")
	case c.local && do.command != agentrpc.ListKeys:
		return do, errors.New("-local-only goes with -list and -list-primary")
	case do.command != agentrpc.ListKeys && do.key == "":
		return do, errors.New("the key is empty")
	case c.relayFactor > maxRelayFactor:
		return do, fmt.Errorf("-relay-factor is at most %d", maxRelayFactor)
	}
	return do, nil
}

// keyringList has a paragraph for each pool, with a line for each key: at how many
// of the pool's members it is installed.
func keyringList(answer *agentrpc.KeyringResponse) string {
	var lines []string
	for _, pool := range pools(answer) {
		lines = append(lines, "", poolName(pool.Datacenter, pool.Pool)+":")
		for _, m := range answer.Messages {
			if m.Datacenter == pool.Datacenter && m.Pool == pool.Pool {
				lines = append(lines, printable("  ===> "+m.Node+": "+m.Message))
			}
		}
		keys := slices.DeleteFunc(slices.Clone(answer.Keys), func(k agentrpc.KeyringEntry) bool {
			return k.Datacenter != pool.Datacenter || k.Pool != pool.Pool
		})
		slices.SortFunc(keys, func(a, b agentrpc.KeyringEntry) int { return cmp.Compare(a.Key, b.Key) })
		for _, k := range keys {
			lines = append(lines, fmt.Sprintf("  %s [%d/%d]", printable(k.Key), k.Count, pool.NumNodes))
		}
	}
	return strings.Join(lines, "\n")
}

// keyringTroubles has a paragraph for each pool in which it did not work, with a
// line for each member that says why; it is empty when all went well.
func keyringTroubles(answer *agentrpc.KeyringResponse) string {
	var lines []string
	for _, pool := range pools(answer) {
		if pool.Error == "" {
			continue
		}
		lines = append(lines, "", printable(poolName(pool.Datacenter, pool.Pool)+" error: "+pool.Error))
		for _, m := range answer.Messages {
			if m.Datacenter == pool.Datacenter && m.Pool == pool.Pool {
				lines = append(lines, printable("  "+m.Node+": "+m.Message))
			}
		}
	}
	return strings.Join(lines, "\n")
}

// pools returns the pools that answered, the WAN first and then by datacenter.
func pools(answer *agentrpc.KeyringResponse) []agentrpc.KeyringInfo {
	return slices.SortedFunc(slices.Values(answer.Info), func(a, b agentrpc.KeyringInfo) int {
		return cmp.Or(cmp.Compare(b.Pool, a.Pool), cmp.Compare(a.Datacenter, b.Datacenter))
	})
}

func poolName(datacenter, pool string) string {
	if pool == "WAN" {
		return pool
	}
	return printable(datacenter) + " (" + printable(pool) + ")"
}
