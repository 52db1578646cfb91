package state

import (
	"fmt"
	"strconv"
	"strings"
)

// The language of query templates: text with ${...} in it, where in the braces is the
// name of a variable, match(N), or a text in quotes. $${ is a plain ${.
//
// It is the part of HashiCorp's HIL that Consul documents. HIL itself has arithmetic,
// conditions and lists that have no use here, and its parser would run in the state
// machine, on what clients send, where a panic or an exhausted stack ends all servers
// at once.

// interpolation is a text that has been parsed.
type interpolation []piece

// piece is a part of a text: one of the three.
type piece struct {
	literal  string
	variable string
	match    *int // the number of a group of the regular expression
}

// The variables.
const (
	nameFull     = "name.full"   // the name that was asked for
	namePrefix   = "name.prefix" // what of it is the template's
	nameSuffix   = "name.suffix" // the rest
	agentSegment = "agent.segment"
)

// scope is what the pieces are replaced by.
type scope struct {
	variables map[string]string
	matches   []string // the groups of the regular expression
}

// parseInterpolation reads a text.
func parseInterpolation(text string) (interpolation, error) {
	var all interpolation
	var literal strings.Builder
	for text != "" {
		i := strings.IndexByte(text, '$')
		switch {
		case i < 0:
			literal.WriteString(text)
			text = ""
		case strings.HasPrefix(text[i:], "$${"):
			literal.WriteString(text[:i] + "${")
			text = text[i+len("$${"):]
		case !strings.HasPrefix(text[i:], "${"):
			literal.WriteString(text[:i+1])
			text = text[i+1:]
		default:
			literal.WriteString(text[:i])
			if literal.Len() > 0 {
				all = append(all, piece{literal: literal.String()})
				literal.Reset()
			}
			p, rest, err := parsePiece(text[i+len("${"):])
			if err != nil {
				return nil, err
			}
			all, text = append(all, p), rest
		}
	}
	if literal.Len() > 0 {
		all = append(all, piece{literal: literal.String()})
	}
	return all, nil
}

// parsePiece reads what is in braces, and returns what follows them.
func parsePiece(text string) (p piece, rest string, err error) {
	text = strings.TrimLeft(text, " \t\n")
	if strings.HasPrefix(text, `"`) {
		quoted, err := strconv.QuotedPrefix(text)
		if err != nil {
			return p, "", fmt.Errorf("a text that begins with a quote must end with one")
		}
		if p.literal, err = strconv.Unquote(quoted); err != nil {
			return p, "", fmt.Errorf("the text %s cannot be read", quoted)
		}
		after, ok := strings.CutPrefix(strings.TrimLeft(text[len(quoted):], " \t\n"), "}")
		if !ok {
			return p, "", fmt.Errorf("expected } after %s", quoted)
		}
		return p, after, nil
	}
	inner, rest, ok := strings.Cut(text, "}")
	if !ok {
		return p, "", fmt.Errorf("expected } at the end of what ${ begins")
	}
	inner = strings.TrimSpace(inner)
	if call, ok := strings.CutSuffix(inner, ")"); ok {
		name, arg, _ := strings.Cut(call, "(")
		if name = strings.TrimSpace(name); name != "match" {
			return p, "", fmt.Errorf("unknown function called: %s", name)
		}
		n, err := strconv.Atoi(strings.TrimSpace(arg))
		if err != nil {
			return p, "", fmt.Errorf("match takes the number of a group, got %q", arg)
		}
		p.match = &n
		return p, rest, nil
	}
	switch inner {
	case nameFull, namePrefix, nameSuffix, agentSegment:
		p.variable = inner
		return p, rest, nil
	default:
		return p, "", fmt.Errorf("unknown variable accessed: %s", inner)
	}
}

// in returns the text with its pieces replaced. A group that there is not is empty.
func (all interpolation) in(s *scope) string {
	var text strings.Builder
	for _, p := range all {
		switch {
		case p.match != nil:
			if n := *p.match; n >= 0 && n < len(s.matches) {
				text.WriteString(s.matches[n])
			}
		case p.variable != "":
			text.WriteString(s.variables[p.variable])
		default:
			text.WriteString(p.literal)
		}
	}
	return text.String()
}
