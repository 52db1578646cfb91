package messages

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestDocs holds every message of this package to the comment lines that doc.go
// promises. A message is an exported struct whose comment names a sender, or that
// embeds Asked; the other structs are the values that messages carry.
func TestDocs(t *testing.T) {
	messages := 0
	eachStruct(t, func(at token.Position, name, doc string, st *ast.StructType) {
		if !strings.HasPrefix(doc, name+" ") && !regexp.MustCompile(`^(A|An|The) `+name+`\b`).MatchString(doc) {
			t.Errorf("%s: the comment of %s does not begin with its name", at, name)
		}
		if !asked(st) && !strings.Contains(doc, "From:") {
			return
		}
		messages++
		for _, want := range []string{"From:", "To:", "Reply:"} {
			if !strings.Contains(doc, want) {
				t.Errorf("%s: the comment of %s lacks %q", at, name, want)
			}
		}
	})
	if messages < 20 {
		t.Errorf("found %d messages only; has the shape of a message changed?", messages)
	}
}

func asked(st *ast.StructType) bool {
	for _, f := range st.Fields.List {
		if ix, ok := f.Type.(*ast.IndexExpr); ok && len(f.Names) == 0 {
			if id, ok := ix.X.(*ast.Ident); ok && id.Name == "Asked" {
				return true
			}
		}
	}
	return false
}

func eachStruct(t *testing.T, fn func(at token.Position, name, doc string, st *ast.StructType)) {
	t.Helper()
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	for _, fi := range files {
		if !strings.HasSuffix(fi.Name(), ".go") || strings.HasSuffix(fi.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, fi.Name(), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			gd, ok := d.(*ast.GenDecl)
			if !ok || gd.Tok != token.TYPE {
				continue
			}
			for _, s := range gd.Specs {
				ts := s.(*ast.TypeSpec)
				st, ok := ts.Type.(*ast.StructType)
				if ok && ts.Name.IsExported() {
					fn(fset.Position(ts.Pos()), ts.Name.Name, gd.Doc.Text(), st)
				}
			}
		}
	}
}
