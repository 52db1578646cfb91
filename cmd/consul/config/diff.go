package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Effect is what a reload does with a changed key.
type Effect int

// The effects.
const (
	Applied      Effect = iota // the running agent takes the new value
	NeedsRestart               // the running agent keeps the old value until it is restarted
	NoEffect                   // the agent does not act upon the key, before and after
)

// String says the effect as a reload reports it.
func (e Effect) String() string {
	return [...]string{"applied", "needs restart", "no effect"}[e]
}

// Change is one key whose value differs between two configurations.
type Change struct {
	Key      string // full name, as in the table
	Effect   Effect
	From, To string // the values for a human; secrets are not shown
}

// String is the change as one line.
func (c Change) String() string {
	return fmt.Sprintf("%s: %s -> %s (%s)", c.Key, c.From, c.To, c.Effect)
}

// Diff compares a new configuration with the one that the agent runs: every changed key in the order of the table, and
// how many keys are the same. Values are compared as resolved where the agent obeys the key, so that a template with a
// new result is a change, too.
func Diff(older, newer *Runtime) (changes []Change, unchanged int) {
	for i := range table {
		k := &table[i]
		from, to := older.resolved(k), newer.resolved(k)
		if same(from, to) {
			unchanged++
			continue
		}
		changes = append(changes, Change{Key: k.Path, Effect: effect(k), From: show(k, from), To: show(k, to)})
	}
	return changes, unchanged
}

func effect(k *Key) Effect {
	switch {
	case k.Is(Acted | Reloads):
		return Applied
	case k.Is(Acted):
		return NeedsRestart
	}
	return NoEffect
}

// resolved is the field of a key, and for a key without one what it was set to.
func (r *Runtime) resolved(k *Key) any {
	i := slices.IndexFunc(runtimeFields, func(f field) bool { return f.path == k.Path })
	if i < 0 {
		return r.settings[k.Path].value
	}
	return reflect.ValueOf(r).Elem().FieldByIndex(runtimeFields[i].index).Interface()
}

// same is equality that takes nil and empty for one.
func same(a, b any) bool {
	if isEmpty(a) && isEmpty(b) {
		return true
	}
	return reflect.DeepEqual(a, b)
}

func isEmpty(v any) bool {
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Map, reflect.Slice:
		return r.Len() == 0
	}
	return false
}

// show renders a value for a human, in a line.
func show(k *Key, v any) string {
	switch v := v.(type) {
	case nil:
		return "unset"
	case string:
		if k.Kind == Secret {
			return "(secret)"
		}
		return fmt.Sprintf("%q", v)
	case []string:
		return fmt.Sprintf("%q", v)
	case map[string]string:
		return fmt.Sprintf("%q", v)
	case []Service:
		return count(len(v), "definition")
	case []Check:
		return count(len(v), "definition")
	case map[string]time.Duration, bool, int, float64, time.Duration:
		return strings.TrimPrefix(fmt.Sprint(v), "map")
	}
	return "(not shown)" // free-form values may hold secrets
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
