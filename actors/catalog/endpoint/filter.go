package endpoint

import (
	"fmt"
	"reflect"

	"github.com/hashicorp/go-bexpr/grammar"
)

// The bounds on filter expressions: their length in bytes, and the steps that
// parsing one may take. Nesting cannot exceed the length.
const (
	MaxFilterLength = 8 << 10
	maxFilterSteps  = 1 << 18
)

// filter is a go-bexpr expression about values of type T. A nil filter matches
// everything.
//
// The grammar is that of go-bexpr; the evaluation is our own, since Consul's
// clients rely on what go-bexpr has given up: a selector that is wrong for the type
// is refused before there is a value, and one that goes through a list means any
// element of it ("Checks.Status == critical").
type filter[T any] struct {
	test func(reflect.Value) bool
}

// compile makes a filter of an expression; of none, nil.
func compile[T any](expression string) (*filter[T], error) {
	if expression == "" {
		return nil, nil
	}
	test, err := compileFor(expression, reflect.TypeFor[T]())
	if err != nil {
		return nil, fmt.Errorf("Failed to create boolean expression evaluator: %w", err)
	}
	return &filter[T]{test}, nil
}

func compileFor(expression string, t reflect.Type) (func(reflect.Value) bool, error) {
	if len(expression) > MaxFilterLength {
		return nil, fmt.Errorf("the expression has %d bytes, the limit is %d", len(expression), MaxFilterLength)
	}
	ast, err := grammar.Parse("", []byte(expression), grammar.MaxExpressions(maxFilterSteps))
	if err != nil {
		return nil, err
	}
	e, ok := ast.(grammar.Expression)
	if !ok {
		return nil, fmt.Errorf("the expression is a %T", ast)
	}
	return compileExpr(e, t)
}

func (f *filter[T]) match(v T) bool { return f == nil || f.test(reflect.ValueOf(v)) }

// slice returns the items that match. It keeps the items as they are.
func (f *filter[T]) slice(items []T) []T {
	if f == nil {
		return items
	}
	matching := make([]T, 0, len(items))
	for _, item := range items {
		if f.match(item) {
			matching = append(matching, item)
		}
	}
	return matching
}

// CompileFilter returns a test of values of type T, for those who filter what is
// not in the catalog, such as the agent's own services. An empty expression
// matches everything.
func CompileFilter[T any](expression string) (func(T) bool, error) {
	f, err := compile[T](expression)
	if err != nil {
		return nil, err
	}
	return f.match, nil
}

func compileExpr(e grammar.Expression, t reflect.Type) (func(reflect.Value) bool, error) {
	switch e := e.(type) {
	case *grammar.UnaryExpression: // there is only not
		operand, err := compileExpr(e.Operand, t)
		if err != nil {
			return nil, err
		}
		return func(v reflect.Value) bool { return !operand(v) }, nil
	case *grammar.BinaryExpression:
		left, err := compileExpr(e.Left, t)
		if err != nil {
			return nil, err
		}
		right, err := compileExpr(e.Right, t)
		if err != nil {
			return nil, err
		}
		if e.Operator == grammar.BinaryOpAnd {
			return func(v reflect.Value) bool { return left(v) && right(v) }, nil
		}
		return func(v reflect.Value) bool { return left(v) || right(v) }, nil
	case *grammar.MatchExpression:
		return compileMatch(e, t)
	default:
		return nil, fmt.Errorf("any and all are not supported; a selector through a list means any element of it")
	}
}
