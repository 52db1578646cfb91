package main

import (
	"strings"
	"testing"
	"time"

	"github.com/actor-consul/consul/messages/agentrpc"
)

var start = time.Date(2026, 3, 4, 5, 6, 7, 8, time.UTC)

func TestActorsTable(t *testing.T) {
	got := actorsTable([]agentrpc.Actor{
		{Name: "logs", State: "running", Handled: 1382, Since: start.UnixNano()},
		{Name: "gossip", State: "restarting", MailboxDepth: 2, Handled: 90211, Restarts: 1, LastFailure: "boom\ngoroutine 1"},
	})
	want := "" +
		"Actor   State       Mailbox  Handled  Restarts  Up since              Last failure\n" +
		"logs    running     0        1382     0         2026-03-04T05:06:07Z  -\n" +
		"gossip  restarting  2        90211    1         -                     boom..."
	if got != want {
		t.Errorf("actorsTable() =\n%s\nwant\n%s", got, want)
	}
}

func TestFailureLine(t *testing.T) {
	tests := []struct{ name, failure, want string }{
		{"never", "", "-"},
		{"one_line", "boom", "boom"},
		{"several_lines", "boom\nat x", "boom..."},
		{"exactly_fits", strings.Repeat("é", longestFailure), strings.Repeat("é", longestFailure)},
		{"too_long", strings.Repeat("é", longestFailure+1), strings.Repeat("é", longestFailure) + "..."},
		{"steers_the_terminal", "\x1b[2J", `\x1b[2J`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := failureLine(tt.failure); got != tt.want {
				t.Errorf("failureLine(%q) = %s, want %s", tt.failure, got, tt.want)
			}
		})
	}
}

func TestActorsJSON(t *testing.T) {
	got := actorsJSON([]agentrpc.Actor{
		{Name: "logs", State: "running", Handled: 1382, Since: start.UnixNano()},
		{Name: "dns", State: "stopped", Restarts: 3, LastFailure: "a\nb", LastFailureAt: start.UnixNano()},
	})
	want := `[
   {
      "Name": "logs",
      "State": "running",
      "MailboxDepth": 0,
      "Handled": 1382,
      "Restarts": 0,
      "Since": "2026-03-04T05:06:07.000000008Z"
   },
   {
      "Name": "dns",
      "State": "stopped",
      "MailboxDepth": 0,
      "Handled": 0,
      "Restarts": 3,
      "Since": "0001-01-01T00:00:00Z",
      "LastFailure": "a\nb",
      "LastFailureAt": "2026-03-04T05:06:07.000000008Z"
   }
]`
	if got != want {
		t.Errorf("actorsJSON() =\n%s\nwant\n%s", got, want)
	}
}
