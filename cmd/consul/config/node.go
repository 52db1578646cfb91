package config

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
)

// Bounds on a source, checked before anything is built from it.
const (
	// MaxFileSize is the largest configuration file, in bytes.
	MaxFileSize = 8 << 20
	// maxDepth is how deep objects and lists may nest. The deepest key of the table is at 4, a proxy's own settings
	// rarely pass 10; the parsers recurse, so that without a bound a file of brackets would exhaust the stack.
	maxDepth = 64
)

// Formats of a source.
const (
	formatJSON = "json"
	formatHCL  = "hcl"
)

// node is one value of a source and the line where it starts: what JSON and HCL have in common.
type node struct {
	line  int
	value any // nil for null, bool, number, string, []*node, or []member
}

// member is one key of an object. Keys may repeat, as blocks do in HCL.
type member struct {
	name  string
	line  int
	value *node
}

// number is a number as it was written: whether it is whole is for the key to ask.
type number string

// whole is the number as an int, if it has no fraction and fits.
func (n number) whole() (int, bool) {
	if i, err := strconv.ParseInt(string(n), 0, strconv.IntSize); err == nil {
		return int(i), true
	}
	const exact = 1 << 53 // beyond, a float cannot tell neighbours apart
	f, err := strconv.ParseFloat(string(n), 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > exact {
		return 0, false
	}
	return int(f), true
}

// float is the number as a float64.
func (n number) float() (float64, bool) {
	if i, ok := n.whole(); ok {
		return float64(i), true
	}
	f, err := strconv.ParseFloat(string(n), 64)
	return f, err == nil
}

// parse turns the text of a source into one object. Text without any value is an object without keys. The error's place
// is relative to source.
func parse(source, format string, data []byte) (*node, *Problem) {
	empty := &node{line: 1, value: []member(nil)}
	text := bytes.TrimSpace(data)
	if len(text) == 0 {
		return empty, nil
	}
	if len(data) > MaxFileSize {
		return nil, &Problem{Source: source, Text: fmt.Sprintf("the file has more than %d bytes", MaxFileSize)}
	}
	var n *node
	var bad *Problem
	if format == formatJSON || text[0] == '{' { // as HCL itself does, so that -hcl takes either
		n, bad = parseJSON(data)
	} else {
		n, bad = parseHCL(data)
	}
	if bad == nil {
		if _, ok := n.value.([]member); !ok {
			bad = &Problem{Line: n.line, Text: "found " + n.describe(false) + ", want an object with the agent's keys"}
		}
	}
	if bad != nil {
		bad.Source = source
		return nil, bad
	}
	return n, nil
}

// describe says in words what was found. It shows short plain values, unless they are secret.
func (n *node) describe(secret bool) string {
	show := func(kind, text string) string {
		const enough = 40
		if secret || len(text) > enough {
			return "a " + kind
		}
		return fmt.Sprintf("the %s %s", kind, text)
	}
	switch v := n.value.(type) {
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(v)
	case number:
		return show("number", string(v))
	case string:
		return show("text", strconv.Quote(v))
	case []*node:
		return "a list"
	case []member:
		return "an object"
	}
	panic(fmt.Sprintf("config: node holds a %T", n.value))
}

// plain is the value as Go's JSON would give it: nil, bool, int or float64, string, []any, map[string]any. A key that
// repeats becomes a list of its objects, and is otherwise the last.
func (n *node) plain() any {
	switch v := n.value.(type) {
	case number:
		if i, ok := v.whole(); ok {
			return i
		}
		f, _ := v.float()
		return f
	case []*node:
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = item.plain()
		}
		return list
	case []member:
		return plainMembers(v)
	}
	return n.value
}

func plainMembers(list []member) map[string]any {
	object := make(map[string]any, len(list))
	for _, m := range list {
		object[m.name] = joinBlocks(object[m.name], m.value.plain())
	}
	return object
}

// joinBlocks gathers the blocks of an HCL object that carry the same name.
func joinBlocks(before, now any) any {
	block, isBlock := now.(map[string]any)
	if !isBlock {
		return now
	}
	switch b := before.(type) {
	case map[string]any:
		return []any{b, block}
	case []any:
		return append(b, block)
	}
	return now
}
