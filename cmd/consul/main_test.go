package main

import (
	"errors"
	"maps"
	"os/exec"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"consul": main})
}

// TestScripts runs the program as an operator would; see testdata/*.txtar.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("CONSUL_RPC_ADDR", "")
			env.Setenv("CONSUL_HTTP_ADDR", "")
			env.Setenv("GORACE", "atexit_sleep_ms=0") // else each run ends a second later
			return setStage(env)
		},
		Cmds: scriptCommands(),
	})
}

// scriptCommands are the commands that scripts have beside testscript's own.
func scriptCommands() map[string]func(*testscript.TestScript, bool, []string) {
	all := maps.Clone(stageCommands)
	all["exits"] = exits
	return all
}

// exits is a command for scripts: `exits STATUS PROGRAM [ARG...]` runs the program
// and insists on its exit status.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS PROGRAM [ARG...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	status := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%s: %v", args[1], err)
		}
		status = exit.ExitCode()
	}
	if status != want {
		ts.Fatalf("%s exited with %d, want %d", args[1], status, want)
	}
}

func TestUnknown(t *testing.T) {
	tests := []struct {
		name, command string
		args          []string
		want          string
	}{
		{name: "no_arguments"},
		{name: "known_command", command: "members", args: []string{"members", "-bogus"}},
		{name: "known_flags", args: []string{"-h", "--version", "-autocomplete-install"}},
		{name: "near_command", command: "membrs", args: []string{"membrs"}, want: `consul: unknown command "membrs"; did you mean "members"?`},
		{name: "far_command", command: "frobnicate", args: []string{"frobnicate"}, want: `consul: unknown command "frobnicate"`},
		{name: "near_flag", args: []string{"--versoin"}, want: `consul: unknown flag "--versoin"; did you mean "-version"?`},
		{name: "hostile_command", command: "\x1b[2J", args: []string{"\x1b[2J"}, want: `consul: unknown command "\x1b[2J"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := unknown(tt.command, tt.args); got != tt.want {
				t.Errorf("unknown(%q, %q) = %s, want %s", tt.command, tt.args, got, tt.want)
			}
		})
	}
}
