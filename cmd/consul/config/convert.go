package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// fromNode is the decoder of a kind that a conversion describes: the conversion says whether the value is of the right
// sort, the checks whether it is a good one.
func fromNode[T any](convert func(*node) (T, bool), checks ...func(T) error) nodeDecoder {
	return func(_ *decoder, n *node, _ string) (any, error) {
		v, ok := convert(n)
		if !ok {
			return nil, errMismatch
		}
		return v, all(v, checks)
	}
}

// fromText is the same for the text of a flag or of a default.
func fromText[T any](convert func(string) (T, error), checks ...func(T) error) func(string) (any, error) {
	return func(s string) (any, error) {
		v, err := convert(s)
		if err != nil {
			return nil, errMismatch
		}
		return v, all(v, checks)
	}
}

func all[T any](v T, checks []func(T) error) error {
	for _, check := range checks {
		if err := check(v); err != nil {
			return err
		}
	}
	return nil
}

func isA[T any](n *node) (T, bool) { v, ok := n.value.(T); return v, ok }

func wholeNumber(n *node) (int, bool) {
	v, ok := n.value.(number)
	if !ok {
		return 0, false
	}
	return v.whole()
}

func floatNumber(n *node) (float64, bool) {
	v, ok := n.value.(number)
	if !ok {
		return 0, false
	}
	return v.float()
}

func duration(n *node) (time.Duration, bool) {
	text, ok := n.value.(string)
	if !ok {
		return 0, false
	}
	d, err := time.ParseDuration(text)
	return d, err == nil
}

func textList(n *node) ([]string, bool) {
	items, ok := n.value.([]*node)
	if !ok {
		return nil, false
	}
	list := make([]string, len(items))
	for i, item := range items {
		if list[i], ok = item.value.(string); !ok {
			return nil, false
		}
	}
	return list, true
}

// blocks are the objects that stand where one object is meant: the object itself, or a list of objects, which is how
// HCL's blocks look once they have been through JSON.
func blocks(n *node) ([]*node, bool) {
	items, isList := n.value.([]*node)
	if !isList {
		items = []*node{n}
	}
	for _, item := range items {
		if _, ok := item.value.([]member); !ok {
			return nil, false
		}
	}
	return items, true
}

// members are the keys of one object, or of several laid over each other.
func members(n *node) ([]member, bool) {
	if one, ok := n.value.([]member); ok {
		return one, true
	}
	objects, ok := blocks(n)
	if !ok {
		return nil, false
	}
	var list []member
	for _, o := range objects {
		list = append(list, o.value.([]member)...)
	}
	return list, true
}

func mapOf[T any](n *node, value func(*node) (T, bool)) (map[string]T, bool) {
	list, ok := members(n)
	if !ok {
		return nil, false
	}
	m := make(map[string]T, len(list))
	for _, member := range list {
		if m[member.name], ok = value(member.value); !ok {
			return nil, false
		}
	}
	return m, true
}

func textMap(n *node) (map[string]string, bool)            { return mapOf(n, isA[string]) }
func headerMap(n *node) (map[string][]string, bool)        { return mapOf(n, textList) }
func durationMap(n *node) (map[string]time.Duration, bool) { return mapOf(n, duration) }

func plainValue(n *node) (any, bool) { return n.plain(), true }

func plainObject(n *node) (map[string]any, bool) {
	list, ok := members(n)
	if !ok {
		return nil, false
	}
	return plainMembers(list), true
}

func asText(s string) (string, error) { return s, nil }

// parseFloat takes the documentation's "inf" for no limit as the largest number, which JSON can carry, too.
func parseFloat(s string) (float64, error) {
	if s == "inf" {
		return math.MaxFloat64, nil
	}
	return strconv.ParseFloat(s, 64)
}

// oneText is one use of a flag that may repeat.
func oneText(s string) ([]string, error) { return []string{s}, nil }

// keyValue is one use of -node-meta.
func keyValue(s string) (map[string]string, error) {
	key, value, ok := strings.Cut(s, ":")
	if !ok {
		return nil, errMismatch
	}
	return map[string]string{key: value}, nil
}

func notNegative(v int) error {
	if v < 0 {
		return fmt.Errorf("cannot be %d. Must be greater than or equal to zero", v)
	}
	return nil
}

func isPort(v int) error {
	if v == noPort || v >= 1 && v <= math.MaxUint16 {
		return nil
	}
	return fmt.Errorf("cannot be %d. Must be a port from 1 to 65535, or -1 to disable it", v)
}

func notBackwards(v time.Duration) error {
	if v < 0 {
		return fmt.Errorf("cannot be %s. Must not be negative", v)
	}
	return nil
}

func noneBackwards(m map[string]time.Duration) error {
	for _, name := range sortedKeys(m) {
		if err := notBackwards(m[name]); err != nil {
			return fmt.Errorf("for %q %w", name, err)
		}
	}
	return nil
}

// positive holds for the keys that the table marks as Positive.
func positive(v any) error {
	if v == any(0) || v == any(time.Duration(0)) {
		return fmt.Errorf("cannot be %v. Must be greater than zero", v)
	}
	return nil
}
