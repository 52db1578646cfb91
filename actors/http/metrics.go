package http

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/go-metrics"
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

// counted counts how often a handler is called, and how it goes. The name is that of
// Consul's metric.
func counted(name string, h handler) handler {
	called, failed, done := []string{"client", "api", name}, []string{"client", "rpc", "error", name}, []string{"client", "api", "success", name}
	return func(r *request) (*answer, error) {
		metrics.IncrCounter(called, 1)
		ans, err := h(r)
		if err != nil {
			metrics.IncrCounter(failed, 1)
		} else {
			metrics.IncrCounter(done, 1)
		}
		return ans, err
	}
}

// agentMetricsStream sends the figures of each interval when it is over, as lines of
// JSON, until the client goes or the agent leaves.
func agentMetricsStream(r *request) (*answer, error) {
	return &answer{
		header: http.Header{"Content-Type": {typeJSON}},
		stream: func(w http.ResponseWriter) {
			ctx, cancel := context.WithCancel(r.Context())
			defer cancel()
			defer context.AfterFunc(r.api.leaving, cancel)()
			s := &metricsStream{out: w, control: http.NewResponseController(w), patience: r.api.cfg.Limits.BodyTimeout}
			defer func() { _ = s.control.SetWriteDeadline(time.Time{}) }() // it fails when the client is gone
			w.WriteHeader(http.StatusOK)
			if s.control.Flush() == nil { // the client sees that it is heard before there is a line
				r.api.cfg.Metrics.Stream(ctx, s)
			}
		},
	}, nil
}

// metricsStream writes values as they come. It is an encoder of go-metrics.
type metricsStream struct {
	out      http.ResponseWriter
	control  *http.ResponseController
	patience time.Duration // that a client has to take one of them
}

// Encode implements metrics.Encoder.
func (s *metricsStream) Encode(v any) error {
	_ = s.control.SetWriteDeadline(time.Now().Add(s.patience)) // the write fails when this does
	if err := json.NewEncoder(s.out).Encode(v); err != nil {
		return err
	}
	return s.control.Flush()
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
