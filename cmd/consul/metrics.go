package main

import (
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/go-metrics"
	promsink "github.com/hashicorp/go-metrics/prometheus"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/actor-consul/consul/cmd/consul/config"
)

// What the in-memory sink keeps, as in Consul: a minute, in intervals of ten
// seconds.
const (
	metricsInterval = 10 * time.Second
	metricsRetained = time.Minute
)

// figures is where the libraries' and our own figures go: they all use the global
// registry of go-metrics, which this sets up.
type figures struct {
	*metrics.InmemSink
	prometheus http.Handler // nil when it is off
}

// Prometheus returns what serves the Prometheus format, or nil.
func (f *figures) Prometheus() http.Handler { return f.prometheus }

func newMetrics(rt *config.Runtime) *figures {
	f := &figures{InmemSink: metrics.NewInmemSink(metricsInterval, metricsRetained)}
	sinks := metrics.FanoutSink{f.InmemSink}
	if keep := rt.Telemetry.PrometheusRetentionTime; keep > 0 {
		// A registry of its own: the default one belongs to whoever is linked in.
		registry := prometheus.NewRegistry()
		sink, err := promsink.NewPrometheusSinkFrom(promsink.PrometheusOpts{Expiration: keep, Registerer: registry})
		if err == nil {
			sinks = append(sinks, sink)
			f.prometheus = promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
		}
	}
	if at := rt.Telemetry.StatsiteAddress; at != "" {
		if sink, err := metrics.NewStatsiteSink(at); err == nil { // it connects, and connects again, by itself
			sinks = append(sinks, sink)
		}
	}
	if at := rt.Telemetry.StatsdAddress; at != "" {
		if sink, err := metrics.NewStatsdSink(at); err == nil {
			sinks = append(sinks, sink)
		}
	}
	cfg := metrics.DefaultConfig(rt.Telemetry.MetricsPrefix)
	cfg.EnableHostname = !rt.Telemetry.DisableHostname
	cfg.FilterDefault = rt.Telemetry.FilterDefault
	cfg.AllowedPrefixes, cfg.BlockedPrefixes = filters(rt.Telemetry.PrefixFilter)
	// It fails only for a configuration that this is not.
	_, _ = metrics.NewGlobal(cfg, sinks)
	return f
}

// filters tells the rules of prefix_filter apart. The configuration has checked that
// each begins with + or -.
func filters(rules []string) (allowed, blocked []string) {
	for _, rule := range rules {
		if prefix, ok := strings.CutPrefix(rule, "+"); ok {
			allowed = append(allowed, prefix)
		} else {
			blocked = append(blocked, strings.TrimPrefix(rule, "-"))
		}
	}
	return allowed, blocked
}
