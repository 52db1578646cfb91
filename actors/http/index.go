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
	serving := func(h http.HandlerFunc) handler { return profile(enabled, h) }
	all := []route{
		at("/debug/pprof/", lasting(get(serving(pprof.Index)))),
		at("/debug/pprof/cmdline", lasting(get(serving(pprof.Cmdline)))),
		at("/debug/pprof/profile", lasting(get(serving(pprof.Profile)))),
		at("/debug/pprof/symbol", lasting(get(serving(pprof.Symbol))), lasting(post(serving(pprof.Symbol)))),
		at("/debug/pprof/trace", lasting(get(serving(pprof.Trace)))),
	}
	for i := range all {
		all[i].bare = true
	}
	return all
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
