package health

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// isLocalAlias says whether a check is an alias of a service of this agent, or of its
// node, which may be named.
func isLocalAlias(run *wire.CheckType, node string) bool {
	return run.Type() == "alias" && (run.AliasNode == "" || strings.EqualFold(run.AliasNode, node))
}

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

// aliased returns what a check says that is an alias of what these checks are for:
// the worst of them. there says whether what it is an alias of exists at all.
func aliased(run *wire.CheckType, checks []*wire.HealthCheck, there bool) result {
	switch {
	case there:
	case run.AliasService == "":
		return result{wire.HealthCritical, fmt.Sprintf("Node %s could not be found", run.AliasNode)}
	default:
		return result{wire.HealthCritical, fmt.Sprintf("Service %s could not be found on node %s", run.AliasService, run.AliasNode)}
	}
	r := result{wire.HealthPassing, "No checks found."}
	for _, c := range checks {
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
	return r
}

// aliasedHere is aliased for a service of this agent, or its node.
func aliasedHere(run *wire.CheckType, view *messages.LocalView, node string) result {
	return aliased(run, standsFor(view, node, run.AliasService, map[string]bool{}), isHere(view, run.AliasService))
}

func isHere(view *messages.LocalView, service string) bool {
	return service == "" || view.Services[service] != nil
}

// standsFor returns the checks that an alias of a service of this agent stands for:
// those of the service and of the node. An alias among them is not believed but
// followed, to a service that was not looked at before: so aliases that stand for each
// other, or for themselves, find out how it is and not what they have said of each
// other, which would stay for ever. It counts as it stands when it cannot be followed:
// its service is not here, and then that is all it says, or is another node's.
func standsFor(view *messages.LocalView, node, service string, seen map[string]bool) (all []*wire.HealthCheck) {
	seen[service] = true
	for c := range byName(view.Checks) {
		if c.ServiceID != "" && c.ServiceID != service {
			continue
		}
		run := view.Runs[c.CheckID]
		switch {
		case run == nil || !isLocalAlias(run, node) || !isHere(view, run.AliasService):
			all = append(all, c)
		case !seen[run.AliasService]:
			all = append(all, standsFor(view, node, run.AliasService, seen)...)
		}
	}
	return all
}

// aliasedNode is aliased for a service of another node, or that node. An alias among
// its checks counts as it stands: the catalog does not say what it is an alias of.
func aliasedNode(run *wire.CheckType, n NodeChecks) result {
	there := n.Known
	if run.AliasService != "" {
		_, there = n.Services[run.AliasService]
	}
	var checks []*wire.HealthCheck
	for _, c := range n.Checks {
		if strings.EqualFold(c.Node, run.AliasNode) && (c.ServiceID == "" || c.ServiceID == run.AliasService) {
			checks = append(checks, c)
			there = there || c.ServiceID == run.AliasService
		}
	}
	return aliased(run, checks, there)
}

// aliasRetry returns how long to wait after so many questions in a row that failed.
func aliasRetry(failures int) time.Duration {
	wait := time.Second
	for range min(failures, 8) - 1 {
		wait *= 2
	}
	return min(wait, time.Minute)
}
