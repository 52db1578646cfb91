package http

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/actor-consul/consul/messages/wire"
)

const (
	typeJSON = "application/json"
	typeText = "text/plain; charset=utf-8"
)

// writer remembers whether anything has been written. http.ResponseController
// finds what it needs through Unwrap.
type writer struct {
	http.ResponseWriter
	begun bool
}

// WriteHeader implements http.ResponseWriter.
func (w *writer) WriteHeader(status int) {
	w.begun = true
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *writer) Write(p []byte) (int, error) {
	w.begun = true
	return w.ResponseWriter.Write(p)
}

// Unwrap returns the writer of net/http.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// respond writes an answer.
func (a *api) respond(w *writer, r *request, ans *answer) {
	if ans.sent != nil {
		defer ans.sent()
	}
	h := w.Header()
	if ans.meta != nil {
		setMeta(h, ans.meta, ans.level)
	}
	maps.Copy(h, ans.header)
	if ans.stream != nil {
		ans.stream(w)
		return
	}
	p := ans.page
	if p == nil {
		p = newPage(r, func() (*answer, error) { return ans, nil })
	}
	if p.err != nil {
		a.fail(w, r, p.err)
		return
	}
	maps.Copy(h, p.header)
	if p.contentType != "" {
		h.Set("Content-Type", p.contentType)
	}
	a.send(w, cmp.Or(p.status, http.StatusOK), compress(h, r.Request, p.body, p.zipped))
}

// plain answers with a text.
func (a *api) plain(w *writer, status int, text string) {
	w.Header().Set("Content-Type", typeText)
	a.send(w, status, []byte(text))
}

// send writes a whole body, out of every buffer, so that nothing is lost when the
// listener closes next. A client that does not take it for long is given up.
func (a *api) send(w *writer, status int, body []byte) {
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	control := http.NewResponseController(w)
	// The errors: tests have no connection to set a deadline on, and when the client
	// is gone there is nobody to tell.
	_ = control.SetWriteDeadline(time.Now().Add(a.cfg.Limits.BodyTimeout))
	w.WriteHeader(status)
	_, _ = w.Write(body)
	_ = control.Flush()
	_ = control.SetWriteDeadline(time.Time{})
}

// encode returns the body of an answer and its type, "" when there is no body.
func (ans *answer) encode(r *request) (body []byte, contentType string, err error) {
	switch {
	case ans.json != nil:
		body, err = encodeJSON(ans.json, r.has("pretty"))
		return body, typeJSON, err
	case ans.raw != nil:
		return ans.raw.bytes, ans.raw.contentType, nil
	case ans.text != "":
		return []byte(ans.text), typeText, nil
	default:
		return nil, "", nil
	}
}

func encodeJSON(v any, pretty bool) ([]byte, error) {
	body, err := json.Marshal(v)
	if err != nil || !pretty {
		return body, err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, body, "", "    "); err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// setMeta tells what a read has seen.
func setMeta(h http.Header, m *wire.QueryMeta, level string) {
	// A client that was told 0 would ask for it again and never be made to wait.
	h.Set("X-Consul-Index", strconv.FormatUint(max(m.Index, 1), 10))
	h.Set("X-Consul-KnownLeader", strconv.FormatBool(m.KnownLeader))
	h.Set("X-Consul-LastContact", strconv.FormatInt(max(m.LastContact, 0).Milliseconds(), 10))
	h.Set("X-Consul-Query-Backend", "blocking-query")
	if level != "" {
		h.Set("X-Consul-Effective-Consistency", level)
	}
	if m.ResultsFilteredByACLs {
		h.Set("X-Consul-Results-Filtered-By-ACLs", "true")
	}
}

// redirect sends a client to the same resource at its proper path.
func redirect(w *writer, r *request, path string) {
	to := *r.URL
	to.Path, to.RawPath = path, ""
	w.Header().Set("Location", to.RequestURI())
	w.WriteHeader(http.StatusMovedPermanently)
}
