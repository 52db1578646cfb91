package config

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// place says where a value was set: a file and a line, a flag, or nowhere for a default.
type place struct {
	source string // a file's path, "-hcl", or a flag with its dash; "" for a default
	line   int    // from 1; 0 where lines mean nothing
}

func (p place) String() string {
	if p.line == 0 {
		return p.source
	}
	return p.source + ":" + strconv.Itoa(p.line)
}

// tell prefixes text with the place, where there is one.
func (p place) tell(text string) string {
	if p.source == "" {
		return text
	}
	return p.String() + ": " + text
}

// Problem is one mistake in the configuration that keeps the agent from starting.
type Problem struct {
	Source string // the file, "-hcl" or the flag; empty where the mistake is that nothing was said
	Line   int    // line of the file, from 1; 0 where there is none
	Text   string // what is wrong and what to write instead
}

// Error gives place and text, as in `/etc/consul/a.hcl:7: invalid config key "datacentre"; did you mean "datacenter"?`.
func (p Problem) Error() string { return place{p.Source, p.Line}.tell(p.Text) }

// Problems is every mistake that was found, by source and line. It is the error of [Load].
type Problems []Problem

// Error gives one problem a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// maxProblems bounds what one source may complain about, so that a file of the wrong sort does not fill the terminal.
const maxProblems = 100

func (ps *Problems) add(at place, format string, args ...any) {
	*ps = append(*ps, Problem{Source: at.source, Line: at.line, Text: fmt.Sprintf(format, args...)})
}

// err is nil for no problems, so that an empty list never becomes a non-nil error.
func (ps Problems) err() error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}

// byLine orders the problems of one source.
func (ps Problems) byLine() Problems {
	slices.SortStableFunc(ps, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return ps
}

// Warning is something a human should know about a configuration that is nevertheless used.
type Warning struct {
	Source string // as in Problem
	Line   int
	Text   string
}

// String gives place and text, ready to be printed after `==> WARNING: `.
func (w Warning) String() string { return place{w.Source, w.Line}.tell(w.Text) }

func warn(at place, format string, args ...any) Warning {
	return Warning{Source: at.source, Line: at.line, Text: fmt.Sprintf(format, args...)}
}
