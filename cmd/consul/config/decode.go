package config

import (
	"errors"
	"fmt"
	"strings"
)

// enterpriseText is Consul's own warning.
const enterpriseText = "%q is a Consul Enterprise configuration and will have no effect"

// setting is the value of one key and where it was set.
type setting struct {
	key   *Key
	value any // of the Go type that the key's kind names
	at    place
}

// settings are values by the full name of their key. A key that is missing was not set.
type settings map[string]setting

// put sets a key, merging with what is there as the key's kind says.
func (s settings) put(now setting) {
	if before, ok := s[now.key.Path]; ok {
		if merge := now.key.Kind.info().merge; merge != nil && before.value != nil {
			now.value = merge(before.value, now.value)
		}
	}
	s[now.key.Path] = now
}

// lay puts a whole layer on top.
func (s settings) lay(layer settings) {
	for _, v := range layer {
		s.put(v)
	}
}

// decoder turns the values of one source into settings. It goes on after a mistake, so that all are reported together.
type decoder struct {
	source   string
	problems Problems
	warnings []Warning
	more     int // problems beyond maxProblems
}

// decode reads one source against the table. Problems and warnings are in the order of the lines.
func decode(source, format string, data []byte) (settings, []Warning, Problems) {
	n, bad := parse(source, format, data)
	if bad != nil {
		return nil, nil, Problems{*bad}
	}
	d := &decoder{source: source}
	into := settings{}
	d.object(root, n, "", into)
	return into, d.warnings, d.finish()
}

// finish orders the problems and says how many were left out.
func (d *decoder) finish() Problems {
	all := d.problems.byLine()
	if d.more > 0 {
		all = append(all, Problem{Source: d.source, Text: fmt.Sprintf("and %d more problems", d.more)})
	}
	return all
}

func (d *decoder) bad(line int, format string, args ...any) {
	if len(d.problems) == maxProblems {
		d.more++
		return
	}
	d.problems.add(place{d.source, line}, format, args...)
}

func (d *decoder) warn(line int, format string, args ...any) {
	d.warnings = append(d.warnings, warn(place{d.source, line}, format, args...))
}

// object decodes the keys of n, which stands for section s; at is its name as written, for errors.
func (d *decoder) object(s *section, n *node, at string, into settings) {
	list, ok := members(n)
	if !ok {
		d.mismatch(n, at, "an object", false)
		return
	}
	for _, m := range list {
		if m.value.value == nil {
			d.null(s, m, at)
			continue
		}
		d.member(s, m, join(at, m.name), into)
	}
}

// null is a key that was set to nothing, which is not setting it. Its name must be known all the same.
func (d *decoder) null(s *section, m member, at string) {
	if s.find(m.name) == nil {
		d.unknown(s, m, join(at, m.name))
	}
}

func (d *decoder) member(s *section, m member, at string, into settings) {
	switch e := s.find(m.name); {
	case e == nil:
		d.unknown(s, m, at)
	case e.section != nil:
		d.object(e.section, m.value, at, into)
	case e.old != nil:
		d.oldKey(e.old, e.key, m, at, into)
	default:
		d.value(e.key, m, at, into)
	}
}

// value decodes one key.
func (d *decoder) value(key *Key, m member, at string, into settings) {
	if key.Is(Enterprise) {
		d.warn(m.line, enterpriseText, at)
		return
	}
	info := key.Kind.info()
	v, err := info.node(d, m.value, at)
	if errors.Is(err, errMismatch) {
		d.mismatch(m.value, at, info.want, key.Kind == Secret)
		return
	}
	if err == nil && key.Is(Positive) {
		err = positive(v)
	}
	if err != nil {
		d.bad(m.line, "%s %v", at, err)
		return
	}
	into.put(setting{key: key, value: v, at: place{d.source, m.line}})
}

// oldKey decodes a key under the name it has today; key is nil where nothing is left of it.
func (d *decoder) oldKey(p *spelling, key *Key, m member, at string, into settings) {
	if key == nil {
		d.warn(m.line, "%q was removed from Consul and has no effect%s", at, p.advice())
		return
	}
	if !p.current {
		d.warn(m.line, "%q is deprecated: use %q", at, p.now)
	}
	if _, one := m.value.value.(string); one && key.Kind == Texts { // recursor = "…" became recursors = ["…"]
		m.value = &node{line: m.value.line, value: []*node{m.value}}
	}
	d.value(key, m, at, into)
}

func (d *decoder) mismatch(n *node, at, want string, secret bool) {
	d.bad(n.line, "%s: found %s, want %s", at, n.describe(secret), want)
}

func (d *decoder) unknown(s *section, m member, at string) {
	if len(d.problems) == maxProblems {
		d.more++ // without looking for what was meant, which is the dear part
		return
	}
	if section, name, dotted := strings.Cut(m.name, "."); dotted && byPath[strings.ToLower(at)] != nil {
		d.bad(m.line, "invalid config key %q; put %q into an object %q", at, name, section)
		return
	}
	meant := elsewhere(s, m.name)
	if near := nearest(m.name, s.names); near != "" {
		meant = strings.TrimSuffix(at, m.name) + near
	}
	if meant != "" {
		meant = fmt.Sprintf("; did you mean %q?", meant)
	}
	d.bad(m.line, "invalid config key %q%s", at, meant)
}
