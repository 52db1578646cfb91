package state

import (
	"fmt"
	"iter"
	"slices"

	"github.com/hashicorp/go-memdb"
)

// watchLimit is how many channels of single rows a query watches before it
// watches the whole table instead. Consul's is 8192; but who looks whether an answer
// is still true looks at all of them, and who waits takes a goroutine for every 32.
const watchLimit = 128

// The functions below read and write rows of type R. memdb returns an error only
// for a table, an index or a row type that the schema does not know, which is a
// mistake in this package: they panic.

// first returns the first row that an index has under args, or nil.
func first[R any](tx *memdb.Txn, table, index string, args ...any) *R {
	row, err := tx.First(table, index, args...)
	must(err)
	r, _ := row.(*R)
	return r
}

// firstWatch is first, with what closes when the row changes or appears.
func firstWatch[R any](tx *memdb.Txn, table, index string, args ...any) (<-chan struct{}, *R) {
	ch, row, err := tx.FirstWatch(table, index, args...)
	must(err)
	r, _ := row.(*R)
	return ch, r
}

// rows yields the rows that an index has under args, in its order.
func rows[R any](tx *memdb.Txn, table, index string, args ...any) iter.Seq[*R] {
	_, seq := rowsWatch[R](tx, table, index, args...)
	return seq
}

// rowsWatch is rows, with what closes when one of them changes or one is added.
func rowsWatch[R any](tx *memdb.Txn, table, index string, args ...any) (<-chan struct{}, iter.Seq[*R]) {
	it, err := tx.Get(table, index, args...)
	must(err)
	return it.WatchCh(), func(yield func(*R) bool) {
		for row := it.Next(); row != nil; row = it.Next() {
			if !yield(row.(*R)) {
				return
			}
		}
	}
}

// collect returns the rows that an index has under args. Who changes rows while
// going through them must collect them first.
func collect[R any](tx *memdb.Txn, table, index string, args ...any) []*R {
	return slices.Collect(rows[R](tx, table, index, args...))
}

func insert[R any](tx *memdb.Txn, table string, row *R) { must(tx.Insert(table, row)) }

func remove[R any](tx *memdb.Txn, table string, row *R) { must(tx.Delete(table, row)) }

func must(err error) {
	if err != nil {
		panic(fmt.Sprintf("state: the schema does not fit: %v", err))
	}
}
