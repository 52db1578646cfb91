package wire

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
)

// intentions makes entries of lines such as "web => db (allow)".
func intentions(t *testing.T, lines ...string) []ConfigEntry {
	t.Helper()
	byName := map[string]*ServiceIntentions{}
	for n, line := range lines {
		var source, destination, action string
		if _, err := fmt.Sscanf(line, "%s => %s %s", &source, &destination, &action); err != nil {
			t.Fatal(err)
		}
		i := &Intention{ID: fmt.Sprint("id", n), SourceName: source, DestinationName: destination, Action: api.IntentionAction(strings.Trim(action, "()"))}
		e, err := SetIntention(byName[destination], i, time.Unix(int64(n), 0))
		if err != nil {
			t.Fatal(err)
		}
		NormalizeConfigEntry(e)
		byName[destination] = e
	}
	var entries []ConfigEntry
	for _, e := range byName {
		entries = append(entries, e)
	}
	return entries
}

func text(list []*Intention) string {
	var lines []string
	for _, i := range list {
		lines = append(lines, i.String())
	}
	return strings.Join(lines, ", ")
}

func TestIntentions(t *testing.T) {
	all := Intentions(intentions(t, "* => * (deny)", "web => * (allow)", "* => db (deny)", "web => db (allow)", "b => a (deny)"))
	if got, want := text(all), "b => a (deny), web => db (allow), * => db (deny), web => * (allow), * => * (deny)"; got != want {
		t.Errorf("all: %s, want %s", got, want)
	}
	if got, want := text(IntentionsFor(all, "", "db")), "web => db (allow), * => db (deny), web => * (allow), * => * (deny)"; got != want {
		t.Errorf("to db: %s, want %s", got, want)
	}
	if got, want := text(IntentionsFor(all, "b", "")), "b => a (deny), * => db (deny), * => * (deny)"; got != want {
		t.Errorf("from b: %s, want %s", got, want)
	}
	for pair, want := range map[[2]string]string{
		{"web", "db"}: "true web => db (allow)", {"api", "db"}: "false * => db (deny)",
		{"web", "x"}: "true web => * (allow)", {"api", "x"}: "false * => * (deny)", {"b", "a"}: "false b => a (deny)",
	} {
		allowed, by := MayConnect(all, pair[0], pair[1])
		if got := fmt.Sprint(allowed, " ", by); got != want {
			t.Errorf("%v: %s, want %s", pair, got, want)
		}
	}
	if allowed, by := MayConnect(nil, "a", "b"); !allowed || by != nil {
		t.Errorf("without intentions: %t, %v", allowed, by)
	}
	within := []*Intention{{SourceName: "a", DestinationName: "b", Permissions: []*api.IntentionPermission{{Action: "allow"}}}}
	if allowed, _ := MayConnect(within, "a", "b"); allowed {
		t.Error("an intention about requests allows the connection")
	}
}

func TestSetIntention(t *testing.T) {
	entries := intentions(t, "web => db (allow)", "api => db (deny)")
	was := entries[0].(*ServiceIntentions)
	before := text(Intentions(entries))
	set := func(id, source, action string) (string, error) {
		e, err := SetIntention(was, &Intention{ID: id, SourceName: source, DestinationName: "db", Action: api.IntentionAction(action)}, time.Unix(99, 0))
		if err != nil {
			return "", err
		}
		NormalizeConfigEntry(e)
		return text(Intentions([]ConfigEntry{e})), nil
	}
	for name, tt := range map[string]struct{ id, source, action, want, err string }{
		"replaced_by_source":       {source: "web", action: "deny", want: "api => db (deny), web => db (deny)"},
		"replaced_by_id":           {id: "id0", source: "www", action: "allow", want: "api => db (deny), www => db (allow)"},
		"added":                    {source: "x", action: "allow", want: "api => db (deny), web => db (allow), x => db (allow)"},
		"taken_from_another":       {id: "id0", source: "api", action: "allow", err: "duplicate intention found: api => db (allow)"},
		"twice":                    {id: "new", source: "web", action: "allow", err: "duplicate intention found: web => db (allow)"},
		"without_a_source":         {action: "allow", err: "SourceName must be set"},
		"neither_allowed_nor_deny": {source: "x", action: "maybe", err: "Action must be set to 'allow' or 'deny'"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := set(tt.id, tt.source, tt.action)
			if got != tt.want || err == nil && tt.err != "" || err != nil && err.Error() != tt.err {
				t.Errorf("%q, %v; want %q, %q", got, err, tt.want, tt.err)
			}
		})
	}
	if e := RemoveIntention(was, "id0", ""); len(e.Sources) != 1 || e.Sources[0].Name != "api" {
		t.Errorf("without id0: %+v", e.Sources)
	}
	if e := RemoveIntention(was, "", "api"); len(e.Sources) != 1 || e.Sources[0].Name != "web" {
		t.Errorf("without api: %+v", e.Sources)
	}
	if got := text(Intentions(entries)); got != before {
		t.Errorf("what there was has become %s", got)
	}
	added, err := SetIntention(was, &Intention{SourceName: "x", DestinationName: "db", Action: "allow"}, time.Unix(99, 0))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []*ServiceIntentions{added, RemoveIntention(was, "", "none")} {
		for _, s := range e.Sources { // which are about to be filled in
			if slices.Contains(was.Sources, s) {
				t.Errorf("the source %s is that of the state", s.Name)
			}
		}
	}
	if e, err := FindIntention(entries, "id1"); err != nil || e != was {
		t.Errorf("id1 is in %v, %v", e, err)
	}
	if _, err := FindIntention(entries, "none"); !errors.Is(err, ErrIntentionNotFound) {
		t.Errorf("none: %v", err)
	}
	if err := CheckDestination(was, &Intention{DestinationName: "x"}); err == nil {
		t.Error("an intention moved to another destination")
	}
}

func TestParseServiceName(t *testing.T) {
	for given, want := range map[string]string{"web": "web", "default/web": "web", "*": "*", "": "error", "team/web": "error", "a/b/c": "error"} {
		got, err := ParseServiceName(given)
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%q is %q, want %q", given, got, want)
		}
	}
}
