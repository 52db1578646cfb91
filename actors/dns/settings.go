package dns

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/actor-consul/consul/messages"
)

// defaultRecursorTimeout is for settings that name none.
const defaultRecursorTimeout = 2 * time.Second

// forEver is the default of max_stale, which is not meant to be reached.
const forEver = 87600 * time.Hour

// staleAfter is from which age of the state on answers count as stale.
const staleAfter = 5 * time.Second

// settings are a DNSConfig made ready for looking things up. Nobody changes them.
type settings struct {
	messages.DNSConfig
	nodeTTL uint32            // seconds
	exact   map[string]uint32 // TTL by name of service, lower case
	globs   []glob            // the longest first
	patient bool              // no state is ever too old
}

// glob is the TTL of all services whose names begin with prefix.
type glob struct {
	prefix string
	ttl    uint32
}

func newSettings(cfg messages.DNSConfig) *settings {
	s := &settings{DNSConfig: cfg, nodeTTL: seconds(cfg.NodeTTL), exact: map[string]uint32{}}
	for name, ttl := range cfg.ServiceTTL {
		name = strings.ToLower(name)
		if prefix, ok := strings.CutSuffix(name, "*"); ok {
			s.globs = append(s.globs, glob{prefix, seconds(ttl)})
		} else {
			s.exact[name] = seconds(ttl)
		}
	}
	slices.SortFunc(s.globs, func(a, b glob) int { return cmp.Compare(len(b.prefix), len(a.prefix)) })
	s.AllowStale = s.AllowStale || s.UseCache // as Consul's does
	s.patient = s.AllowStale && (s.MaxStale <= 0 || s.MaxStale >= forEver)
	if s.RecursorTimeout <= 0 {
		s.RecursorTimeout = defaultRecursorTimeout
	}
	return s
}

// serviceTTL returns how long answers about a service are valid, in seconds: its
// own TTL, else that of the longest glob, else 0. The name is in lower case.
func (s *settings) serviceTTL(service string) uint32 {
	if ttl, ok := s.exact[service]; ok {
		return ttl
	}
	for _, g := range s.globs {
		if strings.HasPrefix(service, g.prefix) {
			return g.ttl
		}
	}
	return 0
}

// tooOld says whether the leader has to be asked when the state may be so old.
func (s *settings) tooOld(age time.Duration) bool {
	return !s.patient && (!s.AllowStale || age > s.MaxStale)
}

// seconds is d as a TTL, whose greatest value is 2^31-1 (RFC 2181).
func seconds(d time.Duration) uint32 {
	return uint32(min(max(d, 0)/time.Second, math.MaxInt32))
}
