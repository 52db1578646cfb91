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

// section is an object of the configuration: the keys it may hold, and the objects within. Names are compared without
// regard to upper and lower case, as Consul does.
type section struct {
	path     string // "" for the root
	loose    bool   // underscores do not count either: service and check definitions may be written in CamelCase
	names    []string
	keys     map[string]*Key
	sections map[string]*section
	old      map[string]*spelling
}

// root is the table as a tree; byPath finds a row by its full name.
var root, byPath = plant(table, spellings, false)

// plant builds the tree of sections for a table.
func plant(table []Key, spellings []spelling, loose bool) (*section, map[string]*Key) {
	top := &section{loose: loose}
	byPath := make(map[string]*Key, len(table))
	for i := range table {
		k := &table[i]
		if byPath[k.Path] != nil {
			panic("config: two rows for key " + k.Path)
		}
		byPath[k.Path] = k
		s, name := top.reach(k.Path)
		s.add(name)
		s.keys[s.fold(name)] = k
	}
	for i := range spellings {
		p := &spellings[i]
		if p.now != "" && byPath[p.now] == nil {
			panic("config: an old key is spelled as " + p.now + ", which has no row")
		}
		s, name := top.reach(p.old)
		s.add(name)
		s.old[s.fold(name)] = p
	}
	return top, byPath
}

// reach finds, or makes, the section that a key belongs in, and the key's name there.
func (s *section) reach(path string) (*section, string) {
	names := splitPath(path)
	for _, name := range names[:len(names)-1] {
		below := s.sections[s.fold(name)]
		if below == nil {
			s.add(name)
			below = &section{path: join(s.path, name), loose: s.loose}
			s.sections[s.fold(name)] = below
		}
		s = below
	}
	return s, names[len(names)-1]
}

func (s *section) add(name string) {
	if s.keys == nil {
		s.keys, s.sections, s.old = map[string]*Key{}, map[string]*section{}, map[string]*spelling{}
	}
	if f := s.fold(name); s.keys[f] == nil && s.sections[f] == nil && s.old[f] == nil {
		s.names = append(s.names, name)
	}
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
