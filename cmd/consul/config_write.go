package main

import (
	"bytes"
	"fmt"

	"github.com/hashicorp/cli"
	"github.com/hashicorp/consul/api"
	"github.com/hashicorp/hcl"
)

// configWriteCommand sets a config entry.
type configWriteCommand struct {
	httpCommand
	cas         bool
	modifyIndex uint64
}

func newConfigWriteCommand(ui cli.Ui) cli.Command {
	c := &configWriteCommand{httpCommand: newHTTPCommand(ui, words{
		name:     "config write",
		operands: "FILE",
		synopsis: "Create or update a centralized config entry",
		about: `
Sets the config entry that a file holds, in HCL or JSON; - is standard input. With
-cas only if nobody else has changed it since the -modify-index.`,
		example: `
$ consul config write web.hcl
Config entry written: service-defaults/web`,
	})}
	c.serverFlags()
	c.flags.BoolVar(&c.cas, "cas", false, "only if the entry has the -modify-index")
	c.flags.Uint64Var(&c.modifyIndex, "modify-index", 0, "with -cas, the ModifyIndex `N` that the entry must have; 0 for a new one")
	return c
}

// Run implements cli.Command.
func (c *configWriteCommand) Run(args []string) int {
	agent, operands, ok := c.open(args, 1, 1)
	if !ok {
		return 1
	}
	entry, err := readEntry(operands[0])
	if err != nil {
		return c.failed("Error: %s: %s", printable(operands[0]), err)
	}
	name := entryName{entry.GetKind(), entry.GetName()}
	done, entries := false, agent.ConfigEntries()
	if c.cas {
		done, _, err = entries.CAS(entry, c.modifyIndex, nil)
	} else {
		done, _, err = entries.Set(entry, nil)
	}
	switch {
	case err != nil:
		return c.refused("writing config entry "+name.String(), err)
	case !done:
		return c.failed("Error writing config entry %s: CAS failed, it is not as it was at index %d", &name, c.modifyIndex)
	}
	c.ui.Output("Config entry written: " + printable(name.String()))
	return 0
}

// readEntry reads a config entry from a file.
func readEntry(path string) (api.ConfigEntry, error) {
	if path != "-" {
		path = "@" + path
	}
	text, err := dataOf(path)
	if err != nil {
		return nil, err
	}
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		return api.DecodeConfigEntryFromJSON(text)
	}
	raw, err := decodeHCL(text)
	if err != nil {
		return nil, err
	}
	return api.DecodeConfigEntry(raw)
}

// decodeHCL reads HCL. The library panics on some malformed text: at this border, and
// only here, that becomes an ordinary error.
func decodeHCL(text []byte) (raw map[string]any, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("invalid HCL: %v", r)
		}
	}()
	if err := hcl.Unmarshal(text, &raw); err != nil {
		return nil, err
	}
	for key, value := range raw {
		raw[key] = single(value)
	}
	return raw, nil
}

// single returns what HCL has read with every block that stands alone as an object:
// to HCL each is a list of blocks. Where a list is wanted the reader makes one of it.
func single(value any) any {
	switch v := value.(type) {
	case []map[string]any:
		if len(v) == 1 {
			return single(v[0])
		}
		for i := range v {
			single(v[i])
		}
	case []any:
		for i := range v {
			v[i] = single(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = single(v[key])
		}
	}
	return value
}
