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

// parseHCL parses HCL 1. The library panics on some malformed text (a number that does not fit, a broken escape); at this
// border, and only here, a panic becomes an ordinary mistake of the file.
func parseHCL(data []byte) (n *node, bad *Problem) {
	defer func() {
		if r := recover(); r != nil {
			n, bad = nil, &Problem{Text: fmt.Sprintf("invalid HCL: %v", r)}
		}
	}()
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	if bad := tooDeep(data); bad != nil {
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

// tooDeep counts brackets before the parser recurses into them.
func tooDeep(data []byte) *Problem {
	s := scanner.New(data)
	s.Error = func(token.Pos, string) {} // the parser will meet the same mistake and say so
	depth := 0
	for {
		switch t := s.Scan(); t.Type {
		case token.EOF:
			return nil
		case token.LBRACE, token.LBRACK:
			if depth++; depth > maxDepth {
				return &Problem{Line: t.Pos.Line, Text: fmt.Sprintf("invalid HCL: objects and lists nest deeper than %d", maxDepth)}
			}
		case token.RBRACE, token.RBRACK:
			depth = max(0, depth-1)
		}
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
	name, ok := key.Token.Value().(string)
	line := key.Token.Pos.Line
	if !ok {
		return member{}, &Problem{Line: line, Text: fmt.Sprintf("invalid HCL: %s cannot be a key", key.Token.Text)}
	}
	return member{name: name, line: line, value: value}, nil
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
	n := &node{line: t.Pos.Line}
	switch t.Type {
	case token.NUMBER, token.FLOAT:
		n.value = number(t.Text)
	case token.BOOL, token.STRING, token.HEREDOC:
		n.value = t.Value()
	default:
		return nil, &Problem{Line: n.line, Text: fmt.Sprintf("invalid HCL: %s is not a value", t.Text)}
	}
	return n, nil
}
