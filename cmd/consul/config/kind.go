package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// Kind is what sort of value a key takes.
type Kind int

// The kinds, and the Go type in which a value of each is kept.
const (
	Bool         Kind = iota // bool
	Int                      // int
	Count                    // int, not negative
	Port                     // int, 1 to 65535, or -1 for none
	Number                   // float64
	Text                     // string
	Secret                   // string that is never shown
	Duration                 // time.Duration, not negative
	Texts                    // []string
	TextMap                  // map[string]string
	Durations                // map[string]time.Duration
	Headers                  // map[string][]string
	Endpoints                // map[string]Endpoint
	Services                 // []Service
	ServicePorts             // []ServicePort
	Checks                   // []Check
	Object                   // map[string]any, as encoding/json gives it
	Any                      // whatever the file holds, as encoding/json gives it
)

// noPort disables a listener.
const noPort = -1

// kindInfo is all that the rest of the package needs to know of a kind.
type kindInfo struct {
	name  string                      // as documentation says it
	want  string                      // what an error asks for
	node  nodeDecoder                 // from a file
	text  func(s string) (any, error) // from a flag or a default; nil where only a file can say it
	merge func(older, newer any) any  // nil where the newer replaces the older
}

// nodeDecoder turns the value of a file, which stands at the key of the name at, into the kind's Go type. It answers
// errMismatch for a value of the wrong sort, and reports to d what is wrong further inside.
type nodeDecoder func(d *decoder, n *node, at string) (any, error)

// errMismatch says that a value is of another sort than its key wants.
var errMismatch = errors.New("wrong sort of value")

const (
	wantText      = "a text"
	wantTexts     = "an object whose values are texts (as a flag: key:value)"
	wantDuration  = `a duration such as "10s"`
	wantDurations = `an object whose values are durations such as "10s"`
)

// info looks the kind up. (A function and not a map: services hold checks, which as a variable would be an
// initialization cycle.)
func (k Kind) info() kindInfo {
	switch k {
	case Bool:
		return kindInfo{name: "bool", want: "true or false", node: fromNode(isA[bool]), text: fromText(strconv.ParseBool)}
	case Int:
		return kindInfo{name: "int", want: "a whole number", node: fromNode(wholeNumber), text: fromText(strconv.Atoi)}
	case Count:
		return kindInfo{name: "int", want: "a whole number", node: fromNode(wholeNumber, notNegative), text: fromText(strconv.Atoi, notNegative)}
	case Port:
		return kindInfo{name: "port", want: "a port number", node: fromNode(wholeNumber, isPort), text: fromText(strconv.Atoi, isPort)}
	case Number:
		return kindInfo{name: "number", want: "a number", node: fromNode(floatNumber), text: fromText(parseFloat)}
	case Text:
		return kindInfo{name: "string", want: wantText, node: fromNode(isA[string]), text: fromText(asText)}
	case Secret:
		return kindInfo{name: "secret", want: wantText, node: fromNode(isA[string]), text: fromText(asText)}
	case Duration:
		return kindInfo{name: "duration", want: wantDuration, node: fromNode(duration, notBackwards), text: fromText(time.ParseDuration, notBackwards)}
	case Texts:
		return kindInfo{name: "list of strings", want: "a list of texts", node: fromNode(textList), text: fromText(oneText), merge: appendLists[string]}
	case TextMap:
		return kindInfo{name: "map of strings", want: wantTexts, node: fromNode(textMap), text: fromText(keyValue), merge: overlay[string]}
	case Durations:
		return kindInfo{name: "map of durations", want: wantDurations, node: fromNode(durationMap, noneBackwards), merge: overlay[time.Duration]}
	case Headers:
		return kindInfo{name: "map of lists", want: "an object whose values are lists of texts", node: fromNode(headerMap), merge: overlay[[]string]}
	case Endpoints:
		return kindInfo{name: "map of addresses", want: "an object of addresses with ports", node: endpointsNode, merge: overlay[Endpoint]}
	case Services:
		return kindInfo{name: "list of services", want: "a service definition or a list of them", node: definitionsNode[Service], merge: appendLists[Service]}
	case ServicePorts:
		return kindInfo{name: "list of ports", want: "a list of ports with names", node: definitionsNode[ServicePort], merge: appendLists[ServicePort]}
	case Checks:
		return kindInfo{name: "list of checks", want: "a check definition or a list of them", node: definitionsNode[Check], merge: appendLists[Check]}
	case Object:
		return kindInfo{name: "object", want: "an object", node: fromNode(plainObject), merge: overlay[any]}
	case Any:
		return kindInfo{name: "any", want: "anything", node: fromNode(plainValue), merge: mergeAny}
	}
	panic(fmt.Sprintf("config: unknown kind %d", k))
}

// String is the kind's name for documentation.
func (k Kind) String() string { return k.info().name }

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
