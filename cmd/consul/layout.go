package main

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// gap is what separates two columns, and wideGap where Consul's commands put more
// between them.
const (
	gap     = "  "
	wideGap = "      "
)

// align puts rows into columns that are as wide as their widest cell. The last
// cell of a row is not padded, and no line ends in a blank.
func align(rows [][]string) string { return alignWith(gap, rows) }

// alignWith is align with something else between the columns.
func alignWith(gap string, rows [][]string) string {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			if i < len(row)-1 {
				widths[i] = max(widths[i], utf8.RuneCountInString(cell))
			}
		}
	}
	lines := make([]string, len(rows))
	for i, row := range rows {
		lines[i] = alignRow(gap, row, widths)
	}
	return strings.Join(lines, "\n")
}

func alignRow(gap string, row []string, widths []int) string {
	var b strings.Builder
	for i, cell := range row {
		b.WriteString(cell)
		if i < len(row)-1 {
			b.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)) + gap)
		}
	}
	return strings.TrimRight(b.String(), " ")
}

// indent moves every line of text to the right by two columns, but for empty ones.
func indent(text string) string {
	lines := strings.Split(strings.Trim(text, "\n"), "\n")
	for i, line := range lines {
		if line != "" {
			lines[i] = gap + line
		}
	}
	return strings.Join(lines, "\n")
}

// printable replaces what could steer a terminal, or break a line in two, by Go's
// escape for it. What other agents say of themselves, such as names and tags, is
// not trusted to be text.
func printable(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		invalid := r == utf8.RuneError && size == 1
		if r == '\t' || unicode.IsPrint(r) && !invalid {
			b.WriteString(s[:size])
		} else {
			quoted := strconv.Quote(s[:size])
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		s = s[size:]
	}
	return b.String()
}

// toJSON writes v as Consul's commands do, over several lines that are indented by
// three columns. v holds nothing that JSON does not know.
func toJSON(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "   ")
	if err := enc.Encode(v); err != nil {
		panic("layout: " + err.Error())
	}
	return strings.TrimSuffix(b.String(), "\n")
}
