package config

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// tagName is the struct tag that ties a field to a key: `config:"name"` on a value, and on a struct for the section
// whose keys it holds.
const tagName = "config"

// field is one tagged field of a struct, and of the structs within it.
type field struct {
	path   string // full name of the key
	index  []int  // for reflect.Value.FieldByIndex
	typ    reflect.Type
	secret bool // `config:"name,secret"`: a text that is never shown
}

// fieldsOf lists the tagged fields of a struct type.
func fieldsOf(t reflect.Type) []field { return appendFields(nil, t, "", nil) }

func appendFields(list []field, t reflect.Type, prefix string, index []int) []field {
	for i := range t.NumField() {
		f := t.Field(i)
		name, option, _ := strings.Cut(f.Tag.Get(tagName), ",")
		if name == "" {
			continue
		}
		at := append(append([]int(nil), index...), i)
		path := join(prefix, name)
		if f.Type.Kind() == reflect.Struct {
			list = appendFields(list, f.Type, path, at)
			continue
		}
		list = append(list, field{path: path, index: at, typ: f.Type, secret: option == "secret"})
	}
	return list
}

// fill stores the settings in the tagged fields of the struct that dst points to. Fields of keys that were not set keep
// what they hold.
func fill(dst any, fields []field, from settings) {
	v := reflect.ValueOf(dst).Elem()
	for _, f := range fields {
		if s, ok := from[f.path]; ok {
			v.FieldByIndex(f.index).Set(reflect.ValueOf(s.value))
		}
	}
}

// typeOf is the Go type in which a value of a kind is kept.
func typeOf(k Kind) reflect.Type {
	switch k {
	case Bool:
		return reflect.TypeFor[bool]()
	case Int, Count, Port:
		return reflect.TypeFor[int]()
	case Number:
		return reflect.TypeFor[float64]()
	case Text, Secret:
		return reflect.TypeFor[string]()
	case Duration:
		return reflect.TypeFor[time.Duration]()
	case Texts:
		return reflect.TypeFor[[]string]()
	case TextMap:
		return reflect.TypeFor[map[string]string]()
	case Durations:
		return reflect.TypeFor[map[string]time.Duration]()
	case Headers:
		return reflect.TypeFor[map[string][]string]()
	case ServicePorts:
		return reflect.TypeFor[[]ServicePort]()
	case Endpoints:
		return reflect.TypeFor[map[string]Endpoint]()
	case Services:
		return reflect.TypeFor[[]Service]()
	case Checks:
		return reflect.TypeFor[[]Check]()
	case Object:
		return reflect.TypeFor[map[string]any]()
	case Any:
		return reflect.TypeFor[any]()
	}
	panic(fmt.Sprintf("config: unknown kind %d", k))
}

// kindOf is the kind for a field of a definition: the first whose values have the field's type.
func kindOf(f field) Kind {
	if f.secret {
		return Secret
	}
	for k := Bool; k <= Any; k++ {
		if typeOf(k) == f.typ {
			return k
		}
	}
	panic(fmt.Sprintf("config: field %s has type %s, which no kind decodes to", f.path, f.typ))
}
