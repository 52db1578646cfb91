package main

import (
	"encoding/json"

	"github.com/hashicorp/cli"
)

// kvEntry is a key in the JSON of export and import, which is Consul's.
type kvEntry struct {
	Key   string `json:"key"`
	Flags uint64 `json:"flags"`
	Value []byte `json:"value"` // in base64
}

// kvExportCommand writes keys as JSON.
type kvExportCommand struct{ httpCommand }

func newKVExportCommand(ui cli.Ui) cli.Command {
	c := &kvExportCommand{newHTTPCommand(ui, words{
		name:     "kv export",
		operands: "[PREFIX]",
		synopsis: "Exports a tree from the KV store as JSON",
		about: `
Prints all keys that begin with the prefix, their flags and values, as JSON that
"consul kv import" reads. Without a prefix it is all keys. Locks are not in it.`,
		example: `
$ consul kv export app/
[
	{
		"key": "app/port",
		"flags": 0,
		"value": "ODA4MA=="
	}
]`,
	})}
	c.serverFlags()
	return c
}

// Run implements cli.Command.
func (c *kvExportCommand) Run(args []string) int {
	agent, operands, ok := c.open(args, 0, 1)
	if !ok {
		return 1
	}
	pairs, _, err := agent.KV().List(keyOf(operands), c.query())
	if err != nil {
		return c.refused("querying Consul agent", err)
	}
	entries := make([]kvEntry, len(pairs))
	for i, p := range pairs {
		entries[i] = kvEntry{Key: p.Key, Flags: p.Flags, Value: append([]byte{}, p.Value...)}
	}
	text, err := json.MarshalIndent(entries, "", "\t")
	if err != nil {
		return c.failed("Error exporting KV data: %s", err)
	}
	c.ui.Output(string(text))
	return 0
}
