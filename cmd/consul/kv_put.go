package main

import (
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/hashicorp/cli"
	"github.com/hashicorp/consul/api"
)

// kvPutCommand sets a key.
type kvPutCommand struct {
	httpCommand
	base64, cas, acquire, release bool
	marks, modifyIndex            uint64
	session                       string
}

func newKVPutCommand(ui cli.Ui) cli.Command {
	c := &kvPutCommand{httpCommand: newHTTPCommand(ui, words{
		name:     "kv put",
		operands: "KEY [DATA]",
		synopsis: "Sets or updates data in the KV store",
		about: `
Sets a key to DATA: to the content of a file for @FILE, to standard input for -,
and to nothing if it is left out.

With -cas only if nobody else has changed the key since the -modify-index that
"kv get -detailed" showed, or, with 0, if there is no such key. With -acquire or
-release it takes or gives back the lock that the key is, for a session.`,
		example: `
$ consul kv put app/port 8080
Success! Data written to: app/port

$ consul kv put app/config @config.json

$ consul kv put -cas -modify-index=844 app/port 8081`,
	})}
	c.passes = true // data may begin with a dash
	c.serverFlags()
	c.flags.BoolVar(&c.acquire, "acquire", false, "lock the key for the -session")
	c.flags.BoolVar(&c.base64, "base64", false, "DATA is in base64")
	c.flags.BoolVar(&c.cas, "cas", false, "only if the key has the -modify-index")
	c.flags.Uint64Var(&c.marks, "flags", 0, "a `NUMBER` to keep with the key, which means what you like")
	c.flags.Uint64Var(&c.modifyIndex, "modify-index", 0, "with -cas, the ModifyIndex `N` that the key must have; 0 for a new key")
	c.flags.BoolVar(&c.release, "release", false, "unlock the key, which the -session has locked")
	c.flags.StringVar(&c.session, "session", "", "the session `ID` that -acquire and -release are for")
	return c
}

// Run implements cli.Command.
func (c *kvPutCommand) Run(args []string) int {
	agent, operands, ok := c.open(args, 1, 2)
	if !ok {
		return 1
	}
	pair, err := c.pair(operands)
	if err != nil {
		return c.failed("Error! %s", err)
	}
	done, said, err := c.write(agent.KV(), pair)
	switch {
	case err != nil:
		return c.failed("Error! Did not write to %s: %s", pair.Key, c.http.explain(err))
	case !done:
		return c.failed("Error! %s", said)
	}
	c.ui.Output("Success! " + said)
	return 0
}

// pair returns the key as it is to be, or what is wrong with the command line.
func (c *kvPutCommand) pair(operands []string) (*api.KVPair, error) {
	pair := &api.KVPair{Key: keyOf(operands), Flags: c.marks, ModifyIndex: c.modifyIndex, Session: c.session}
	switch {
	case pair.Key == "":
		return nil, errors.New("Missing KEY argument")
	case (c.acquire || c.release) && c.session == "":
		return nil, errors.New("Missing -session (required with -acquire and -release)")
	case len(operands) == 1:
		return pair, nil
	}
	var err error
	if pair.Value, err = dataOf(operands[1]); err != nil {
		return nil, err
	}
	if c.base64 {
		if pair.Value, err = base64.StdEncoding.DecodeString(string(pair.Value)); err != nil {
			return nil, fmt.Errorf("Cannot base 64 decode data: %w", err)
		}
	}
	return pair, nil
}

// write sets the key. It returns whether that was done, and what to say of it.
func (c *kvPutCommand) write(kv *api.KV, pair *api.KVPair) (done bool, said string, err error) {
	switch {
	case c.cas:
		done, _, err = kv.CAS(pair, nil)
		said = fmt.Sprintf("Did not write to %s: CAS failed", pair.Key)
		if c.modifyIndex == 0 {
			said = fmt.Sprintf("Did not write to %s: CAS performed with index=0 and key already exists.", pair.Key)
		}
	case c.acquire:
		done, _, err = kv.Acquire(pair, nil)
		if said = "Did not acquire lock"; done {
			return done, "Lock acquired on: " + pair.Key, nil
		}
	case c.release:
		done, _, err = kv.Release(pair, nil)
		if said = "Did not release lock"; done {
			return done, "Lock released on: " + pair.Key, nil
		}
	default:
		_, err = kv.Put(pair, nil)
		done = err == nil
	}
	if done {
		said = "Data written to: " + pair.Key
	}
	return done, said, err
}
