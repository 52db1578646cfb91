package config

import (
	"fmt"
	"strings"
)

// Use is what the agent does with a key.
type Use int

// The uses, which may be combined. A key of use 0 is accepted, and named in a warning as not acted upon yet.
const (
	Acted      Use = 1 << iota // the agent obeys it
	Reloads                    // the agent obeys a new value after a reload, too
	Quiet                      // nothing to obey: internal to Consul, or it turns off what this agent never does
	Enterprise                 // belongs to Consul Enterprise and has no effect
	Positive                   // zero is a mistake
)

// Key is one row of the table: a key of the configuration, and all there is to know about it.
type Key struct {
	Path    string // full name, as in "dns_config.node_ttl"
	Kind    Kind   // what sort of value it takes
	Default string // its value where nothing is said, as a flag would give it; the documentation says more where "" is not the whole truth
	Use     Use    // what the agent does with it
	Doc     string // what it is for
}

// Is reports whether the agent makes all of use of the key.
func (k *Key) Is(use Use) bool { return k.Use&use == use }

// Keys is the table: each key that configuration files may hold, in the order of the documentation. The answer is the
// caller's.
func Keys() []Key { return append([]Key(nil), table...) }

// section is an object of the configuration: what may stand in it, by name. Names are compared without regard to upper
// and lower case, as Consul does.
type section struct {
	loose   bool // underscores do not count either: service and check definitions may be written in CamelCase
	names   []string
	entries map[string]*entry // by folded name
}

// entry is what a name stands for: a section, a key, or an old key and the key that it means today, if any.
type entry struct {
	section *section
	key     *Key
	old     *spelling
}

// root is the table as a tree; byPath finds a row by its full name.
var root, byPath = plant(table, spellings, false)

// plant builds the tree of sections for a table.
func plant(table []Key, spellings []spelling, loose bool) (*section, map[string]*Key) {
	top := newSection(loose)
	byPath := make(map[string]*Key, len(table))
	for i := range table {
		k := &table[i]
		byPath[k.Path] = k
		top.add(k.Path, &entry{key: k})
	}
	for i := range spellings {
		p := &spellings[i]
		k := byPath[p.now]
		if k == nil && p.now != "" {
			panic(fmt.Sprintf("config: %s is another name for %s, which has no row", p.old, p.now))
		}
		top.add(p.old, &entry{key: k, old: p})
	}
	return top, byPath
}

func newSection(loose bool) *section { return &section{loose: loose, entries: map[string]*entry{}} }

func (s *section) find(name string) *entry { return s.entries[s.fold(name)] }

// add puts an entry where its path says, making the sections on the way.
func (s *section) add(path string, e *entry) {
	names := splitPath(path)
	last := len(names) - 1
	for _, name := range names[:last] {
		below := s.find(name)
		if below == nil {
			below = &entry{section: newSection(s.loose)}
			s.names = append(s.names, name)
			s.entries[s.fold(name)] = below
		}
		if s = below.section; s == nil {
			panic(fmt.Sprintf("config: %s of %s is a key and a section", name, path))
		}
	}
	if s.find(names[last]) != nil {
		panic("config: two rows for " + path)
	}
	s.names = append(s.names, names[last])
	s.entries[s.fold(names[last])] = e
}

func (s *section) fold(name string) string {
	name = strings.ToLower(name)
	if s.loose {
		name = strings.ReplaceAll(name, "_", "")
	}
	return name
}

// splitPath splits at dots, except before a digit: "telemetry.disable_compat_1.9" is a key of telemetry.
func splitPath(path string) []string {
	parts := strings.Split(path, ".")
	names := parts[:1]
	for _, p := range parts[1:] {
		if p[0] >= '0' && p[0] <= '9' {
			names[len(names)-1] += "." + p
			continue
		}
		names = append(names, p)
	}
	return names
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// mustKey is for code that names a key of the table: a name that has no row is a broken invariant.
func mustKey(path string) *Key {
	k := byPath[path]
	if k == nil {
		panic(fmt.Sprintf("config: the table has no key %q", path))
	}
	return k
}

// defaults is the lowest layer: every key that has one, with the default of its row.
func defaults() settings {
	all := make(settings, len(table))
	for i := range table {
		k := &table[i]
		if k.Default == "" {
			continue
		}
		v, err := k.Kind.info().text(k.Default)
		if err != nil {
			panic(fmt.Sprintf("config: default %q of key %s: %v", k.Default, k.Path, err))
		}
		all[k.Path] = setting{key: k, value: v}
	}
	return all
}
