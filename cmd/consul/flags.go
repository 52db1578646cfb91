package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// choice is the value of a flag that takes one of a few words, in any case.
type choice struct {
	word    string // lower case
	options []string
}

// String implements flag.Value. The flag package calls it on a zero choice too.
func (c *choice) String() string { return c.word }

// Set implements flag.Value.
func (c *choice) Set(word string) error {
	word = strings.ToLower(word)
	if !slices.Contains(c.options, word) {
		return fmt.Errorf("it is one of %s", strings.Join(c.options, ", "))
	}
	c.word = word
	return nil
}

// pattern is the value of a flag that takes a regular expression. The zero pattern
// matches everything.
type pattern struct {
	re *regexp.Regexp
}

// String implements flag.Value.
func (p *pattern) String() string {
	if p.re == nil {
		return ""
	}
	return p.re.String()
}

// Set implements flag.Value.
func (p *pattern) Set(text string) error {
	re, err := regexp.Compile(text)
	if err != nil {
		return err
	}
	p.re = re
	return nil
}

// matches reports whether the expression is found in s.
func (p *pattern) matches(s string) bool { return p.re == nil || p.re.MatchString(s) }

// list is the value of a flag that may be given several times.
type list []string

// String implements flag.Value.
func (l *list) String() string { return strings.Join(*l, ",") }

// Set implements flag.Value.
func (l *list) Set(word string) error {
	*l = append(*l, word)
	return nil
}

// pairs is the value of a flag that takes key=value and may be given several times.
type pairs map[string]string

// String implements flag.Value.
func (p *pairs) String() string { return joinPairs(*p, ",") }

// Set implements flag.Value.
func (p *pairs) Set(word string) error {
	key, value, ok := strings.Cut(word, "=")
	if !ok || key == "" {
		return fmt.Errorf("it is KEY=VALUE")
	}
	if *p == nil {
		*p = pairs{}
	}
	(*p)[key] = value
	return nil
}

// joinPairs writes pairs as key=value, by key.
func joinPairs(m map[string]string, between string) string {
	words := make([]string, 0, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		words = append(words, key+"="+m[key])
	}
	return strings.Join(words, between)
}
