// Package nearest finds the word that was meant by one that does not exist: a command, a
// flag, a configuration key. It is pure and keeps nothing.
package nearest

import "strings"

// longest is the length of a word that may still be a slip of the finger. The
// comparison takes the product of two lengths, and a word can be anything.
const longest = 64

// Word returns the candidate that the writer of word most likely meant, or "" when
// none is close: the one with the fewest edits if those are few, else one that
// begins with it. Of equals the first wins. Case does not matter.
func Word(word string, candidates []string) string {
	if len(word) > longest {
		return ""
	}
	word = strings.ToLower(word)
	best, bestDistance := "", 1+max(1, len(word)/3)
	for _, c := range candidates {
		if d := editDistance(word, strings.ToLower(c)); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	if best != "" || len(word) < 2 {
		return best
	}
	for _, c := range candidates {
		if strings.HasPrefix(strings.ToLower(c), word) {
			return c
		}
	}
	return ""
}

// editDistance counts the insertions, deletions, replacements and swaps of
// neighbours that lead from a to b.
func editDistance(a, b string) int {
	before := make([]int, len(b)+1) // the row of a[:i-2]
	last := make([]int, len(b)+1)   // the row of a[:i-1]
	row := make([]int, len(b)+1)    // the row of a[:i]
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
