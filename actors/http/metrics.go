package http

import (
	"net/http"
	"strings"
)

// agentMetrics answers with the figures of the agent, as JSON or, when that is
// asked for, in the format of Prometheus.
func agentMetrics(r *request) (*answer, error) {
	if !wantsPrometheus(r) {
		figures, err := r.api.cfg.Metrics.DisplayMetrics(r.out, r.Request)
		if err != nil {
			return nil, err
		}
		return with(figures), nil
	}
	exporter := r.api.cfg.Metrics.Prometheus()
	if exporter == nil {
		const why = "Prometheus is not enabled since its retention time is not positive"
		return &answer{
			status: http.StatusUnsupportedMediaType,
			text:   why,
			header: http.Header{"X-Consul-Reason": {why}},
		}, nil
	}
	return &answer{stream: func(w http.ResponseWriter) { exporter.ServeHTTP(w, r.Request) }}, nil
}

// wantsPrometheus reads ?format and what Prometheus says that it accepts.
func wantsPrometheus(r *request) bool {
	if r.param("format") == "prometheus" {
		return true
	}
	for accepted := range strings.SplitSeq(r.Header.Get("Accept"), ",") {
		kind, params, _ := strings.Cut(strings.ToLower(accepted), ";")
		first, _, _ := strings.Cut(params, ";")
		switch strings.TrimSpace(kind) {
		case "application/openmetrics-text":
			return true
		case "text/plain":
			if strings.TrimSpace(first) == "version=0.4.0" {
				return true
			}
		}
	}
	return false
}
