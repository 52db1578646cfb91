package http

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"go.uber.org/zap"

	"github.com/actor-consul/consul/messages"
)

// problem is a refusal with its HTTP status. The text is for a person.
type problem struct {
	status int
	text   string
	allow  string // the header of a 405
	retry  bool   // worth another try in a moment
	limit  string // what there was too much of, if it was refused for that
}

// Error implements error.
func (p *problem) Error() string { return p.text }

func refusal(status int, text string) *problem { return &problem{status: status, text: text} }

func missing(what string) *problem { return refusal(http.StatusBadRequest, "Missing "+what) }

// tooManyConns answers the requests of a connection too many.
var tooManyConns = &problem{
	status: http.StatusTooManyRequests,
	text:   "Your IP is issuing too many concurrent connections, please rate limit your calls\n",
	retry:  true,
}

// tooMany refuses a request because so many others are in flight.
func tooMany(what string, limit int) *problem {
	return &problem{
		status: http.StatusTooManyRequests,
		text:   fmt.Sprintf("too many %s in flight at this agent (the limit is %d); nothing was done, try again", what, limit),
		retry:  true,
		limit:  "http_" + what,
	}
}

// tooLarge refuses a body, and names the key of the configuration that says how large
// one may be.
func tooLarge(size, limit int64, key string) *problem {
	return tooMuch(key, fmt.Sprintf(
		"Request body(%d bytes) too large, max size: %d bytes. See https://www.consul.io/docs/agent/config/config-files#%s.", size, limit, key))
}

// tooMuch refuses what is larger than a limit lets it be.
func tooMuch(limit, text string) *problem {
	return &problem{status: http.StatusRequestEntityTooLarge, text: text, limit: limit}
}

// severalWrong tells of errors as Consul's list of errors does.
func severalWrong(wrong []string) *problem {
	noun := "errors"
	if len(wrong) == 1 {
		noun = "error"
	}
	return refusal(http.StatusInternalServerError, fmt.Sprintf("%d %s occurred:\n\t* %s\n\n", len(wrong), noun, strings.Join(wrong, "\n\t* ")))
}

func notFound(path string) *problem {
	if strings.Contains(path, "/v1/") {
		return refusal(http.StatusNotFound, "Invalid URL path: not a recognized HTTP API endpoint\n")
	}
	return refusal(http.StatusNotFound, "Invalid URL path: if attempting to use the HTTP API, ensure the path starts with '/v1/'\n")
}

// asProblem finds the status for an error of the agent. Consul answers 500 where
// nothing else fits, and its clients look at the text.
func asProblem(err error) *problem {
	var p *problem
	if errors.As(err, &p) {
		return p
	}
	p = refusal(http.StatusInternalServerError, err.Error())
	switch {
	case strings.Contains(p.text, "Permission denied"), strings.Contains(p.text, "ACL not found"):
		p.status = http.StatusForbidden
	case errors.Is(err, messages.ErrUnknownService), errors.Is(err, messages.ErrUnknownCheck):
		p.status = http.StatusNotFound
	case errors.Is(err, messages.ErrOverloaded):
		p.status, p.retry = http.StatusTooManyRequests, true
	case errors.Is(err, messages.ErrUnavailable), errors.Is(err, messages.ErrLeaving):
		p.status, p.retry = http.StatusServiceUnavailable, true
	}
	return p
}

// fail answers with an error.
func (a *api) fail(w *writer, r *request, err error) {
	p := asProblem(err)
	if p.limit != "" {
		a.limits.Refused(p.limit, "refused a request: "+p.text, zap.String("method", r.Method), zap.String("url", r.loggable()), zap.String("from", r.RemoteAddr))
	}
	switch {
	case errors.Is(err, context.Canceled) && r.Context().Err() != nil:
		a.log.Debug("Request cancelled", a.about(r, err)...)
	case p.status >= http.StatusInternalServerError:
		a.log.Error("Request error", a.about(r, err)...)
	default:
		a.log.Debug("Request error", a.about(r, err)...)
	}
	if p.allow != "" {
		w.Header().Set("Allow", p.allow)
	}
	if p.retry {
		w.Header().Set("Retry-After", "1")
	}
	a.plain(w, p.status, p.text)
}

func (a *api) about(r *request, err error) []zap.Field {
	return []zap.Field{
		zap.String("method", r.Method), zap.String("url", r.loggable()),
		zap.String("from", r.RemoteAddr), zap.Error(err),
	}
}
