package http

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// compressFrom is the size from which a body is compressed: what fits into one
// packet would arrive no sooner.
const compressFrom = 1400

// compressors are kept, since each has large tables. They work fast rather than
// well: who fetches a list wants it soon, and text shrinks to a few percent anyway.
var compressors = sync.Pool{New: func() any {
	w, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	if err != nil {
		panic(err) // the level is one of gzip's own
	}
	return w
}}

// compress returns the body as it goes out, and says in the header what it is. It
// has zipped make it shorter where the client can read that.
func compress(h http.Header, r *http.Request, body []byte, zipped func() []byte) []byte {
	if len(body) < compressFrom || h.Get("Content-Encoding") != "" || !acceptsGzip(r.Header.Values("Accept-Encoding")) {
		return body
	}
	h.Set("Content-Encoding", "gzip")
	return zipped()
}

func zip(body []byte) []byte {
	var out bytes.Buffer
	w := compressors.Get().(*gzip.Writer)
	defer compressors.Put(w)
	w.Reset(&out)
	_, _ = w.Write(body) // a buffer takes everything
	_ = w.Close()
	return out.Bytes()
}

// acceptsGzip reads Accept-Encoding (RFC 9110, section 12.5.3).
func acceptsGzip(headers []string) bool {
	accepted := false
	for _, header := range headers {
		for coding := range strings.SplitSeq(header, ",") {
			name, params, _ := strings.Cut(coding, ";")
			switch name = strings.TrimSpace(name); {
			case strings.EqualFold(name, "gzip"):
				return weight(params) > 0
			case name == "*":
				accepted = weight(params) > 0
			}
		}
	}
	return accepted
}

// weight returns the q of a coding, 1 when it has none.
func weight(params string) float64 {
	q, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(params)), "q=")
	if !ok {
		return 1
	}
	w, err := strconv.ParseFloat(strings.TrimSpace(q), 64)
	if err != nil {
		return 0
	}
	return w
}
