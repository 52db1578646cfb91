package state

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/go-memdb"

	"github.com/actor-consul/consul/messages/wire"
)

// Two IDs of queries.
const (
	idOne = "aaaaaaaa-0000-0000-0000-000000000001"
	idTwo = "aaaaaaaa-0000-0000-0000-000000000002"
)

func template1(id, name, service string) *wire.PreparedQuery {
	return &wire.PreparedQuery{
		ID: id, Name: name, Template: wire.QueryTemplateOptions{Type: wire.QueryTemplateNamePrefixMatch},
		Service: wire.ServiceQuery{Service: service},
	}
}

func (f *fixture) query(q *wire.PreparedQuery) *fixture {
	f.t.Helper()
	return f.must(func(tx *Tx) error { return tx.PreparedQuerySet(q) })
}

func TestPreparedQuerySet(t *testing.T) {
	tests := []struct {
		name string
		q    *wire.PreparedQuery
		err  string
	}{
		{name: "plain", q: &wire.PreparedQuery{ID: idTwo, Name: "two"}},
		{name: "without_a_name", q: &wire.PreparedQuery{ID: idTwo, Session: "S"}},
		{name: "the_same_again", q: &wire.PreparedQuery{ID: strings.ToUpper(idOne), Name: "One"}},
		{name: "renamed", q: &wire.PreparedQuery{ID: idOne, Name: "new"}},
		{name: "none", err: "Missing Query ID"},
		{name: "no_id", q: &wire.PreparedQuery{Name: "two"}, err: "Missing Query ID"},
		{name: "no_such_session", q: &wire.PreparedQuery{ID: idTwo, Session: "x"}, err: `invalid session "x"`},
		{name: "taken", q: &wire.PreparedQuery{ID: idTwo, Name: "ONE"}, err: "name 'ONE' aliases an existing query name"},
		{name: "named_as_another_s_id", q: &wire.PreparedQuery{ID: idTwo, Name: idOne}, err: "name '" + idOne + "' aliases an existing query ID"},
		{name: "nul", q: &wire.PreparedQuery{ID: idTwo, Name: "a\x00"}, err: `query name "a\x00" must not contain a NUL byte`},
		{name: "template", q: template1(idTwo, "geo-", "${name.suffix}")},
		{name: "second_template_for_all", q: template1(idTwo, "", "x"), err: "a query template with an empty name already exists"},
		{name: "odd_template", q: &wire.PreparedQuery{ID: idTwo, Name: "odd", Template: wire.QueryTemplateOptions{Type: "odd"}}, err: "failed compiling template: Bad Template.Type 'odd'"},
		{name: "bad_text", q: template1(idTwo, "geo-", "${nope}"), err: "failed compiling template: Bad format '${nope}' in Service.Service: unknown variable accessed: nope"},
		{name: "bad_regexp", q: &wire.PreparedQuery{
			ID: idTwo, Name: "geo-", Template: wire.QueryTemplateOptions{Type: wire.QueryTemplateNamePrefixMatch, Regexp: "("},
		}, err: "failed compiling template: Bad Regexp: error parsing regexp: missing closing ): `(`"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t).node("n1", "", "").session("s", "n1", nil)
			f.query(&wire.PreparedQuery{ID: idOne, Name: "one"}).query(template1("all", "", "x"))
			errorIs(t, f.try(func(tx *Tx) error { return tx.PreparedQuerySet(tt.q) }), tt.err)
			idx, all := f.View().PreparedQueries(nil)
			if tt.err != "" {
				equal(t, "index", idx, 4)
				equal(t, "queries", len(all), 2)
				return
			}
			equal(t, "index", idx, 5)
			idx, got := f.View().PreparedQueryGet(nil, tt.q.ID)
			equal(t, "index of the query", idx, 5)
			equal(t, "name", got.Name, tt.q.Name)
			if want := uint64(5); sameName(got.ID, idOne) {
				equal(t, "CreateIndex of what is changed", got.CreateIndex, 3)
			} else {
				equal(t, "CreateIndex", got.CreateIndex, want)
			}
			equal(t, "CreateIndex of the request, which is the asker's", tt.q.CreateIndex, 0)
		})
	}
}

func TestPreparedQueryResolve(t *testing.T) {
	f := newFixture(t)
	f.query(&wire.PreparedQuery{ID: idOne, Name: "geo-plain", Service: wire.ServiceQuery{Service: "plain"}})
	f.query(template1(idTwo, "geo-", "geo of ${name.suffix}"))
	f.query(template1("db", "Geo-DB-", "db of ${name.suffix} in ${agent.segment}"))
	tests := []struct{ name, ask, want, err string }{
		{name: "by_name", ask: "GEO-plain", want: "plain"},
		{name: "by_id", ask: strings.ToUpper(idOne), want: "plain"},
		{name: "a_template", ask: "geo-x", want: "geo of x"},
		{name: "a_template_by_its_own_name", ask: "geo-", want: "geo of "},
		{name: "the_longest", ask: "Geo-DB-x", want: "db of x in alpha"},
		{name: "the_prefix_is_cut_off_as_it_is_written", ask: "geo-db-x", want: "db of geo-db-x in alpha"},
		{name: "nothing", ask: "other"},
		{name: "part_of_a_name", ask: "geo"},
		{name: "empty", err: "Missing Query ID"},
		{name: "nul", ask: "geo-\x00"},
		{name: "a_template_by_id", ask: idTwo, err: "prepared query templates can only be resolved up by name, not by ID"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q, err := f.View().PreparedQueryResolve(tt.ask, "alpha")
			errorIs(t, err, tt.err)
			switch {
			case tt.want == "":
				equal(t, "query", q, nil)
			case q == nil:
				t.Error("no query")
			default:
				equal(t, "service", q.Service.Service, tt.want)
			}
		})
	}
	f.query(template1("all", "", "all: ${name.full}"))
	q, _ := f.View().PreparedQueryResolve("other", "")
	equal(t, "a template for all names", q.Service.Service, "all: other")
}

// TestTemplate fills in every text of a query, and leaves the query alone.
func TestTemplate(t *testing.T) {
	q := template1(idOne, "geo-", "${match(1)}")
	q.Template.Regexp, q.Template.RemoveEmptyTags = "^geo-(.*?)-([^-]+)$", true
	q.Token = "secret"
	q.Service.Tags = []string{"${match(2)}", "${match(9)}", "!x"}
	q.Service.Near, q.Service.Peer = "_agent", "${match(9)}"
	q.Service.Failover.Datacenters = []string{"${match(2)}"}
	q.Service.Failover.Targets = []wire.QueryFailoverTarget{{Peer: "p-${match(2)}", Datacenter: "d-${match(2)}"}}
	q.Service.IgnoreCheckIDs = []string{"c-${match(2)}"}
	q.Service.NodeMeta = map[string]string{"k": "${match(2)}"}
	q.Service.ServiceMeta = map[string]string{"${k}": "${name.full}"}
	f := newFixture(t).query(q)
	got, err := f.View().PreparedQueryResolve("geo-db-eu", "")
	if err != nil {
		t.Fatal(err)
	}
	s := got.Service
	equal(t, "service", s.Service, "db")
	equal(t, "token", got.Token, "secret")
	equalSlices(t, "tags", s.Tags, []string{"eu", "!x"})
	equalSlices(t, "datacenters", s.Failover.Datacenters, []string{"eu"})
	equal(t, "target", s.Failover.Targets[0], wire.QueryFailoverTarget{Peer: "p-eu", Datacenter: "d-eu"})
	equalSlices(t, "ignored checks", s.IgnoreCheckIDs, []string{"c-eu"})
	equal(t, "node metadata", s.NodeMeta["k"], "eu")
	equal(t, "service metadata", s.ServiceMeta["${k}"], "geo-db-eu")
	_, stored := f.View().PreparedQueryGet(nil, idOne)
	equal(t, "the stored tag", stored.Service.Tags[0], "${match(2)}")
	equal(t, "the stored metadata", stored.Service.NodeMeta["k"], "${match(2)}")
	got, _ = f.View().PreparedQueryResolve("geo-", "")
	equal(t, "a name that does not match", got.Service.Service, "")
}

// TestTemplateThatGrows: a template with its name in it many times, and a name that is
// long, would take the memory of a server together.
func TestTemplateThatGrows(t *testing.T) {
	f := newFixture(t).query(template1(idOne, "geo-", strings.Repeat("${name.full}", 10_000)))
	q, err := f.View().PreparedQueryResolve("geo-x", "")
	errorIs(t, err, "")
	equal(t, "filled in", len(q.Service.Service), 10_000*len("geo-x"))
	for name, segment := range map[string]string{"geo-" + strings.Repeat("x", 1<<10): "", "geo-y": strings.Repeat("x", 1<<10)} {
		_, err = f.View().PreparedQueryResolve(name, segment)
		errorIs(t, err, fmt.Sprintf(`the template "geo-" would become too long: a name of %d bytes`, len(name)))
	}
}

func TestPreparedQueryGoes(t *testing.T) {
	f := newFixture(t).node("n1", "", "").session("s", "n1", nil).session("other", "n1", nil)
	f.query(&wire.PreparedQuery{ID: idOne, Session: "s"}).query(&wire.PreparedQuery{ID: idTwo, Session: "other"})
	ws, list := memdb.NewWatchSet(), memdb.NewWatchSet()
	f.View().PreparedQueryGet(ws, idTwo)
	f.View().PreparedQueries(list)
	f.set("k", "")
	equal(t, "an unrelated write wakes", fired(ws) || fired(list), false)
	f.do(func(tx *Tx) { tx.SessionDestroy("S") })
	equal(t, "the end of another's session wakes", fired(ws), false)
	equal(t, "who waits for the list is woken", fired(list), true)
	idx, gone := f.View().PreparedQueryGet(nil, idOne)
	equal(t, "the query of a session that ended", gone, nil)
	equal(t, "index", idx, f.idx)
	f.do(func(tx *Tx) { tx.PreparedQueryDelete(idTwo); tx.PreparedQueryDelete("nope") })
	equal(t, "the deletion wakes", fired(ws), true)
	_, all := f.View().PreparedQueries(nil)
	equal(t, "queries", len(all), 0)
}

// TestPreparedQueryFromElsewhere: a template that we cannot read is kept, and shown,
// and not carried out.
func TestPreparedQueryFromElsewhere(t *testing.T) {
	r := NewRestorer(9)
	for _, q := range []*wire.PreparedQuery{template1(idOne, "sum-", "${1 + 1}"), template1(idTwo, "geo-", "${name.suffix}")} {
		q.ModifyIndex = 7
		if _, err := r.Record(wire.PreparedQueryRequestType, func(into any) error { *into.(*wire.PreparedQuery) = *q; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	v := r.Commit().View()
	idx, all := v.PreparedQueries(nil)
	equal(t, "queries", len(all), 2)
	equal(t, "index", idx, 7)
	q, _ := v.PreparedQueryResolve("geo-x", "")
	equal(t, "the one that can be read", q.Service.Service, "x")
	_, err := v.PreparedQueryResolve("sum-x", "")
	errorIs(t, err, `the template "sum-" cannot be read: Bad format '${1 + 1}' in Service.Service: unknown variable accessed: 1 + 1`)
	var kinds []wire.MessageType
	for kind := range v.Records() {
		kinds = append(kinds, kind)
	}
	equal(t, "records of queries", len(slices.DeleteFunc(kinds, func(k wire.MessageType) bool { return k != wire.PreparedQueryRequestType })), 2)
}
