package config

import (
	"math"
	"slices"
	"strings"
)

// elsewhere finds the key of that very name in another section than s, and gives its full name, or "". Definitions are
// left out: too many of their names are common words.
func elsewhere(s *section, name string) string {
	if s.loose {
		return ""
	}
	i := slices.IndexFunc(table, func(k Key) bool { return strings.HasSuffix("."+k.Path, "."+strings.ToLower(name)) })
	if i < 0 {
		return ""
	}
	return table[i].Path
}

// nearest is the name that takes the fewest edits, if those are few enough to be a slip of the finger; the first of
// equals.
func nearest(name string, names []string) string {
	const longest = 64 // no key is as long; the comparison takes the product of the lengths
	if len(name) > longest {
		return ""
	}
	name = strings.ToLower(name)
	best, found := max(1, len(name)/3)+1, ""
	for _, candidate := range names {
		if d := distance(name, candidate); d < best {
			best, found = d, candidate
		}
	}
	return found
}

// distance counts the insertions, removals, replacements and swaps of neighbours that turn a into b (optimal string
// alignment). It compares bytes: keys are ASCII.
func distance(a, b string) int {
	before := make([]int, len(b)+1) // two rows up
	above := make([]int, len(b)+1)
	row := make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			swap := math.MaxInt
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				swap = before[j-1] + 1
			}
			row[j+1] = slices.Min([]int{row[j] + 1, above[j+1] + 1, above[j] + cost, swap})
		}
		before, above, row = above, row, before
	}
	return above[len(b)]
}
