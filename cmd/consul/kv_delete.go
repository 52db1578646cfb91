package main

import (
	"errors"
	"fmt"

	"github.com/hashicorp/cli"
	"github.com/hashicorp/consul/api"
)

// kvDeleteCommand deletes keys.
type kvDeleteCommand struct {
	httpCommand
	cas, recurse bool
	modifyIndex  uint64
}

func newKVDeleteCommand(ui cli.Ui) cli.Command {
	c := &kvDeleteCommand{httpCommand: newHTTPCommand(ui, words{
		name:     "kv delete",
		operands: "[KEY_OR_PREFIX]",
		synopsis: "Removes data from the KV store",
		about: `
Deletes a key, or, with -recurse, all keys that begin with a prefix; a key that
does not exist is no error. An empty prefix needs -recurse, and means all keys.`,
		example: `
$ consul kv delete app/port
Success! Deleted key: app/port

$ consul kv delete -recurse app/
Success! Deleted keys with prefix: app/`,
	})}
	c.serverFlags()
	c.flags.BoolVar(&c.cas, "cas", false, "only if the key has the -modify-index")
	c.flags.Uint64Var(&c.modifyIndex, "modify-index", 0, "with -cas, the ModifyIndex `N` that the key must have")
	c.flags.BoolVar(&c.recurse, "recurse", false, "delete everything that begins with the prefix")
	return c
}

// Run implements cli.Command.
func (c *kvDeleteCommand) Run(args []string) int {
	agent, operands, ok := c.open(args, 0, 1)
	if !ok {
		return 1
	}
	key := keyOf(operands)
	if err := c.sense(key); err != nil {
		return c.misused(err)
	}
	if c.recurse {
		if _, err := agent.KV().DeleteTree(key, nil); err != nil {
			return c.failed("Error! Did not delete prefix %s: %s", key, c.http.explain(err))
		}
		c.ui.Output("Success! Deleted keys with prefix: " + key)
		return 0
	}
	if err := c.remove(agent.KV(), key); err != nil {
		return c.failed("Error! Did not delete key %s: %s", key, c.http.explain(err))
	}
	c.ui.Output("Success! Deleted key: " + key)
	return 0
}

// sense says what in the command line contradicts itself.
func (c *kvDeleteCommand) sense(key string) error {
	switch {
	case key == "" && !c.recurse:
		return errors.New("Missing KEY argument; for all keys give -recurse")
	case c.cas && c.recurse:
		return errors.New("Cannot specify both -cas and -recurse!")
	case c.cas && c.modifyIndex == 0:
		return errors.New("Cannot delete a key that does not exist. Provide a -modify-index greater than 0.")
	case !c.cas && c.modifyIndex != 0:
		return errors.New("Cannot specify -modify-index without -cas!")
	default:
		return nil
	}
}

func (c *kvDeleteCommand) remove(kv *api.KV, key string) error {
	if !c.cas {
		_, err := kv.Delete(key, nil)
		return err
	}
	done, _, err := kv.DeleteCAS(&api.KVPair{Key: key, ModifyIndex: c.modifyIndex}, nil)
	if err == nil && !done {
		err = fmt.Errorf("CAS failed")
	}
	return err
}
