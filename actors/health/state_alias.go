package health

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/actor-consul/consul/messages/wire"
)

// byName yields checks in the order of their IDs.
func byName(checks map[string]*wire.HealthCheck) iter.Seq[*wire.HealthCheck] {
	return func(yield func(*wire.HealthCheck) bool) {
		for _, id := range slices.Sorted(maps.Keys(checks)) {
			if !yield(checks[id]) {
				return
			}
		}
	}
}

// aliased returns what a check says that is an alias of a service, or of a node when
// it names none: the worst of its checks and those of its node, itself excepted.
// there says whether there is such a service at all.
func aliased(own string, run *wire.CheckType, checks iter.Seq[*wire.HealthCheck], there bool) result {
	r, found := result{wire.HealthPassing, "No checks found."}, false
	for c := range checks {
		if c.CheckID == own && run.AliasNode == "" || c.ServiceID != "" && c.ServiceID != run.AliasService {
			continue
		}
		found = found || c.ServiceID == run.AliasService
		failing := fmt.Sprintf("Aliased check %q failing: %s", c.Name, c.Output)
		switch {
		case c.Status == wire.HealthCritical:
			return result{c.Status, failing}
		case c.Status == wire.HealthWarning:
			r = result{c.Status, failing}
		case r.status == wire.HealthPassing:
			r.output = "All checks passing."
		}
	}
	switch {
	case found || there:
		return r
	case run.AliasService == "":
		return result{wire.HealthCritical, fmt.Sprintf("Node %s could not be found", run.AliasNode)}
	default:
		return result{wire.HealthCritical, fmt.Sprintf("Service %s could not be found on node %s", run.AliasService, run.AliasNode)}
	}
}

// aliasedNode is aliased for a service of another node.
func aliasedNode(own string, run *wire.CheckType, n NodeChecks) result {
	there := n.Known
	if run.AliasService != "" {
		_, there = n.Services[run.AliasService]
	}
	mine := func(yield func(*wire.HealthCheck) bool) {
		for _, c := range n.Checks {
			if strings.EqualFold(c.Node, run.AliasNode) && !yield(c) {
				return
			}
		}
	}
	return aliased(own, run, mine, there)
}

// aliasRetry returns how long to wait after so many questions in a row that failed.
func aliasRetry(failures int) time.Duration {
	wait := time.Second
	for range min(failures, 8) - 1 {
		wait *= 2
	}
	return min(wait, time.Minute)
}
