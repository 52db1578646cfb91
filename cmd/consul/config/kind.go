package config

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Kind is what sort of value a key takes.
type Kind int

// The kinds, and the Go type in which a value of each is kept.
const (
	Bool      Kind = iota // bool
	Int                   // int
	Count                 // int, not negative
	Port                  // int, 1 to 65535, or -1 for none
	Number                // float64
	Text                  // string
	Secret                // string that is never shown
	Duration              // time.Duration, not negative
	Texts                 // []string
	TextMap               // map[string]string
	Durations             // map[string]time.Duration
	Headers               // map[string][]string
	Endpoints             // map[string]Endpoint
	Services              // []Service
	Checks                // []Check
	Object                // map[string]any, as encoding/json gives it
	Any                   // whatever the file holds, as encoding/json gives it
)

// noPort disables a listener.
const noPort = -1

// kindInfo is all that the rest of the package needs to know of a kind.
type kindInfo struct {
	name  string                                            // as documentation says it
	want  string                                            // what an error asks for
	node  func(d *decoder, n *node, at string) (any, error) // from a file; errMismatch for the wrong sort of value
	text  func(s string) (any, error)                       // from a flag or a default; nil where only a file can say it
	merge func(older, newer any) any                        // nil where the newer replaces the older
}

// errMismatch says that a value is of another sort than its key wants.
var errMismatch = errors.New("wrong sort of value")

// info looks the kind up. (A function and not a map: services hold checks and checks refer back, which as a variable
// would be an initialization cycle.)
func (k Kind) info() kindInfo {
	switch k {
	case Bool:
		return kindInfo{name: "bool", want: "true or false", node: plainNode(isA[bool]), text: plainText(strconv.ParseBool)}
	case Int:
		return kindInfo{name: "int", want: "a whole number", node: plainNode(wholeNumber), text: plainText(strconv.Atoi)}
	case Count:
		return kindInfo{name: "int", want: "a whole number that is not negative", node: checked(wholeNumber, notNegative), text: checkedText(strconv.Atoi, notNegative)}
	case Port:
		return kindInfo{name: "port", want: "a port number", node: checked(wholeNumber, isPort), text: checkedText(strconv.Atoi, isPort)}
	case Number:
		return kindInfo{name: "number", want: "a number", node: plainNode(floatNumber), text: plainText(parseFloat)}
	case Text:
		return kindInfo{name: "string", want: "a text", node: plainNode(isA[string]), text: plainText(asText)}
	case Secret:
		return kindInfo{name: "secret", want: "a text", node: plainNode(isA[string]), text: plainText(asText)}
	case Duration:
		return kindInfo{name: "duration", want: wantDuration, node: durationNode, text: checkedText(time.ParseDuration, notBackwards)}
	case Texts:
		return kindInfo{name: "list of strings", want: "a list of texts", node: plainNode(textList), text: plainText(oneText), merge: appendLists[string]}
	case TextMap:
		return kindInfo{name: "map of strings", want: "an object whose values are texts (as a flag: key:value)", node: plainNode(textMap), text: plainText(keyValue), merge: overlay[string]}
	case Durations:
		return kindInfo{name: "map of durations", want: `an object whose values are durations such as "10s"`, node: durationMapNode, text: nothing[map[string]time.Duration], merge: overlay[time.Duration]}
	case Headers:
		return kindInfo{name: "map of lists", want: "an object whose values are lists of texts", node: plainNode(headerMap), text: nothing[map[string][]string], merge: overlay[[]string]}
	case Endpoints:
		return kindInfo{name: "map of addresses", want: "an object whose values have an address and a port", node: endpointsNode, text: nothing[map[string]Endpoint], merge: overlay[Endpoint]}
	case Services:
		return kindInfo{name: "list of services", want: "a service definition or a list of them", node: definitionsNode[Service], text: nothing[[]Service], merge: appendLists[Service]}
	case Checks:
		return kindInfo{name: "list of checks", want: "a check definition or a list of them", node: definitionsNode[Check], text: nothing[[]Check], merge: appendLists[Check]}
	case Object:
		return kindInfo{name: "object", want: "an object", node: objectNode, text: nothing[map[string]any], merge: overlay[any]}
	case Any:
		return kindInfo{name: "any", node: anyNode, text: nothing[any], merge: mergeAny}
	}
	panic(fmt.Sprintf("config: unknown kind %d", k))
}

// String is the kind's name for documentation.
func (k Kind) String() string { return k.info().name }

const wantDuration = `a duration such as "10s"`

// From files ----------------------------------------------------------------------------------------------------------

// plainNode lifts a conversion that cannot fail in any other way than by the sort of value.
func plainNode[T any](convert func(*node) (T, bool)) func(*decoder, *node, string) (any, error) {
	return func(_ *decoder, n *node, _ string) (any, error) {
		if v, ok := convert(n); ok {
			return v, nil
		}
		return nil, errMismatch
	}
}

// checked is plainNode with a condition on the value.
func checked[T any](convert func(*node) (T, bool), check func(T) error) func(*decoder, *node, string) (any, error) {
	return func(_ *decoder, n *node, _ string) (any, error) {
		v, ok := convert(n)
		if !ok {
			return nil, errMismatch
		}
		return v, check(v)
	}
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

func textList(n *node) ([]string, bool) {
	items, ok := n.value.([]*node)
	if !ok {
		return nil, false
	}
	list := make([]string, 0, len(items))
	for _, item := range items {
		text, ok := item.value.(string)
		if !ok {
			return nil, false
		}
		list = append(list, text)
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
	objects, ok := blocks(n)
	if !ok {
		return nil, false
	}
	var all []member
	for _, o := range objects {
		all = append(all, o.value.([]member)...)
	}
	return all, true
}

func mapOf[T any](n *node, value func(*node) (T, bool)) (map[string]T, bool) {
	list, ok := members(n)
	if !ok {
		return nil, false
	}
	m := make(map[string]T, len(list))
	for _, member := range list {
		v, ok := value(member.value)
		if !ok {
			return nil, false
		}
		m[member.name] = v
	}
	return m, true
}

func textMap(n *node) (map[string]string, bool) { return mapOf(n, isA[string]) }

func headerMap(n *node) (map[string][]string, bool) { return mapOf(n, textList) }

func durationNode(_ *decoder, n *node, _ string) (any, error) {
	text, ok := n.value.(string)
	if !ok {
		return nil, errMismatch
	}
	v, err := time.ParseDuration(text)
	if err != nil {
		return nil, errMismatch
	}
	return v, notBackwards(v)
}

func durationMapNode(d *decoder, n *node, at string) (any, error) {
	list, ok := members(n)
	if !ok {
		return nil, errMismatch
	}
	m := make(map[string]time.Duration, len(list))
	for _, member := range list {
		v, err := durationNode(d, member.value, at)
		if err != nil {
			return nil, err
		}
		m[member.name] = v.(time.Duration)
	}
	return m, nil
}

func objectNode(_ *decoder, n *node, _ string) (any, error) {
	list, ok := members(n)
	if !ok {
		return nil, errMismatch
	}
	return (&node{line: n.line, value: list}).plain(), nil
}

func anyNode(_ *decoder, n *node, _ string) (any, error) { return n.plain(), nil }

// From flags and defaults ---------------------------------------------------------------------------------------------

func plainText[T any](convert func(string) (T, error)) func(string) (any, error) {
	return checkedText(convert, func(T) error { return nil })
}

func checkedText[T any](convert func(string) (T, error), check func(T) error) func(string) (any, error) {
	return func(s string) (any, error) {
		v, err := convert(s)
		if err != nil {
			return nil, errMismatch
		}
		return v, check(v)
	}
}

// nothing serves kinds that only a file can express: their text is the empty value.
func nothing[T any](s string) (any, error) {
	var none T
	if s != "" {
		return nil, errors.New("can only be set in a file")
	}
	return none, nil
}

func asText(s string) (string, error) { return s, nil }

func parseFloat(s string) (float64, error) {
	if s == "inf" { // the spelling of documentation for "no limit"
		return math.MaxFloat64, nil
	}
	return strconv.ParseFloat(s, 64)
}

// oneText is one use of a flag that may repeat.
func oneText(s string) ([]string, error) {
	if s == "" {
		return nil, nil
	}
	return []string{s}, nil
}

// keyValue is one use of -node-meta.
func keyValue(s string) (map[string]string, error) {
	if s == "" {
		return nil, nil
	}
	key, value, ok := strings.Cut(s, ":")
	if !ok {
		return nil, errMismatch
	}
	return map[string]string{key: value}, nil
}

// Conditions ----------------------------------------------------------------------------------------------------------

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

// isPositive holds for the keys that the table marks as positive.
func isPositive(v any) bool {
	switch v := v.(type) {
	case int:
		return v > 0
	case time.Duration:
		return v > 0
	}
	return true
}

// Merging -------------------------------------------------------------------------------------------------------------

// appendLists never writes into the older list's spare room: layers are shared.
func appendLists[T any](older, newer any) any {
	o, n := older.([]T), newer.([]T)
	return append(slices.Clip(o), n...)
}

func overlay[T any](older, newer any) any {
	o, n := older.(map[string]T), newer.(map[string]T)
	if o == nil {
		return n
	}
	m := maps.Clone(o)
	maps.Copy(m, n)
	return m
}

func mergeAny(older, newer any) any {
	switch o := older.(type) {
	case []any:
		if n, ok := newer.([]any); ok {
			return append(slices.Clip(o), n...)
		}
	case map[string]any:
		if _, ok := newer.(map[string]any); ok {
			return overlay[any](older, newer)
		}
	}
	return newer
}
