package answers

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/go-metrics"

	"github.com/actor-consul/consul/actors/catalog/endpoint"
)

// maxForms is how many forms of an answer are kept.
const maxForms = 8

// Answer is what a query was answered. Its fields must not be changed.
type Answer struct {
	Reply any    // as the read makes it; whole, but for what depends on the asker
	Err   error  // endpoint.ErrNotFound, with which the reply is good; or there is none
	Index uint64 // of the reply

	table     *Table
	watch     []<-chan struct{} // none: it is true at no time but then
	abandoned <-chan struct{}
	next      <-chan struct{} // closed when there is a newer state
	seen      uint64          // the index of the state that gave it
	asked     atomic.Bool     // Again

	mu      sync.Mutex
	forms   map[string]func() any
	bytes   int64
	retired bool // not in the table any more
}

// True says whether the newest state would answer the same.
func (a *Answer) True() bool {
	if a == nil || len(a.watch) == 0 || a.Abandoned() {
		return false
	}
	for _, ch := range a.watch {
		select {
		case <-ch:
			return false
		default:
		}
	}
	return true
}

// Abandoned says whether the state that gave the answer has been replaced by
// another, whose indexes may be smaller.
func (a *Answer) Abandoned() bool {
	select {
	case <-a.abandoned:
		return true
	default:
		return false
	}
}

// Again says whether it was asked before about this answer.
func (a *Answer) Again() bool { return a.asked.Load() || a.asked.Swap(true) }

// news says whether the answer tells those anything who waited on another. That what
// was not there is still not there is no news, though its index may move.
func (a *Answer) news(was *Answer) bool {
	switch {
	case was == nil, was.Abandoned(), was.failed(), a.failed():
		return true
	case a.Err != nil || was.Err != nil:
		return (a.Err == nil) != (was.Err == nil)
	default:
		return a.Index != was.Index
	}
}

func (a *Answer) failed() bool { return a.Err != nil && !errors.Is(a.Err, endpoint.ErrNotFound) }

// wait waits until there is a state that may give another answer, or ctx has ended.
func (a *Answer) wait(ctx context.Context) error {
	set := memdb.NewWatchSet()
	set.Add(a.abandoned)
	for _, ch := range a.watch {
		set.Add(ch)
	}
	if err := set.WatchCtx(ctx); err != nil {
		return err
	}
	select {
	case <-a.next:
	case <-a.abandoned:
	case <-ctx.Done():
	}
	return ctx.Err()
}

// Form returns what make makes of the answer, such as its bytes as JSON. It is made
// once for all who ask for the form of that name, and kept as long as the answer.
// size is how many bytes it takes, about.
func (a *Answer) Form(name string, make func() (form any, size int)) any {
	once := sync.OnceValue(func() any {
		a.table.encoded.Add(1)
		metrics.IncrCounter([]string{"watch", "encoded"}, 1)
		form, size := make()
		a.account(size)
		return form
	})
	a.mu.Lock()
	switch there, ok := a.forms[name]; {
	case ok:
		once = there
	case a.forms == nil:
		a.forms = map[string]func() any{name: once}
	case len(a.forms) < maxForms:
		a.forms[name] = once
	}
	a.mu.Unlock()
	return once()
}

// account says that the answer has grown.
func (a *Answer) account(size int) {
	a.mu.Lock()
	if a.retired {
		a.mu.Unlock()
		return
	}
	a.bytes += int64(size)
	a.mu.Unlock()
	if a.table.bytes.Add(int64(size)) > a.table.limit.Load() {
		a.table.makeRoom()
	}
}

// retire says that the answer is not in the table any more.
func (a *Answer) retire() {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.retired {
		a.retired = true
		a.table.bytes.Add(-a.bytes)
	}
}

// overhead is what a query and its answer take besides the reply, about.
const overhead = 1 << 10

// sizeOf returns how many bytes a reply takes, about, without what it shares with
// the state.
func sizeOf(reply any) int {
	v := reflect.Indirect(reflect.ValueOf(reply))
	size := overhead
	if v.Kind() != reflect.Struct {
		return size
	}
	for _, f := range v.Fields() {
		switch f.Kind() {
		case reflect.Slice:
			size += f.Len() * int(f.Type().Elem().Size())
		case reflect.Map:
			size += f.Len() * 64
		}
	}
	return size
}
