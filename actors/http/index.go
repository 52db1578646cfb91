package http

import (
	"net/http"
	"net/http/pprof"
)

// index says what this is to a person who has found it with a browser.
func index(*request) (*answer, error) {
	return &answer{text: "Consul Agent: there is no web UI here. The HTTP API is below /v1/.\n"}, nil
}

// robots keeps search engines away.
func robots(*request) (*answer, error) {
	return &answer{text: "User-agent: *\nDisallow: /\n"}, nil
}

// pprofRoutes are the profiles of the process. They are routes like any other, so
// the mux that net/http/pprof fills at its start is never served.
func pprofRoutes(enabled bool) []route {
	at := func(path string, h http.HandlerFunc, methods ...string) route {
		line := route{path: path, bare: true}
		for _, m := range methods {
			line.on = append(line.on, verb{method: m, apart: true, handle: profile(enabled, h)})
		}
		return line
	}
	return []route{
		at("/debug/pprof/", pprof.Index, http.MethodGet),
		at("/debug/pprof/cmdline", pprof.Cmdline, http.MethodGet),
		at("/debug/pprof/profile", pprof.Profile, http.MethodGet),
		at("/debug/pprof/symbol", pprof.Symbol, http.MethodGet, http.MethodPost),
		at("/debug/pprof/trace", pprof.Trace, http.MethodGet),
	}
}

// profile serves a profile when enable_debug is on, and is not there otherwise.
func profile(enabled bool, h http.HandlerFunc) handler {
	return func(r *request) (*answer, error) {
		if !enabled {
			return &answer{status: http.StatusNotFound}, nil
		}
		return &answer{stream: func(w http.ResponseWriter) { h(w, r.Request) }}, nil
	}
}
