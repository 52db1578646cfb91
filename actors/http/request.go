package http

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// request is a request on its way through the api.
type request struct {
	*http.Request
	api   *api
	out   *writer
	tail  string     // of the path, beyond the route's
	query url.Values // once parsed
	body  []byte     // of verbs that take one
	begun time.Time
	held  bool // its answer comes later, from elsewhere
}

// parse reads the query string.
func (r *request) parse() error {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return refusal(http.StatusBadRequest, "the query string cannot be read: "+err.Error())
	}
	r.query = query
	return nil
}

// has reports whether a parameter is there, with a value or without.
func (r *request) has(name string) bool { return r.query.Has(name) }

// param returns the first value of a parameter.
func (r *request) param(name string) string { return r.query.Get(name) }

// token returns the secret that came with the request. It is never logged.
func (r *request) token() string {
	if token := r.param("token"); token != "" {
		return token
	}
	if token := r.Header.Get("X-Consul-Token"); token != "" {
		return token
	}
	// RFC 6750: a bearer token has no spaces, so what follows one is not of it.
	fields := strings.Fields(r.Header.Get("Authorization"))
	if len(fields) > 1 && strings.EqualFold(fields[0], "bearer") {
		return fields[1]
	}
	return ""
}

// loggable returns the URL without secrets.
func (r *request) loggable() string {
	if r.URL.RawQuery == "" {
		return r.URL.Path
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return r.URL.Path + "?<unreadable>"
	}
	if !query.Has("token") {
		return r.URL.Path + "?" + r.URL.RawQuery
	}
	query.Set("token", "<hidden>")
	return r.URL.Path + "?" + query.Encode()
}

// readBody reads the body, if the verb takes one, and refuses one that is longer
// than the limit, where it can before any of it is read.
func (r *request) readBody(limit int64, key string) error {
	if limit == 0 || r.Body == nil {
		return nil
	}
	if r.ContentLength > limit {
		return tooLarge(r.ContentLength, limit, key)
	}
	control := http.NewResponseController(r.out)
	_ = control.SetReadDeadline(time.Now().Add(r.api.cfg.Limits.BodyTimeout)) // tests have no connection to set it on
	body, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	_ = control.SetReadDeadline(time.Time{})
	if err != nil {
		return refusal(http.StatusBadRequest, "the body did not arrive whole: "+err.Error())
	}
	if int64(len(body)) > limit {
		return tooLarge(limit+1, limit, key) // at least
	}
	r.body = body
	return nil
}

// decode reads the body as JSON. Fields that are not known are passed over, since
// a client may be newer than this agent.
func (r *request) decode(into any) error { return r.decodeOr("Request decode failed", into) }

func (r *request) decodeOr(complaint string, into any) error {
	if deeperThan(r.body, maxNesting) {
		return refusal(http.StatusBadRequest, fmt.Sprintf("%s: the JSON is nested more than %d deep", complaint, maxNesting))
	}
	if err := json.NewDecoder(bytes.NewReader(r.body)).Decode(into); err != nil {
		return refusal(http.StatusBadRequest, complaint+": "+err.Error())
	}
	return nil
}

// maxNesting is how deep objects and lists of a body may be nested. Some of our
// types read what is below them once a level, so depth costs more than length.
const maxNesting = 32

// deeperThan reports whether JSON is nested deeper than limit. What is not JSON is
// for the decoder to find out.
func deeperThan(text []byte, limit int) bool {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > limit {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}
