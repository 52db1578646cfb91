package certs

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/actor-consul/consul/messages"
)

const (
	// maxFile bounds what is read of a file: 1 MiB is a few hundred certificates.
	maxFile = 1 << 20
	// maxFiles bounds how many files of a directory are read.
	maxFiles = 1000
)

// file is what a file holds.
type file struct {
	path string
	text []byte
}

// material is what the files of a section hold.
type material struct {
	section     messages.TLSSection
	authorities []file
	cert, key   file
}

// read reads the files of a section.
func read(s messages.TLSSection) (*material, error) {
	m := &material{section: s}
	var err error
	switch {
	case s.CAFile != "":
		m.authorities = make([]file, 1)
		m.authorities[0], err = readFile("ca_file", s.CAFile)
	case s.CAPath != "":
		m.authorities, err = readDir(s.CAPath)
	}
	if err == nil && s.CertFile != "" {
		m.cert, err = readFile("cert_file", s.CertFile)
	}
	if err == nil && s.KeyFile != "" {
		m.key, err = readFile("key_file", s.KeyFile)
	}
	return m, err
}

func readFile(key, path string) (file, error) {
	f, err := os.Open(path)
	if err != nil {
		return file{}, fmt.Errorf("%s cannot be read: %w", key, err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return file{}, fmt.Errorf("%s cannot be read: %w", key, err)
	}
	if len(text) > maxFile {
		return file{}, fmt.Errorf("%s %s is larger than %d bytes: it is no certificate", key, path, maxFile)
	}
	return file{path, text}, nil
}

// readDir reads the files of ca_path, but not those of directories in it.
func readDir(dir string) ([]file, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("ca_path cannot be read: %w", err)
	}
	if len(entries) > maxFiles {
		return nil, fmt.Errorf("ca_path %s has %d files, more than %d", dir, len(entries), maxFiles)
	}
	var all []file
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			continue
		}
		f, err := readFile("a file of ca_path", path)
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	return all, nil
}
