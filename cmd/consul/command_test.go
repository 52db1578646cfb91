package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/cli"
	"github.com/posener/complete"
)

// newTestCommand has one flag of each kind.
func newTestCommand(ui cli.Ui) (c *command, format *choice, status *pattern, wan *bool) {
	made := newCommand(ui, words{
		name:     "test",
		operands: "NODE...",
		about:    "\nDoes nothing,\nslowly.",
		example:  "\n$ consul test",
	})
	c = &made
	format = &choice{word: "line", options: []string{"line", "json"}}
	status = &pattern{}
	c.flags.Var(format, "format", "print as `FORMAT`: line or json")
	c.flags.Var(status, "status", "`REGEXP` to match")
	wan = c.flags.Bool("wan", false, "the other pool")
	return c, format, status, wan
}

func TestHelp(t *testing.T) {
	c, _, _, _ := newTestCommand(cli.NewMockUi())
	want := `Usage: consul test [options] NODE...

  Does nothing,
  slowly.

Options:

  -format=FORMAT  print as FORMAT: line or json (default line)
  -status=REGEXP  REGEXP to match
  -wan            the other pool

Example:

  $ consul test`
	if got := c.Help(); got != want {
		t.Errorf("Help() =\n%s\nwant\n%s", got, want)
	}
}

func TestParse(t *testing.T) {
	tests := []struct {
		name        string
		args        []string
		least, most int
		operands    []string
		complaint   string
	}{
		{name: "nothing"},
		{name: "flags_before", args: []string{"-wan", "a"}, most: -1, operands: []string{"a"}},
		{name: "flags_after", args: []string{"a", "-wan"}, most: -1, operands: []string{"a"}},
		{name: "flags_between", args: []string{"a", "-format", "json", "b"}, most: -1, operands: []string{"a", "b"}},
		{name: "two_dashes", args: []string{"--wan"}},
		{name: "end_of_flags", args: []string{"a", "--", "-wan", "b"}, most: -1, operands: []string{"a", "-wan", "b"}},
		{name: "a_dash_is_an_operand", args: []string{"-"}, most: 1, operands: []string{"-"}},
		{name: "unknown_flag", args: []string{"-bogus"}, complaint: "unknown flag -bogus"},
		{name: "near_flag", args: []string{"-fromat=json"}, complaint: "unknown flag -fromat; did you mean -format?"},
		{name: "near_flag_after", args: []string{"a", "-wam"}, most: -1, complaint: "unknown flag -wam; did you mean -wan?"},
		{name: "no_value", args: []string{"-format"}, complaint: "flag needs an argument: -format"},
		{name: "no_such_choice", args: []string{"-format=xml"}, complaint: `invalid value "xml" for flag -format: it is one of line, json`},
		{name: "no_regexp", args: []string{"-status=("}, complaint: "invalid value \"(\" for flag -status: error parsing regexp: missing closing ): `(`"},
		{name: "none_wanted", args: []string{"a"}, complaint: `takes no arguments, but was given "a"`},
		{name: "too_few", least: 1, most: -1, complaint: "needs NODE..."},
		{name: "too_many", args: []string{"a", "b"}, most: 1, complaint: `takes only NODE..., but was given "b" as well`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ui := cli.NewMockUi()
			c, _, _, _ := newTestCommand(ui)
			operands, ok := c.parse(tt.args, tt.least, tt.most)
			if !slices.Equal(operands, tt.operands) || ok != (tt.complaint == "") {
				t.Errorf("parse(%q) = %q, %v; want %q", tt.args, operands, ok, tt.operands)
			}
			want := ""
			if tt.complaint != "" {
				want = "consul test: " + tt.complaint + "\nRun `consul test -h` for its usage.\n"
			}
			if got := ui.ErrorWriter.String(); got != want {
				t.Errorf("the user was told\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestParseValues(t *testing.T) {
	c, format, status, wan := newTestCommand(cli.NewMockUi())
	if _, ok := c.parse([]string{"-format=JSON", "-status=^fail", "-wan"}, 0, 0); !ok {
		t.Fatal("parse() refused")
	}
	if format.word != "json" || !*wan || !status.matches("failed") || status.matches("alive") {
		t.Errorf("format %q, wan %v, status %q", format.word, *wan, status)
	}
}

func TestHTTPFlag(t *testing.T) {
	ui := cli.NewMockUi()
	if status := newMembersCommand(ui).Run([]string{"-http-addr=127.0.0.1:1", "-rpc-addr=127.0.0.1:1"}); status != 1 {
		t.Errorf("Run() = %d, want 1", status)
	}
	want := "consul members: -rpc-addr is for the agent's RPC and -http-addr for HTTP: leave one of them out\n"
	if got := ui.ErrorWriter.String(); !strings.HasPrefix(got, want) {
		t.Errorf("the user was told\n%s\nwant\n%s", got, want)
	}
}

func TestCompletion(t *testing.T) {
	c, _, _, _ := newTestCommand(cli.NewMockUi())
	line := complete.Command{Flags: c.AutocompleteFlags(), Args: c.AutocompleteArgs()}
	tests := []struct {
		name      string
		completed string // the word before
		last      string // what has been typed of the next
		want      []string
	}{
		{name: "flags", last: "-", want: []string{"-format", "-status", "-wan"}},
		{name: "values", completed: "-format", want: []string{"json", "line"}},
		{name: "flags_after_a_switch", completed: "-wan", last: "-", want: []string{"-format", "-status", "-wan"}},
		{name: "nothing_known", completed: "-status"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := line.Predict(complete.Args{Last: tt.last, LastCompleted: tt.completed})
			slices.Sort(got)
			if !slices.Equal(got, tt.want) {
				t.Errorf("Predict() = %q, want %q", got, tt.want)
			}
		})
	}
}

// TestWords holds what every command has to say of itself.
func TestWords(t *testing.T) {
	for name, create := range commands {
		t.Run(name, func(t *testing.T) {
			c := create(cli.NewMockUi())
			if s := c.Synopsis(); s == "" || strings.Contains(s, "\n") {
				t.Errorf("Synopsis() = %q, want one line", s)
			}
			help := c.Help()
			for _, want := range []string{"Usage: consul " + name, "Example:\n\n  $ consul " + name} {
				if !strings.Contains(help, want) {
					t.Errorf("Help() has no %q:\n%s", want, help)
				}
			}
			if _, ok := c.(cli.CommandAutocomplete); !ok {
				t.Error("the command does not complete its flags")
			}
		})
	}
}
