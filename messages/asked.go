package messages

// A Result is what an asker receives: a value, or the reason there is none.
type Result[R any] struct {
	Value R
	Err   error
}

// Asked makes the message that embeds it a request with a typed answer. The zero
// value is a request that nobody waits for: its answer goes nowhere.
//
// A box takes one result; a second one is dropped, so a guard may refuse what an
// actor has perhaps already answered.
type Asked[R any] struct {
	box chan Result[R]
}

// Expect opens the box. The asker calls it once, before it sends the message.
func (a *Asked[R]) Expect() <-chan Result[R] {
	a.box = make(chan Result[R], 1)
	return a.box
}

// Expected says whether somebody waits for the answer.
func (a *Asked[R]) Expected() bool { return a.box != nil }

// Answer puts v in the box. It never blocks.
func (a *Asked[R]) Answer(v R) { a.put(Result[R]{Value: v}) }

// Refuse puts err in the box. It never blocks.
func (a *Asked[R]) Refuse(err error) { a.put(Result[R]{Err: err}) }

// Settle answers with v, or refuses with err when there is one.
func (a *Asked[R]) Settle(v R, err error) { a.put(Result[R]{Value: v, Err: err}) }

func (a *Asked[R]) put(r Result[R]) {
	select {
	case a.box <- r: // a nil box is never ready
	default:
	}
}

// A Refuser is any request that embeds Asked, whatever its answer.
type Refuser interface{ Refuse(error) }

// Unit is the answer of a request that has nothing to say but that it is done.
type Unit = struct{}
