package state

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/go-memdb"

	"github.com/actor-consul/consul/messages/wire"
)

// The errors of prepared queries. Clients match their texts, which are Consul's.
var (
	// ErrMissingQueryID is returned when a query has no ID, or nothing is asked for.
	ErrMissingQueryID = errors.New("Missing Query ID")
	// ErrTemplateByID is returned when a template is to be carried out by its ID, so
	// that there is no name to fill in.
	ErrTemplateByID = errors.New("prepared query templates can only be resolved up by name, not by ID")
)

// preparedQuery is a row of the prepared-queries table. A template that cannot be read
// has come in a snapshot of another program, and is kept for it.
type preparedQuery struct {
	*wire.PreparedQuery
	template *template // nil if it is none
	fault    error     // why the template cannot be read
}

// templateKey makes the index of templates by name. Names are without an end, so that
// the longest one that a name begins with can be found.
type templateKey struct{}

// FromObject implements memdb.SingleIndexer.
func (k templateKey) FromObject(obj any) (bool, []byte, error) {
	row, ok := obj.(*preparedQuery)
	if !ok {
		return false, nil, fmt.Errorf("row is a %T", obj)
	}
	if !row.IsTemplate() {
		return false, nil, nil
	}
	key, err := k.FromArgs(row.Name)
	return true, key, err
}

// FromArgs implements memdb.Indexer.
func (templateKey) FromArgs(args ...any) ([]byte, error) {
	if len(args) != 1 {
		return nil, fmt.Errorf("%d arguments", len(args))
	}
	name, ok := args[0].(string)
	if !ok {
		return nil, fmt.Errorf("argument is a %T", args[0])
	}
	return append([]byte{0}, folded(name)...), nil // not even the empty name has no key
}

// PrefixFromArgs implements memdb.PrefixIndexer.
func (k templateKey) PrefixFromArgs(args ...any) ([]byte, error) { return k.FromArgs(args...) }

func preparedQueriesTable() *memdb.TableSchema {
	name := unique(byName, fold(func(r *preparedQuery) []string { return present(r.Name) }))
	templates := unique(byTemplate, templateKey{})
	name.AllowMissing, templates.AllowMissing = true, true
	return table(tablePreparedQueries,
		unique(byID, fold(func(r *preparedQuery) []string { return []string{r.ID} })),
		many(bySession, fold(func(r *preparedQuery) []string { return present(r.Session) })),
		name, templates)
}

// PreparedQuerySet makes a query, or replaces the one with the same ID. No two have
// the same name, and none has another's ID for a name, since either finds it.
func (tx *Tx) PreparedQuerySet(q *wire.PreparedQuery) error {
	if q == nil || q.ID == "" {
		return ErrMissingQueryID
	}
	if err := checkName("query name", q.Name); err != nil {
		return err
	}
	existing := first[preparedQuery](tx.tx, tablePreparedQueries, byID, q.ID)
	if err := tx.claimQueryName(q); err != nil {
		return err
	}
	if q.Session != "" && first[wire.Session](tx.tx, tableSessions, byID, q.Session) == nil {
		return fmt.Errorf("invalid session %#v", q.Session)
	}
	row := newPreparedQuery(q)
	if row.fault != nil {
		return fmt.Errorf("failed compiling template: %w", row.fault)
	}
	row.CreateIndex, row.ModifyIndex = tx.idx, tx.idx
	if existing != nil {
		row.CreateIndex = existing.CreateIndex
	}
	insert(tx.tx, tablePreparedQueries, row)
	tx.touch(tablePreparedQueries)
	return nil
}

// newPreparedQuery returns the row of a query, of which it makes a copy.
func newPreparedQuery(q *wire.PreparedQuery) *preparedQuery {
	copied := *q
	row := &preparedQuery{PreparedQuery: &copied}
	if q.IsTemplate() {
		row.template, row.fault = newTemplate(&copied)
	}
	return row
}

func (tx *Tx) claimQueryName(q *wire.PreparedQuery) error {
	taken := func(index, key string) bool {
		other := first[preparedQuery](tx.tx, tablePreparedQueries, index, key)
		return other != nil && !sameName(other.ID, q.ID)
	}
	switch {
	case q.Name == "" && q.IsTemplate() && taken(byTemplate, ""):
		return errors.New("a query template with an empty name already exists")
	case q.Name == "":
		return nil
	case taken(byName, q.Name):
		return fmt.Errorf("name '%s' aliases an existing query name", q.Name)
	case first[preparedQuery](tx.tx, tablePreparedQueries, byID, q.Name) != nil:
		return fmt.Errorf("name '%s' aliases an existing query ID", q.Name)
	default:
		return nil
	}
}

// PreparedQueryDelete deletes a query. It does nothing if there is no such query.
func (tx *Tx) PreparedQueryDelete(id string) {
	if row := first[preparedQuery](tx.tx, tablePreparedQueries, byID, id); row != nil {
		remove(tx.tx, tablePreparedQueries, row)
		tx.touch(tablePreparedQueries)
	}
}

// deleteQueriesOf deletes the queries that go with a session.
func (tx *Tx) deleteQueriesOf(session string) {
	for _, row := range collect[preparedQuery](tx.tx, tablePreparedQueries, bySession, session) {
		tx.PreparedQueryDelete(row.ID)
	}
}

// PreparedQueryGet returns the query of that ID, or nil.
func (q *Queries) PreparedQueryGet(ws memdb.WatchSet, id string) (uint64, *wire.PreparedQuery) {
	ch, row := firstWatch[preparedQuery](q.tx, tablePreparedQueries, byID, id)
	ws.Add(ch)
	if row == nil {
		return q.indexOf(tablePreparedQueries), nil
	}
	return row.ModifyIndex, row.PreparedQuery
}

// PreparedQueries returns all queries, by ID.
func (q *Queries) PreparedQueries(ws memdb.WatchSet) (uint64, wire.PreparedQueries) {
	ch, all := rowsWatch[preparedQuery](q.tx, tablePreparedQueries, byID+prefixOf)
	ws.Add(ch)
	var found wire.PreparedQueries
	for row := range all {
		found = append(found, row.PreparedQuery)
	}
	return q.indexOf(tablePreparedQueries), found
}

// PreparedQueryResolve returns the query that an agent of a network segment means by
// an ID or a name, or nil: that of the ID, that of the name, or the template with the
// longest name that this one begins with, filled in.
func (q *Queries) PreparedQueryResolve(idOrName, segment string) (*wire.PreparedQuery, error) {
	if idOrName == "" {
		return nil, ErrMissingQueryID
	}
	if strings.ContainsRune(idOrName, 0) {
		return nil, nil // no name has one, and the tables end names with it
	}
	if row := first[preparedQuery](q.tx, tablePreparedQueries, byID, idOrName); row != nil {
		if row.IsTemplate() {
			return nil, ErrTemplateByID
		}
		return row.PreparedQuery, nil
	}
	row := first[preparedQuery](q.tx, tablePreparedQueries, byName, idOrName)
	if row == nil {
		longest, err := q.tx.LongestPrefix(tablePreparedQueries, byTemplate+prefixOf, idOrName)
		must(err)
		row, _ = longest.(*preparedQuery)
	}
	switch {
	case row == nil:
		return nil, nil
	case row.fault != nil:
		return nil, fmt.Errorf("the template %q cannot be read: %w", row.Name, row.fault)
	case row.template != nil && !row.template.fits(idOrName, segment):
		return nil, fmt.Errorf("the template %q would become too long: a name of %d bytes", row.Name, len(idOrName))
	case row.template != nil:
		return row.template.fillIn(idOrName, segment), nil
	default:
		return row.PreparedQuery, nil
	}
}

func (tx *Tx) restorePreparedQuery(q *wire.PreparedQuery) error {
	if q.ID == "" {
		return ErrMissingQueryID
	}
	insert(tx.tx, tablePreparedQueries, newPreparedQuery(q))
	tx.touchAt(q.ModifyIndex, tablePreparedQueries)
	return nil
}
