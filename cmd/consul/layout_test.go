package main

import (
	"testing"
)

func TestAlign(t *testing.T) {
	tests := []struct {
		name string
		rows [][]string
		want string
	}{
		{"nothing", nil, ""},
		{"one_row", [][]string{{"a", "b", "c"}}, "a  b  c"},
		{"widest_cell", [][]string{{"a", "b"}, {"long", "b"}}, "a     b\nlong  b"},
		{"last_cell_is_not_padded", [][]string{{"a", "long"}, {"a", "b"}}, "a  long\na  b"},
		{"no_blank_at_the_end", [][]string{{"a", ""}, {"a", "b"}}, "a\na  b"},
		{"rows_of_unequal_length", [][]string{{"a"}, {"long", "b", "c"}}, "a\nlong  b  c"},
		{"runes_not_bytes", [][]string{{"é", "b"}, {"ab", "b"}}, "é   b\nab  b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := align(tt.rows); got != tt.want {
				t.Errorf("align() =\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestPrintable(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain", "node-1", "node-1"},
		{"other_alphabets", "köln-東京", "köln-東京"},
		{"quotes_stay", `a "b"`, `a "b"`},
		{"escape_sequence", "\x1b[2Jnode", `\x1b[2Jnode`},
		{"line_break", "a\nb", `a\nb`},
		{"tabs_stay", "a\tb", "a\tb"},
		{"backslash_stays", `a\b`, `a\b`},
		{"replacement_character_stays", "\ufffd", "\ufffd"},
		{"not_utf8", "a\xffb", `a\xffb`},
		{"right_to_left_override", "a\u202eb", `a\u202eb`},
		{"quote_beside_escape", "\"\x00\"", `"\x00"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := printable(tt.in); got != tt.want {
				t.Errorf("printable(%q) = %s, want %s", tt.in, got, tt.want)
			}
		})
	}
}

func TestIndent(t *testing.T) {
	if got, want := indent("\na\n\n  b\n"), "  a\n\n    b"; got != want {
		t.Errorf("indent() = %q, want %q", got, want)
	}
}

func TestToJSON(t *testing.T) {
	got := toJSON(struct{ Name string }{"<a&b>"})
	if want := "{\n   \"Name\": \"<a&b>\"\n}"; got != want {
		t.Errorf("toJSON() = %s, want %s", got, want)
	}
}
