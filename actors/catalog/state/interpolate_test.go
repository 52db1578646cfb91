package state

import (
	"fmt"
	"strings"
	"testing"
)

func TestInterpolation(t *testing.T) {
	s := &scope{
		variables: map[string]string{nameFull: "geo-db-eu", namePrefix: "geo-", nameSuffix: "db-eu", agentSegment: "alpha"},
		matches:   []string{"db-eu", "db", "eu"},
	}
	tests := []struct{ name, text, want, err string }{
		{name: "nothing"},
		{name: "plain", text: "just text", want: "just text"},
		{name: "variables", text: "${name.full}|${name.prefix}|${ name.suffix }|${agent.segment}", want: "geo-db-eu|geo-|db-eu|alpha"},
		{name: "groups", text: "${match(1)}.${match( 2 )}", want: "db.eu"},
		{name: "the_whole_match", text: "${match(0)}", want: "db-eu"},
		{name: "no_such_group", text: "<${match(3)}${match(-1)}>", want: "<>"},
		{name: "escaped", text: "$${name.full} $$ $x $", want: "${name.full} $$ $x $"},
		{name: "quoted", text: `${"a } \" b"}c`, want: `a } " bc`},
		{name: "no_end", text: "x${name.full", err: "expected } at the end of what ${ begins"},
		{name: "no_end_of_a_quote", text: `${"a}`, err: "a text that begins with a quote must end with one"},
		{name: "more_after_a_quote", text: `${"a" b}`, err: `expected } after "a"`},
		{name: "empty", text: "${}", err: "unknown variable accessed: "},
		{name: "other_variable", text: "${nope}", err: "unknown variable accessed: nope"},
		{name: "other_function", text: "${upper(1)}", err: "unknown function called: upper"},
		{name: "no_number", text: "${match(x)}", err: `match takes the number of a group, got "x"`},
		{name: "no_open_bracket", text: "${match)}", err: `match takes the number of a group, got ""`},
		{name: "arithmetic_is_not_there", text: "${match(1+1)}", err: `match takes the number of a group, got "1+1"`},
		{name: "deep", text: strings.Repeat("${", 10_000), err: "expected } at the end of what ${ begins"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			parsed, err := parseInterpolation(tt.text)
			errorIs(t, err, tt.err)
			if err == nil {
				equal(t, "text", parsed.in(s), tt.want)
			}
		})
	}
}

// FuzzInterpolation: whatever a client sends is read or refused, and text without a
// dollar stays as it is.
func FuzzInterpolation(f *testing.F) {
	for _, seed := range []string{"", "a${name.full}b", "$${", "${match(1)}", `${"x"}`, "${${}}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := parseInterpolation(text)
		if err == nil && !strings.Contains(text, "$") && parsed.in(&scope{}) != text {
			t.Errorf("%q reads %q", text, fmt.Sprint(parsed))
		}
	})
}
