package main

import (
	"encoding/json"
	"strings"

	"github.com/hashicorp/cli"
	"github.com/hashicorp/consul/api"
)

// kvImportCommand sets keys from JSON.
type kvImportCommand struct {
	httpCommand
	prefix string
}

func newKVImportCommand(ui cli.Ui) cli.Command {
	c := &kvImportCommand{httpCommand: newHTTPCommand(ui, words{
		name:     "kv import",
		operands: "DATA",
		synopsis: "Imports a tree stored as JSON to the KV store",
		about: `
Sets the keys that "consul kv export" has printed: from a file for @FILE, from
standard input for -, or from the argument itself. All of it is read before the
first key is set. Keys that are there and not in DATA stay as they are.`,
		example: `
$ consul kv import @app.json
Imported: app/port

$ consul kv export app/ | consul kv import -http-addr=10.0.0.9:8500 -`,
	})}
	c.serverFlags()
	c.flags.StringVar(&c.prefix, "prefix", "", "put the keys below `PREFIX`")
	return c
}

// Run implements cli.Command.
func (c *kvImportCommand) Run(args []string) int {
	agent, operands, ok := c.open(args, 1, 1)
	if !ok {
		return 1
	}
	data, err := dataOf(operands[0])
	if err != nil {
		return c.failed("Error! %s", err)
	}
	var entries []kvEntry
	if err := json.Unmarshal(data, &entries); err != nil {
		return c.failed("Cannot unmarshal data: it is the JSON of \"consul kv export\", a list of objects with key, flags and value (%s)", err)
	}
	for i, e := range entries {
		if e.Key == "" {
			return c.failed("Cannot unmarshal data: entry %d has no key", i+1)
		}
	}
	for _, e := range entries {
		pair := &api.KVPair{Key: below(c.prefix, e.Key), Flags: e.Flags, Value: e.Value}
		if _, err := agent.KV().Put(pair, nil); err != nil {
			return c.failed("Error! Failed writing data for key %s: %s", pair.Key, c.http.explain(err))
		}
		c.ui.Output("Imported: " + pair.Key)
	}
	return 0
}

// below returns a key below a prefix, which may end in a slash or not.
func below(prefix, key string) string {
	if prefix == "" {
		return key
	}
	return strings.Trim(prefix, "/") + "/" + key
}
