package nearest

import (
	"strings"
	"testing"
)

func TestWord(t *testing.T) {
	candidates := []string{"agent", "force-leave", "join", "keygen", "keyring", "leave", "members", "monitor"}
	tests := []struct{ name, word, want string }{
		{"letter_missing", "membrs", "members"},
		{"letters_swapped", "agnet", "agent"},
		{"letter_wrong", "memberz", "members"},
		{"prefix", "mon", "monitor"},
		{"upper_case", "JOIN", "join"},
		{"dash_missing", "forceleave", "force-leave"},
		{"nothing_close", "kubernetes", ""},
		{"one_letter", "k", ""},
		{"empty", "", ""},
		{"far_too_long", strings.Repeat("members", 20), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Word(tt.word, candidates); got != tt.want {
				t.Errorf("Word(%q) = %q, want %q", tt.word, got, tt.want)
			}
		})
	}
}

func TestEditDistance(t *testing.T) {
	tests := []struct {
		name, a, b string
		want       int
	}{
		{"same", "join", "join", 0},
		{"both_empty", "", "", 0},
		{"from_empty", "", "join", 4},
		{"to_empty", "join", "", 4},
		{"insertion", "join", "joins", 1},
		{"deletion", "join", "jon", 1},
		{"replacement", "join", "loin", 1},
		{"swap", "join", "jion", 1},
		{"two_swaps", "abcd", "badc", 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := editDistance(tt.a, tt.b); got != tt.want {
				t.Errorf("editDistance(%q, %q) = %d, want %d", tt.a, tt.b, got, tt.want)
			}
		})
	}
}
