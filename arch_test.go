// Package consul holds the tests that keep the whole tree in shape: what may
// import what, where the clock may be read, what is documented.
package consul

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/actor-consul/consul/"

// layers says which of our packages a package may import; the first line that fits
// counts. A package may always import what is below its own folder.
var layers = []struct{ dir, may, why string }{
	{"messages", "messages", "the protocol depends on nothing of ours"},
	{"actors/ask", "messages", "the kit knows no actor"},
	{"actors/actortest", "messages actors/ask", "the kit knows no actor"},
	{"actors/catalog/state", "messages/wire", "the state is values and rules"},
	{"actors/agentca", "actors/agentca", "certificates know no actor"},
	{"actors/socket", "", "a socket knows nobody who listens"},
	{"actors/limits", "", "who counts what is refused knows nobody who refuses it"},
	{"actors/connectca", "messages/wire", "certificates know no actor"},
	{"actors/catalog/endpoint", "messages/wire actors/catalog/state actors/connectca", "an endpoint is a function of the state"},
	{"actors/answers", "messages/wire actors/catalog/state actors/catalog/endpoint", "answers know the state and no actor"},
	{"actors/invoke", "messages actors/ask actors/answers actors/catalog/state actors/catalog/endpoint", "the kit knows the endpoints and no actor"},
	{"actors/serverrpc/frame", "messages", "a framing knows nobody who uses it"},
	{"actors/serverrpc/client", "messages actors/invoke actors/serverrpc/frame", "a client is no actor"},
	{"actors/serverrpc/subscribe", "messages/wire", "events are values"},
	{"actors", "messages actors/ask actors/answers actors/invoke actors/catalog/state actors/catalog/endpoint actors/agentca actors/connectca actors/socket actors/limits", "actors know each other by address only"},
	{"supervisor", "actors messages", "the tree knows the actors"},
	{"cmd/consul/datadir", "", "a directory is a directory"},
	{"cmd/consul/agenttest", "", "the kit sees an agent from outside"},
	{"cmd/consul/config", "messages", "a configuration is values"},
	{"cmd", "supervisor messages cmd", "a command starts the tree, or speaks to one"},
}

// exceptions are the imports that a rule above forbids and that are right
// nevertheless, with the reason.
var exceptions = map[string]string{
	"cmd/consul actors/agentca": "certificates are made where no agent runs",
	"cmd/consul actors/logs":    "the root logger exists before the first actor",
}

func TestLayers(t *testing.T) {
	eachFile(t, func(path string, f *ast.File) {
		if strings.HasSuffix(path, "_test.go") {
			return
		}
		dir := filepath.Dir(path)
		for _, l := range layers {
			if dir != l.dir && !strings.HasPrefix(dir, l.dir+"/") {
				continue
			}
			for _, imp := range f.Imports {
				ours, ok := strings.CutPrefix(strings.Trim(imp.Path.Value, `"`), module)
				if !ok || allowed(l.may+" "+dir, ours) || exceptions[dir+" "+ours] != "" {
					continue
				}
				t.Errorf("%s imports %s: %s", path, ours, l.why)
			}
			return
		}
	})
}

// TestMessagesAreFreeOfTheFramework keeps the contract readable without knowing
// the actor library.
func TestMessagesAreFreeOfTheFramework(t *testing.T) {
	eachFile(t, func(path string, f *ast.File) {
		if !strings.HasPrefix(path, "messages/") {
			return
		}
		for _, imp := range f.Imports {
			if strings.Contains(imp.Path.Value, "protoactor") {
				t.Errorf("%s imports %s; what is said does not depend on how it is carried", path, imp.Path.Value)
			}
		}
	})
}

// TestStateIsPure keeps the framework, the clock, the network and the log out of
// the files that hold an actor's rules (state.go and state_*.go) and out of the
// packages that are pure as a whole. What they decide can then be shown in tables.
func TestStateIsPure(t *testing.T) {
	bad := []string{"github.com/asynkron", "go.uber.org/zap", "net", "os", "context", "math/rand", "math/rand/v2", "crypto/rand"}
	fine := []string{"net/netip", "net/url"}
	eachFile(t, func(path string, f *ast.File) {
		if !pure(path) {
			return
		}
		for _, imp := range f.Imports {
			p := strings.Trim(imp.Path.Value, `"`)
			if slices.ContainsFunc(bad, func(b string) bool { return p == b || strings.HasPrefix(p, b+"/") }) && !slices.Contains(fine, p) {
				t.Errorf("%s imports %s: rules take what they need as arguments", path, p)
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				t.Errorf("%s starts a goroutine: rules decide, actors do", path)
			case *ast.SelectorExpr:
				if id, ok := n.X.(*ast.Ident); ok && id.Name == "time" && slices.Contains([]string{"Now", "Since", "Until", "After", "AfterFunc", "Sleep", "NewTimer", "NewTicker"}, n.Sel.Name) {
					t.Errorf("%s calls time.%s: time is an argument", path, n.Sel.Name)
				}
			}
			return true
		})
	})
}

func pure(path string) bool {
	if strings.HasSuffix(path, "_test.go") {
		return false
	}
	for _, dir := range []string{"actors/catalog/state/", "actors/catalog/endpoint/", "actors/serverrpc/subscribe/"} {
		if strings.HasPrefix(path, dir) {
			return true
		}
	}
	base := strings.TrimSuffix(filepath.Base(path), ".go")
	return base == "state" || strings.HasPrefix(base, "state_")
}

// TestNobodyWaitsInAnActor forbids the framework's futures and its traps outside
// of tests: see actors/ask for what is used instead.
func TestNobodyWaitsInAnActor(t *testing.T) {
	bad := map[string]string{
		"RequestFuture":     "futures race with their timeouts; use ask.Do from a goroutine, a message between actors",
		"PoisonFuture":      "its timeout is fixed; the supervisor stops actors",
		"ReenterAfter":      "its continuation outlives a restart and writes to a ghost",
		"SetReceiveTimeout": "it is racy; use time.AfterFunc and a message",
		"SendRepeatedly":    "re-arm from the handler",
	}
	eachFile(t, func(path string, f *ast.File) {
		if strings.HasSuffix(path, "_test.go") || strings.HasPrefix(path, "actors/actortest/") {
			return
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok && bad[s.Sel.Name] != "" {
				t.Errorf("%s uses %s: %s", path, s.Sel.Name, bad[s.Sel.Name])
			}
			return true
		})
	})
}

// TestActorsHaveNoLocks holds actors to their mailboxes: state with one owner
// needs no mutex. Bridges to libraries may use one, and say why.
func TestActorsHaveNoLocks(t *testing.T) {
	eachFile(t, func(path string, f *ast.File) {
		if strings.HasSuffix(path, "_test.go") || !strings.HasPrefix(path, "actors/") || pure(path) {
			return
		}
		ast.Inspect(f, func(n ast.Node) bool {
			st, ok := n.(*ast.TypeSpec)
			if !ok || !strings.HasSuffix(st.Name.Name, "Actor") {
				return true
			}
			ast.Inspect(st.Type, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok && strings.HasSuffix(s.Sel.Name, "Mutex") {
					t.Errorf("%s: %s has a lock; its fields belong to the mailbox", path, st.Name.Name)
				}
				return true
			})
			return true
		})
	})
}

// TestPackageDocs wants one package comment in every package.
func TestPackageDocs(t *testing.T) {
	docs := map[string]int{}
	eachFile(t, func(path string, f *ast.File) {
		if strings.HasSuffix(path, "_test.go") {
			return
		}
		dir := filepath.Dir(path)
		docs[dir] += 0
		if f.Doc != nil {
			docs[dir]++
		}
	})
	for dir, n := range docs {
		if n != 1 {
			t.Errorf("%s has %d package comments, want 1", dir, n)
		}
	}
}

// TestFilesFitInTheHead bounds the length of a file.
func TestFilesFitInTheHead(t *testing.T) {
	const most = 600
	eachFile(t, func(path string, _ *ast.File) {
		if strings.HasSuffix(path, "_test.go") {
			return
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(text), "\n"); n > most {
			t.Errorf("%s has %d lines, more than %d: it holds more than one concept", path, n, most)
		}
	})
}

// TestTestsDoNotSleep keeps real waiting out of tests: a test that sleeps is slow
// when all is well and fails when the machine is busy. In a synctest bubble time
// is free, so files that use it may.
func TestTestsDoNotSleep(t *testing.T) {
	eachFile(t, func(path string, f *ast.File) {
		if !strings.HasSuffix(path, "_test.go") {
			return
		}
		virtual := slices.ContainsFunc(f.Imports, func(imp *ast.ImportSpec) bool { return imp.Path.Value == `"testing/synctest"` })
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				if id, ok := n.X.(*ast.Ident); ok && id.Name == "time" && n.Sel.Name == "Sleep" && !virtual {
					t.Errorf("%s sleeps: wait for what is to happen", path)
				}
				if id, ok := n.X.(*ast.Ident); ok && slices.Contains([]string{"t", "b", "f", "tb"}, id.Name) && strings.HasPrefix(n.Sel.Name, "Skip") {
					t.Errorf("%s skips: a test that does not run shows nothing", path)
				}
			}
			return true
		})
	})
}

func allowed(may, pkg string) bool {
	return slices.ContainsFunc(strings.Fields(may), func(m string) bool {
		return pkg == m || strings.HasPrefix(pkg, m+"/")
	})
}

func eachFile(t *testing.T, fn func(path string, f *ast.File)) {
	t.Helper()
	files, err := parsed()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range slices.Sorted(maps.Keys(files)) {
		fn(p, files[p])
	}
}

// parsed is every Go file of the tree, read once for all tests.
var parsed = sync.OnceValues(func() (map[string]*ast.File, error) {
	files := map[string]*ast.File{}
	err := fs.WalkDir(os.DirFS("."), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		files[path], err = parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		return err
	})
	return files, err
})
