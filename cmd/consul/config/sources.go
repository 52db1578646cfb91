package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// file is one configuration file, found but not yet read.
type file struct {
	path   string
	format string
}

// find lists the files that -config-file and -config-dir name, in order: a file as it is, a directory as its files by
// name. Sub-directories are left alone, files of another extension are skipped with a warning. A format that is not ""
// is that of every file, whatever its name.
func find(paths []string, format string) ([]file, []Warning, error) {
	var files []file
	var warnings []Warning
	for _, path := range paths {
		names := []string{path}
		info, err := os.Stat(path)
		if err != nil {
			return nil, warnings, unreadable(path, err)
		}
		if info.IsDir() {
			if names, err = listDir(path); err != nil {
				return nil, warnings, err
			}
		}
		for _, name := range names {
			f := file{path: name, format: format}
			if f.format == "" {
				f.format = formatOf(name)
			}
			if f.format == "" {
				warnings = append(warnings, warn(place{source: name}, "skipped: the name must end in .hcl or .json, or -config-format must be given"))
				continue
			}
			files = append(files, f)
		}
	}
	return files, warnings, nil
}

// listDir gives the files of a directory by name. Links are followed: orchestrators mount files as links.
func listDir(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, unreadable(dir, err)
	}
	var names []string
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		info, err := os.Stat(path)
		if err != nil {
			return nil, unreadable(path, err)
		}
		if info.Mode().IsRegular() {
			names = append(names, path)
		}
	}
	return names, nil
}

func formatOf(name string) string {
	switch ext := strings.TrimPrefix(filepath.Ext(name), "."); ext {
	case formatHCL, formatJSON:
		return ext
	}
	return ""
}

// read gives the content of a file, or one byte more than it may have.
func (f file) read() ([]byte, error) {
	r, err := os.Open(f.path)
	if err != nil {
		return nil, unreadable(f.path, err)
	}
	defer r.Close() //nolint:errcheck // it was only read
	data, err := io.ReadAll(io.LimitReader(r, MaxFileSize+1))
	if err != nil {
		return nil, unreadable(f.path, err)
	}
	return data, nil
}

// unreadable says which file or directory cannot be read, and why.
func unreadable(path string, err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	return fmt.Errorf("configuration %s cannot be read: %w", path, err)
}
