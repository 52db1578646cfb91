package wire

import (
	"fmt"
	"math"
	"reflect"
	"sync"
	"time"
)

// What msgpack can carry and JSON cannot show: years beyond four digits, and floats that
// are no numbers. One such value would make every list that it is in an error, so it is
// refused where it comes in.

// showable returns an error if v, which was just decoded, has a value that JSON cannot
// show.
func showable(v reflect.Value) error {
	switch {
	case !v.IsValid() || !mayNotShow(v.Type()):
		return nil
	case v.Type() == timeType:
		if y := v.Interface().(time.Time).Year(); y < 0 || y > 9999 {
			return fmt.Errorf("a time is in the year %d", y)
		}
		return nil
	}
	switch v.Kind() {
	case reflect.Float32, reflect.Float64:
		if f := v.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
			return fmt.Errorf("a number is %v", f)
		}
	case reflect.Pointer, reflect.Interface:
		return showable(v.Elem())
	case reflect.Struct:
		for field, value := range v.Fields() {
			if !field.IsExported() {
				continue
			}
			if err := showable(value); err != nil {
				return err
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if err := showable(v.Index(i)); err != nil {
				return err
			}
		}
	case reflect.Map:
		for _, value := range v.Seq2() {
			if err := showable(value); err != nil {
				return err
			}
		}
	}
	return nil
}

var (
	timeType = reflect.TypeFor[time.Time]()
	doubtful sync.Map // of a reflect.Type: whether a value of it may be one that cannot be shown
)

// mayNotShow reports whether a value of type t may have one within it that JSON cannot
// show. Most types have none, and are not looked through.
func mayNotShow(t reflect.Type) bool {
	if known, ok := doubtful.Load(t); ok {
		return known.(bool)
	}
	may := search(t, map[reflect.Type]bool{})
	doubtful.Store(t, may)
	return may
}

// search looks for doubtful values in a type. One that has itself within it is looked at
// once.
func search(t reflect.Type, seen map[reflect.Type]bool) bool {
	if t == timeType {
		return true
	}
	if seen[t] {
		return false
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Float32, reflect.Float64, reflect.Interface:
		return true
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return search(t.Elem(), seen)
	case reflect.Struct:
		for field := range t.Fields() {
			if field.IsExported() && search(field.Type, seen) {
				return true
			}
		}
	}
	return false
}
