package http

import (
	"net/http"
	"sync"
)

// page is an answer ready to be sent, to any number of clients. Nobody changes it.
type page struct {
	err         error // instead of all else
	status      int   // 0 is 200
	header      http.Header
	contentType string
	body        []byte
	zipped      func() []byte // the body, compressed once
}

// newPage makes a page of what show has to say, but for what is about one client.
func newPage(r *request, show func() (*answer, error)) *page {
	ans, err := show()
	if err != nil {
		return &page{err: err}
	}
	p := &page{status: ans.status, header: ans.header}
	p.body, p.contentType, p.err = ans.encode(r)
	p.zipped = sync.OnceValue(func() []byte { return zip(p.body) })
	return p
}

// size is how much memory the page takes, about.
func (p *page) size() int { return len(p.body) + len(p.body)/8 } // of which the latter is compressed
