package subscribe

import "iter"

// maxBatch is how long the updates may be that a client is told of at once. A client of
// Consul's refuses what is longer than 8 MiB.
const maxBatch = 1 << 20

// Teller knows what a client has been told. Its zero value is for one who knows nothing.
type Teller struct {
	// Outdated says that the client has something from another subscription, which it is
	// to forget. Nobody knows whether it still holds.
	Outdated bool

	last  *Listing
	index uint64 // of what was told last
}

// Tell yields the events, encoded, that a client has to be told when there is a new
// listing; none if it knows. An event is only good until the next one.
//
// The index that a client hears never goes back, since whoever waits there would not be
// woken: the index of a listing does when a snapshot was restored. One more than the
// last is fine then, for the log has moved on, too.
func (t *Teller) Tell(l *Listing) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		was := t.last
		if l == was {
			return
		}
		t.last = l
		if was == nil {
			t.index = max(l.Index, 1) // 0 is for who has heard nothing
			t.all(l, yield)
			return
		}
		if updates := l.updates(was); len(updates) > 0 {
			before := t.index
			t.index = max(l.Index, before+1)
			l.changes(updates, before, t.index, yield)
		}
	}
}

// all yields what begins a subscription. The client looks at it when it has heard the
// end of it.
func (t *Teller) all(l *Listing, yield func([]byte) bool) {
	var m message
	if t.Outdated {
		m.anyNumber(3, 1)
		if !yield(m) {
			return
		}
	}
	for _, it := range l.items {
		m = m[:0]
		m.event(t.index, func(m *message) { m.update(l, it.update) })
		if !yield(m) {
			return
		}
	}
	m = m[:0]
	m.event(t.index, func(m *message) { m.anyNumber(2, 1) })
	yield(m)
}

// updates returns the updates, encoded, that make one listing of another.
func (l *Listing) updates(from *Listing) (all [][]byte) {
	changed, gone := l.since(from)
	for _, k := range gone {
		all = append(all, l.deregistered(k))
	}
	for _, it := range changed {
		all = append(all, it.update)
	}
	return all
}

// changes yields updates, together, so that nobody sees a part of them. Those that are
// too long for that come in parts, of which all but the last have the index before:
// nobody is woken for them.
func (l *Listing) changes(updates [][]byte, before, index uint64, yield func([]byte) bool) {
	var m message
	for len(updates) > 0 {
		n := fits(updates)
		at := before
		if n == len(updates) {
			at = index
		}
		m = m[:0]
		m.batch(at, l, updates[:n])
		if !yield(m) {
			return
		}
		updates = updates[n:]
	}
}

// fits returns how many updates go into one event, at least one.
func fits(updates [][]byte) int {
	size := 0
	for n, u := range updates {
		if size += len(u); size > maxBatch && n > 0 {
			return n
		}
	}
	return len(updates)
}

// event appends an Event.
func (m *message) event(index uint64, payload func(*message)) {
	m.number(1, index)
	payload(m)
}

// batch appends an Event with one update, or with an EventBatch of several.
func (m *message) batch(index uint64, l *Listing, updates [][]byte) {
	if len(updates) == 1 {
		m.event(index, func(m *message) { m.update(l, updates[0]) })
		return
	}
	m.event(index, func(m *message) {
		m.part(4, func(m *message) {
			for _, u := range updates {
				m.part(1, func(m *message) { m.batch(index, l, [][]byte{u}) })
			}
		})
	})
}

func (m *message) update(l *Listing, update []byte) {
	m.part(l.field, func(m *message) { *m = append(*m, update...) })
}
