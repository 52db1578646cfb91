package main

import (
	"encoding/base64"
	"fmt"

	"github.com/hashicorp/cli"
	"github.com/hashicorp/consul/api"
)

// kvGetCommand shows keys and their values.
type kvGetCommand struct {
	httpCommand
	base64, detailed, keys, recurse bool
	separator                       string
}

func newKVGetCommand(ui cli.Ui) cli.Command {
	c := &kvGetCommand{httpCommand: newHTTPCommand(ui, words{
		name:     "kv get",
		operands: "[KEY_OR_PREFIX]",
		synopsis: "Retrieves or lists data from the KV store",
		about: `
Prints the value of a key, as it is and with a line end; with -recurse, all keys
that begin with the prefix and their values; with -keys, the next level of keys
below the prefix, and with both all keys below it.

Exits with 1 when the key does not exist. A prefix that nothing begins with has
no lines.`,
		example: `
$ consul kv get app/port
8080

$ consul kv get -recurse app/
app/name:shop
app/port:8080

$ consul kv get -keys app
app/`,
	})}
	c.serverFlags()
	c.flags.BoolVar(&c.base64, "base64", false, "write values in base64, which holds whatever is in them")
	c.flags.BoolVar(&c.detailed, "detailed", false, "show all that is known of a key: its indexes, flags and lock")
	c.flags.BoolVar(&c.keys, "keys", false, "list keys, without their values")
	c.flags.BoolVar(&c.recurse, "recurse", false, "take everything that begins with the prefix")
	c.flags.StringVar(&c.separator, "separator", "/", "with -keys, go no further than the next `TEXT` in a key")
	return c
}

// Run implements cli.Command.
func (c *kvGetCommand) Run(args []string) int {
	agent, operands, ok := c.open(args, 0, 1)
	if !ok {
		return 1
	}
	key := keyOf(operands)
	switch {
	case c.recurse:
		return c.list(agent.KV(), key)
	case c.keys:
		return c.listKeys(agent.KV(), key)
	case key == "":
		return c.failed("Error! Missing KEY argument")
	default:
		return c.get(agent.KV(), key)
	}
}

func (c *kvGetCommand) get(kv *api.KV, key string) int {
	pair, _, err := kv.Get(key, c.query())
	switch {
	case err != nil:
		return c.refused("querying Consul agent", err)
	case pair == nil:
		return c.failed("Error! No key exists at: %s", key)
	case c.detailed:
		c.ui.Output(c.details(pair))
	default:
		c.ui.Output(c.value(pair))
	}
	return 0
}

func (c *kvGetCommand) listKeys(kv *api.KV, prefix string) int {
	keys, _, err := kv.Keys(prefix, c.separator, c.query())
	if err != nil {
		return c.refused("querying Consul agent", err)
	}
	for _, key := range keys {
		c.ui.Output(key)
	}
	return 0
}

func (c *kvGetCommand) list(kv *api.KV, prefix string) int {
	pairs, _, err := kv.List(prefix, c.query())
	if err != nil {
		return c.refused("querying Consul agent", err)
	}
	for i, pair := range pairs {
		switch {
		case c.detailed && i > 0:
			c.ui.Output("\n" + c.details(pair))
		case c.detailed:
			c.ui.Output(c.details(pair))
		case c.keys:
			c.ui.Output(pair.Key)
		default:
			c.ui.Output(pair.Key + ":" + c.value(pair))
		}
	}
	return 0
}

// value returns the value as it is to be printed: what it holds is up to whoever
// asks for it, and may be a file.
func (c *kvGetCommand) value(pair *api.KVPair) string {
	if c.base64 {
		return base64.StdEncoding.EncodeToString(pair.Value)
	}
	return string(pair.Value)
}

// details has a line for each field of a key.
func (c *kvGetCommand) details(pair *api.KVPair) string {
	session := pair.Session
	if session == "" {
		session = "-"
	}
	rows := [][]string{
		{"CreateIndex", fmt.Sprint(pair.CreateIndex)},
		{"Flags", fmt.Sprint(pair.Flags)},
		{"Key", pair.Key},
		{"LockIndex", fmt.Sprint(pair.LockIndex)},
		{"ModifyIndex", fmt.Sprint(pair.ModifyIndex)},
		{"Session", session},
	}
	if !c.keys {
		rows = append(rows, []string{"Value", c.value(pair)})
	}
	return alignWith(wideGap, rows)
}
