package main

import (
	"fmt"
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
