package state

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/actor-consul/consul/messages/wire"
)

// template is a prepared query that answers for many names, ready to be filled in.
type template struct {
	query *wire.PreparedQuery
	match *regexp.Regexp           // nil if there is none
	texts map[string]interpolation // by the path of the field
	holes int                      // what of them is not literal
}

// maxFilled is how many bytes what is filled into a template may have. That is
// thousands of names of the DNS; a request over HTTP may have longer ones.
const maxFilled = 1 << 20

// fits says whether a template can be filled in for a name without becoming a burden.
func (t *template) fits(name, segment string) bool {
	return t.holes*max(len(name), len(segment)) <= maxFilled
}

// newTemplate reads the texts of a query.
func newTemplate(q *wire.PreparedQuery) (*template, error) {
	if q.Template.Type != wire.QueryTemplateNamePrefixMatch {
		return nil, fmt.Errorf("Bad Template.Type '%s'", q.Template.Type)
	}
	t := &template{query: q, texts: map[string]interpolation{}}
	service := q.Service.Clone()
	var fault error
	eachText(&service, func(path, text string) string {
		parsed, err := parseInterpolation(text)
		if err != nil && fault == nil {
			fault = fmt.Errorf("Bad format '%s' in Service%s: %w", text, path, err)
		}
		t.texts[path] = parsed
		for _, p := range parsed {
			if p.literal == "" {
				t.holes++
			}
		}
		return text
	})
	if fault != nil {
		return nil, fault
	}
	if q.Template.Regexp != "" {
		re, err := regexp.Compile(q.Template.Regexp)
		if err != nil {
			return nil, fmt.Errorf("Bad Regexp: %w", err)
		}
		t.match = re
	}
	return t, nil
}

// fillIn returns the query for a name that an agent of a network segment asked for.
func (t *template) fillIn(name, segment string) *wire.PreparedQuery {
	q := *t.query
	q.Service = t.query.Service.Clone()
	s := &scope{variables: map[string]string{
		nameFull: name, namePrefix: q.Name, nameSuffix: strings.TrimPrefix(name, q.Name), agentSegment: segment,
	}}
	if t.match != nil {
		s.matches = t.match.FindStringSubmatch(name)
	}
	eachText(&q.Service, func(path, _ string) string { return t.texts[path].in(s) })
	if q.Template.RemoveEmptyTags {
		q.Service.Tags = slices.DeleteFunc(q.Service.Tags, func(tag string) bool { return tag == "" })
	}
	return &q
}

// eachText replaces each text of a query by what fn makes of it. The paths are
// Consul's, which are part of its errors.
func eachText(s *wire.ServiceQuery, fn func(path, text string) string) {
	list := func(path string, texts []string) {
		for i, text := range texts {
			texts[i] = fn(fmt.Sprintf("%s[%d]", path, i), text)
		}
	}
	pairs := func(path string, texts map[string]string) {
		for _, key := range slices.Sorted(maps.Keys(texts)) { // the same fault on every server
			texts[key] = fn(fmt.Sprintf("%s[%s]", path, key), texts[key])
		}
	}
	s.Service = fn(".Service", s.Service)
	s.SamenessGroup = fn(".SamenessGroup", s.SamenessGroup)
	list(".Failover.Datacenters", s.Failover.Datacenters)
	for i := range s.Failover.Targets {
		target, path := &s.Failover.Targets[i], fmt.Sprintf(".Failover.Targets[%d]", i)
		target.Peer = fn(path+".Peer", target.Peer)
		target.Datacenter = fn(path+".Datacenter", target.Datacenter)
	}
	list(".IgnoreCheckIDs", s.IgnoreCheckIDs)
	s.Near = fn(".Near", s.Near)
	list(".Tags", s.Tags)
	pairs(".NodeMeta", s.NodeMeta)
	pairs(".ServiceMeta", s.ServiceMeta)
	s.Peer = fn(".Peer", s.Peer)
}
