package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/hashicorp/cli"
)

func newKVCommand(ui cli.Ui) cli.Command {
	return newGroupCommand(ui, words{
		name:     "kv",
		synopsis: "Interact with the key-value store",
		about: `
Reads, writes and deletes keys of the key-value store, one or all below a prefix,
and carries them from one cluster to another as JSON.`,
		example: `
$ consul kv put app/port 8080
Success! Data written to: app/port

$ consul kv get app/port
8080`,
	}, "delete", "export", "get", "import", "put")
}

// keyOf returns the key or the prefix that was given, "" if there was none. Keys do
// not begin with a slash, and people write one as if they did.
func keyOf(operands []string) string {
	if len(operands) == 0 {
		return ""
	}
	return strings.TrimPrefix(operands[0], "/")
}

// dataOf returns what an operand stands for: the content of FILE for @FILE, standard
// input for -, and else itself.
func dataOf(operand string) ([]byte, error) {
	switch path, isFile := strings.CutPrefix(operand, "@"); {
	case isFile:
		return os.ReadFile(path)
	case operand == "-":
		data, err := io.ReadAll(os.Stdin)
		if err != nil {
			return nil, fmt.Errorf("standard input: %w", err)
		}
		return data, nil
	default:
		return []byte(operand), nil
	}
}
