package endpoint

import (
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/hashicorp/go-bexpr/grammar"
)

// A walk goes from a value to those that a selector names, and says whether leaf
// is true of any. Where the way ends early, at a nil or a missing key, it says
// what absence means to the operator.
type walk func(v reflect.Value, absent bool, leaf func(reflect.Value) bool) bool

func compileMatch(e *grammar.MatchExpression, t reflect.Type) (func(reflect.Value) bool, error) {
	way, end, err := selectorWalk(e.Selector, e.Selector.Path, t)
	if err != nil {
		return nil, err
	}
	leaf, err := compileOperator(e, end)
	if err != nil {
		return nil, err
	}
	absent := e.Operator.NotPresentDisposition()
	return func(v reflect.Value) bool { return way(v, absent, leaf) }, nil
}

// selectorWalk returns the walk along path from a value of type t, and the type
// that it ends at.
func selectorWalk(sel grammar.Selector, path []string, t reflect.Type) (walk, reflect.Type, error) {
	if t.Kind() == reflect.Pointer {
		rest, end, err := selectorWalk(sel, path, t.Elem())
		return func(v reflect.Value, absent bool, leaf func(reflect.Value) bool) bool {
			if v.IsNil() {
				return absent
			}
			return rest(v.Elem(), absent, leaf)
		}, end, err
	}
	if len(path) == 0 {
		return func(v reflect.Value, _ bool, leaf func(reflect.Value) bool) bool { return leaf(v) }, t, nil
	}
	switch t.Kind() {
	case reflect.Struct:
		field, ok := t.FieldByName(path[0])
		if !ok || len(field.Index) != 1 || !field.IsExported() || field.Tag.Get("bexpr") == "-" {
			break
		}
		rest, end, err := selectorWalk(sel, path[1:], field.Type)
		i := field.Index[0]
		return func(v reflect.Value, absent bool, leaf func(reflect.Value) bool) bool {
			return rest(v.Field(i), absent, leaf)
		}, end, err
	case reflect.Map:
		if t.Key().Kind() != reflect.String {
			break
		}
		key := reflect.ValueOf(path[0]).Convert(t.Key())
		rest, end, err := selectorWalk(sel, path[1:], t.Elem())
		return func(v reflect.Value, absent bool, leaf func(reflect.Value) bool) bool {
			if v = v.MapIndex(key); !v.IsValid() {
				return absent
			}
			return rest(v, absent, leaf)
		}, end, err
	case reflect.Slice:
		rest, end, err := selectorWalk(sel, path, t.Elem())
		return func(v reflect.Value, absent bool, leaf func(reflect.Value) bool) bool {
			for i := range v.Len() {
				if rest(v.Index(i), absent, leaf) {
					return true
				}
			}
			return false
		}, end, err
	}
	return nil, nil, fmt.Errorf("Selector %q is not valid", sel)
}

// compileOperator returns the test of an operator for values of type t.
func compileOperator(e *grammar.MatchExpression, t reflect.Type) (func(reflect.Value) bool, error) {
	var test func(reflect.Value) bool
	var err error
	switch e.Operator {
	case grammar.MatchEqual, grammar.MatchNotEqual:
		test, err = compileEqual(e, t)
	case grammar.MatchIn, grammar.MatchNotIn, grammar.MatchContains, grammar.MatchNotContains:
		test, err = compileIn(e, t)
	case grammar.MatchIsEmpty, grammar.MatchIsNotEmpty:
		switch t.Kind() {
		case reflect.Map, reflect.Slice, reflect.String:
			test = func(v reflect.Value) bool { return v.Len() == 0 }
		}
	case grammar.MatchMatches, grammar.MatchNotMatches:
		if t.Kind() == reflect.String {
			var re *regexp.Regexp
			if re, err = regexp.Compile(e.Value.Raw); err == nil {
				test = func(v reflect.Value) bool { return re.MatchString(v.String()) }
			}
		}
	case grammar.MatchIsNil, grammar.MatchIsNotNil: // a nil pointer is absent
		switch t.Kind() {
		case reflect.Map, reflect.Slice:
			test = reflect.Value.IsNil
		default:
			test = func(reflect.Value) bool { return false }
		}
	}
	if err != nil {
		return nil, err
	}
	if test == nil {
		return nil, fmt.Errorf("Invalid match operator %q for selector %q", e.Operator, e.Selector)
	}
	switch e.Operator {
	case grammar.MatchNotEqual, grammar.MatchNotIn, grammar.MatchNotContains,
		grammar.MatchIsNotEmpty, grammar.MatchNotMatches, grammar.MatchIsNotNil:
		return func(v reflect.Value) bool { return !test(v) }, nil
	default:
		return test, nil
	}
}

// compileEqual returns the test of equality with the expression's value, nil if
// values of type t cannot be compared.
func compileEqual(e *grammar.MatchExpression, t reflect.Type) (func(reflect.Value) bool, error) {
	raw := e.Value.Raw
	fail := func(err error) (func(reflect.Value) bool, error) {
		return nil, fmt.Errorf("Failed to coerce value %q for selector %q: %w", raw, e.Selector, err)
	}
	switch t.Kind() {
	case reflect.String:
		return func(v reflect.Value) bool { return v.String() == raw }, nil
	case reflect.Bool:
		want, err := strconv.ParseBool(raw)
		if err != nil {
			return fail(err)
		}
		return func(v reflect.Value) bool { return v.Bool() == want }, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		want, err := strconv.ParseInt(raw, 0, t.Bits())
		if err != nil {
			return fail(err)
		}
		return func(v reflect.Value) bool { return v.Int() == want }, nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		want, err := strconv.ParseUint(raw, 0, t.Bits())
		if err != nil {
			return fail(err)
		}
		return func(v reflect.Value) bool { return v.Uint() == want }, nil
	case reflect.Float32, reflect.Float64:
		want, err := strconv.ParseFloat(raw, t.Bits())
		if err != nil {
			return fail(err)
		}
		return func(v reflect.Value) bool { return v.Float() == want }, nil
	default:
		return nil, nil
	}
}

// compileIn returns the test whether the expression's value is in a list, a key of
// a map or part of a text; nil if values of type t have no parts.
func compileIn(e *grammar.MatchExpression, t reflect.Type) (func(reflect.Value) bool, error) {
	switch t.Kind() {
	case reflect.String:
		return func(v reflect.Value) bool { return strings.Contains(v.String(), e.Value.Raw) }, nil
	case reflect.Map:
		if t.Key().Kind() != reflect.String {
			return nil, nil
		}
		key := reflect.ValueOf(e.Value.Raw).Convert(t.Key())
		return func(v reflect.Value) bool { return v.MapIndex(key).IsValid() }, nil
	case reflect.Slice:
		equal, err := compileEqual(e, t.Elem())
		if equal == nil {
			return nil, err
		}
		return func(v reflect.Value) bool {
			for i := range v.Len() {
				if equal(v.Index(i)) {
					return true
				}
			}
			return false
		}, nil
	default:
		return nil, nil
	}
}
