package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/hashicorp/cli"
)

func newTLSCommand(ui cli.Ui) cli.Command {
	return newGroupCommand(ui, words{
		name:     "tls",
		synopsis: "Builtin helpers for creating CAs and certificates",
		about: `
Makes a certificate authority for a cluster, and certificates for its servers, its
client agents and those who speak to them. No agent is needed for it.`,
		example: `
$ consul tls ca create
$ consul tls cert create -server`,
	}, "ca", "cert")
}

func newTLSCACommand(ui cli.Ui) cli.Command {
	return newGroupCommand(ui, words{
		name:     "tls ca",
		synopsis: "Helpers for CAs",
		about:    "Makes the certificate authority of a cluster.",
		example:  "$ consul tls ca create",
	}, "create")
}

func newTLSCertCommand(ui cli.Ui) cli.Command {
	return newGroupCommand(ui, words{
		name:     "tls cert",
		synopsis: "Helpers for certificates",
		about:    "Makes certificates that the authority of a cluster signs.",
		example:  "$ consul tls cert create -client",
	}, "create")
}

// The permissions of new files. A key is its owner's alone.
const (
	certMode fs.FileMode = 0o644
	keyMode  fs.FileMode = 0o600
)

// saveNew writes a file that must not exist yet.
func saveNew(path string, text []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s already exists.", path) // Consul's text
	}
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(path) // half a file would be in the way of the next try
	}
	return err
}

// savePair writes a certificate and its key, or neither.
func savePair(certFile string, cert []byte, keyFile string, key []byte) error {
	if err := saveNew(certFile, cert, certMode); err != nil {
		return err
	}
	if err := saveNew(keyFile, key, keyMode); err != nil {
		_ = os.Remove(certFile)
		return err
	}
	return nil
}

// exists reports whether there is something of that name.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
