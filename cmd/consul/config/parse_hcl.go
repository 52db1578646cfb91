package config

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/hashicorp/hcl/hcl/ast"
	hclparser "github.com/hashicorp/hcl/hcl/parser"
	"github.com/hashicorp/hcl/hcl/scanner"
	"github.com/hashicorp/hcl/hcl/token"
)

// maxLabels is how many keys may stand before one block, as in `check "mem" { … }`. Each is a level of nesting.
const maxLabels = 4

// parseHCL parses HCL 1.
func parseHCL(data []byte) (n *node, bad *Problem) {
	defer mend(&bad, 0)
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	if bad := glance(data); bad != nil {
		return nil, bad
	}
	file, err := hclparser.Parse(data)
	if err != nil {
		return nil, hclProblem(err)
	}
	root, ok := file.Node.(*ast.ObjectList)
	if !ok {
		return nil, &Problem{Text: fmt.Sprintf("invalid HCL: found a %T at the top", file.Node)}
	}
	members, bad := hclMembers(root)
	return &node{line: 1, value: members}, bad
}

// mend is deferred around the library, which panics on some malformed text (a broken escape, say): at this border, and
// only here, a panic becomes an ordinary mistake of the file.
func mend(bad **Problem, line int) {
	if r := recover(); r != nil {
		*bad = &Problem{Line: line, Text: fmt.Sprintf("invalid HCL: %v", r)}
	}
}

// glance looks for what the parser is not to be trusted with: brackets, into which it recurses, and a file that ends
// behind an equals sign, which it takes for a whole one.
func glance(data []byte) *Problem {
	s := scanner.New(data)
	s.Error = func(token.Pos, string) {} // the parser will meet the same mistake and say so
	depth := 0
	for last := (token.Token{}); ; {
		t := s.Scan()
		switch t.Type {
		case token.EOF:
			if last.Type == token.ASSIGN {
				return &Problem{Line: last.Pos.Line, Text: "invalid HCL: the file ends where a value should be"}
			}
			return nil
		case token.COMMENT:
			continue
		case token.LBRACE, token.LBRACK:
			if depth++; depth > maxDepth {
				return &Problem{Line: t.Pos.Line, Text: fmt.Sprintf("invalid HCL: objects and lists nest deeper than %d", maxDepth)}
			}
		case token.RBRACE, token.RBRACK:
			depth = max(0, depth-1)
		}
		last = t
	}
}

func hclProblem(err error) *Problem {
	var at *hclparser.PosError
	if errors.As(err, &at) {
		return &Problem{Line: at.Pos.Line, Text: "invalid HCL: " + at.Err.Error()}
	}
	return &Problem{Text: "invalid HCL: " + err.Error()}
}

func hclMembers(list *ast.ObjectList) ([]member, *Problem) {
	members := make([]member, 0, len(list.Items))
	for _, item := range list.Items {
		if k := len(item.Keys); k == 0 || k > maxLabels {
			return nil, &Problem{Line: item.Val.Pos().Line, Text: fmt.Sprintf("invalid HCL: %d keys before one value", k)}
		}
		value, bad := hclNode(item.Val)
		if bad != nil {
			return nil, bad
		}
		// `a "b" { … }` is short for `a { b { … } }`: wrap from the inside.
		for i := len(item.Keys) - 1; i > 0; i-- {
			m, bad := hclMember(item.Keys[i], value)
			if bad != nil {
				return nil, bad
			}
			value = &node{line: m.line, value: []member{m}}
		}
		m, bad := hclMember(item.Keys[0], value)
		if bad != nil {
			return nil, bad
		}
		members = append(members, m)
	}
	return members, nil
}

func hclMember(key *ast.ObjectKey, value *node) (member, *Problem) {
	name, bad := tokenValue(key.Token)
	if bad != nil {
		return member{}, bad
	}
	return member{name: fmt.Sprint(name), line: key.Token.Pos.Line, value: value}, nil
}

// tokenValue is the token's text without quotes and escapes, or its truth.
func tokenValue(t token.Token) (v any, bad *Problem) {
	defer mend(&bad, t.Pos.Line)
	return t.Value(), nil
}

func hclNode(n ast.Node) (*node, *Problem) {
	line := n.Pos().Line
	switch v := n.(type) {
	case *ast.ObjectType:
		members, bad := hclMembers(v.List)
		return &node{line: line, value: members}, bad
	case *ast.ListType:
		items := make([]*node, 0, len(v.List))
		for _, i := range v.List {
			item, bad := hclNode(i)
			if bad != nil {
				return nil, bad
			}
			items = append(items, item)
		}
		return &node{line: line, value: items}, nil
	case *ast.LiteralType:
		return hclLiteral(v.Token)
	}
	return nil, &Problem{Line: line, Text: fmt.Sprintf("invalid HCL: a %T is not a value", n)}
}

func hclLiteral(t token.Token) (*node, *Problem) {
	if t.Type == token.NUMBER || t.Type == token.FLOAT {
		return &node{line: t.Pos.Line, value: number(t.Text)}, nil
	}
	v, bad := tokenValue(t)
	return &node{line: t.Pos.Line, value: v}, bad
}
