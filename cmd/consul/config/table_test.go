package config

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestFieldsMatchTable keeps the table and Runtime in step: a key is acted upon if, and only if, it has a field of its
// kind's type.
func TestFieldsMatchTable(t *testing.T) {
	fields := map[string]field{}
	for _, f := range runtimeFields {
		fields[f.path] = f
		if k := byPath[f.path]; k == nil {
			t.Errorf("Runtime has a field for %s, the table has no row", f.path)
		} else if !k.Is(Acted) {
			t.Errorf("Runtime has a field for %s, the table does not say that it is acted upon", f.path)
		}
	}
	for _, k := range Keys() {
		f, ok := fields[k.Path]
		if k.Is(Acted) && !ok {
			t.Errorf("the table acts upon %s, Runtime has no field for it", k.Path)
		}
		if want := typeOf(k.Kind); ok && f.typ != want {
			t.Errorf("field for %s is a %s, kind %s decodes to %s", k.Path, f.typ, k.Kind, want)
		}
	}
}

func TestRows(t *testing.T) {
	all := defaults() // panics at a default that is not of its kind
	for _, k := range Keys() {
		if v := all[k.Path].value; v != nil && reflect.TypeOf(v) != typeOf(k.Kind) {
			t.Errorf("%s has a default of type %T, want %s", k.Path, v, typeOf(k.Kind))
		}
		if k.Path != strings.ToLower(k.Path) || k.Doc == "" || strings.HasSuffix(k.Doc, ".") {
			t.Errorf("row of %s: the path is lower case, the documentation a phrase: %q", k.Path, k.Doc)
		}
		if k.Is(Reloads) && !k.Is(Acted) {
			t.Errorf("%s reloads without being acted upon", k.Path)
		}
		if (k.Is(Enterprise) || k.Is(Quiet)) && k.Is(Acted) {
			t.Errorf("%s is acted upon and is not", k.Path)
		}
	}
	for _, s := range spellings {
		if byPath[s.old] != nil {
			t.Errorf("%s is a key and an old key", s.old)
		}
	}
}

// TestReloadable holds the promise of the documentation: these keys, and no others, follow a reload.
func TestReloadable(t *testing.T) {
	want := []string{"checks", "http_config.response_headers", "limits.http_max_conns_per_client", "log_level", "node_meta", "recursors", "retry_join", "services"}
	var got []string
	for _, k := range Keys() {
		whole := (strings.HasPrefix(k.Path, "dns_config.") || strings.HasPrefix(k.Path, "tls.")) && k.Is(Acted)
		if k.Is(Reloads) && !whole {
			got = append(got, k.Path)
		} else if whole && !k.Is(Reloads) {
			t.Errorf("%s does not reload", k.Path)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("reloadable are %q, want %q", got, want)
	}
}

func TestSplitPath(t *testing.T) {
	tests := map[string][]string{
		"server":                       {"server"},
		"dns_config.soa.min_ttl":       {"dns_config", "soa", "min_ttl"},
		"telemetry.disable_compat_1.9": {"telemetry", "disable_compat_1.9"},
	}
	for path, want := range tests {
		if got := splitPath(path); !slices.Equal(got, want) {
			t.Errorf("splitPath(%q) is %q, want %q", path, got, want)
		}
	}
}

// TestSharedMerges makes sure that a merge never writes into a value that another layer holds.
func TestSharedMerges(t *testing.T) {
	list := make([]string, 1, 4)
	list[0] = "a"
	one := appendLists[string](list, []string{"b"}).([]string)
	two := appendLists[string](list, []string{"c"}).([]string)
	if one[1] != "b" || two[1] != "c" {
		t.Errorf("lists share memory: %q, %q", one, two)
	}
	m := map[string]string{"a": "1"}
	overlay[string](m, map[string]string{"a": "2"})
	if m["a"] != "1" {
		t.Error("overlay changed the older map")
	}
}
