package main

import (
	"crypto/rand"
	"encoding/base64"

	"github.com/hashicorp/cli"
)

// gossipKeySize is the length of a new gossip key in bytes; it selects AES-256.
const gossipKeySize = 32

// keygenCommand prints a new gossip key.
type keygenCommand struct{ command }

func newKeygenCommand(ui cli.Ui) cli.Command {
	return &keygenCommand{newCommand(ui, words{
		name:     "keygen",
		synopsis: "Generates a new encryption key",
		about: `
Prints a new random key, in base64, that agents can encrypt their gossip with.
All agents of a cluster need the same one: give it to them as "encrypt" in the
configuration, or, while they run, with "consul keyring".`,
		example: `
$ consul keygen
3bQ/6LTGwzjcL1BHFO3eImF/7mWF9Ie5WrYXGB9dYKE=`,
	})}
}

// Run implements cli.Command.
func (c *keygenCommand) Run(args []string) int {
	if _, ok := c.parse(args, 0, 0); !ok {
		return 1
	}
	var key [gossipKeySize]byte
	rand.Read(key[:]) // never fails: it ends the program instead
	c.ui.Output(base64.StdEncoding.EncodeToString(key[:]))
	return 0
}
