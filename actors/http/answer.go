package http

import (
	"net/http"

	"github.com/actor-consul/consul/messages/wire"
)

// answer is what a handler has to say. It is written in one place, respond.
type answer struct {
	status int         // 0 is 200
	header http.Header // beside what every answer has
	meta   *wire.QueryMeta
	level  string // X-Consul-Effective-Consistency, where Consul tells it

	// unmarked answers of a read do not have its headers, where Consul leaves them
	// out.
	unmarked bool

	// The body: one of these, or none.
	json   any
	text   string
	raw    *raw
	page   *page
	stream func(http.ResponseWriter) // writes what it has as it comes
	held   *held                     // comes when there is one

	// sent is called when the client has been sent everything.
	sent func()
}

// raw is a body that is neither JSON nor text of ours.
type raw struct {
	contentType string
	bytes       []byte
}

// nothing is the answer of what has nothing to say but that it is done.
var nothing = &answer{}

// with returns an answer that shows v as JSON.
func with(v any) *answer { return &answer{json: v} }
