package http

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	consul "github.com/hashicorp/consul/api"

	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// The routes below /v1/agent/health, which tell the health of services of this
// agent by the status of the answer, for load balancers:
// https://developer.hashicorp.com/consul/api-docs/agent/service#get-local-service-health.

// agentHealthID tells the health of the service with an ID.
func agentHealthID(r *request) (*answer, error) {
	if r.tail == "" {
		return nil, missing("serviceID")
	}
	if err := r.checkNames(noNames); err != nil {
		return nil, err
	}
	view := r.local()
	s := view.Services[r.tail]
	if s == nil {
		why := fmt.Sprintf("ServiceId %s not found", r.tail)
		return r.verdict(http.StatusNotFound, why, &consul.AgentServiceChecksInfo{AggregatedStatus: consul.HealthCritical}), nil
	}
	info, err := healthOf(r, view, s)
	if err != nil {
		return nil, err
	}
	return r.verdict(healthCode(info.AggregatedStatus), info.AggregatedStatus, info), nil
}

// agentHealthName tells the health of all services of a name, and as a whole that
// of the worst.
func agentHealthName(r *request) (*answer, error) {
	if r.tail == "" {
		return nil, missing("service Name")
	}
	if err := r.checkNames(noNames); err != nil {
		return nil, err
	}
	view := r.local()
	worst, why := 0, ""
	all := []*consul.AgentServiceChecksInfo{}
	for _, id := range slices.Sorted(maps.Keys(view.Services)) {
		s := view.Services[id]
		if s.Service != r.tail {
			continue
		}
		info, err := healthOf(r, view, s)
		if err != nil {
			return nil, err
		}
		all = append(all, info)
		if code := healthCode(info.AggregatedStatus); code > worst {
			worst, why = code, info.AggregatedStatus
		}
	}
	if len(all) == 0 {
		worst, why = http.StatusNotFound, fmt.Sprintf("ServiceName %s Not Found", r.tail)
	}
	return r.verdict(worst, why, all), nil
}

// healthOf returns a service with its checks, those of the node among them.
func healthOf(r *request, view *messages.LocalView, s *wire.NodeService) (*consul.AgentServiceChecksInfo, error) {
	a, err := agentServiceOf(s, r.api.cfg.Facts.Datacenter)
	if err != nil {
		return nil, err
	}
	info := &consul.AgentServiceChecksInfo{Service: a, Checks: consul.HealthChecks{}}
	for _, id := range slices.Sorted(maps.Keys(view.Checks)) {
		if c := view.Checks[id]; c.ServiceID == "" || c.ServiceID == s.ID {
			info.Checks = append(info.Checks, agentCheckOf(c))
		}
	}
	info.AggregatedStatus = info.Checks.AggregatedStatus()
	return info, nil
}

func healthCode(status string) int {
	switch status {
	case consul.HealthPassing:
		return http.StatusOK
	case consul.HealthWarning:
		return http.StatusTooManyRequests
	default:
		return http.StatusServiceUnavailable
	}
}

// verdict answers with a status that says it all, in one word to those who want
// text.
func (r *request) verdict(code int, why string, v any) *answer {
	ans := &answer{status: code, header: http.Header{"X-Consul-Reason": {why}}}
	if strings.HasPrefix(r.Header.Get("Accept"), "text/plain") || r.param("format") == "text" {
		ans.raw = &raw{contentType: "text/plain", bytes: []byte(why)}
	} else {
		ans.json = v
	}
	return ans
}
