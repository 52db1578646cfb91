package http

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/actor-consul/consul/actors/invoke"
	"github.com/actor-consul/consul/messages/wire"
)

// The routes below /v1/snapshot: https://developer.hashicorp.com/consul/api-docs/snapshot.

// typeArchive is what net/http finds an archive to be, which is how Consul names it.
const typeArchive = "application/x-gzip"

// streamed marks a verb whose handler reads the body itself, as it comes, so that
// its size is not limited here. An archive is as large as the state.
func streamed(v verb) verb { return sized(v, noBody) }

// snapshotSave answers with an archive of the state. It is whole before the first
// byte is sent, so that what goes wrong is told with a status.
func snapshotSave(r *request) (*answer, error) {
	saved, err := r.api.cfg.Invoker.Snapshot(r.Context(), r.snapshot(wire.SnapshotSave), nil)
	if err != nil {
		return nil, err
	}
	header := http.Header{"Content-Type": {typeArchive}}
	if saved.Size >= 0 {
		header.Set("Content-Length", strconv.FormatInt(saved.Size, 10)) // whoever gets less knows it
	}
	return &answer{
		meta:   &saved.QueryMeta,
		header: header,
		stream: func(w http.ResponseWriter) { r.send(w, saved) },
	}, nil
}

// send sends an archive, for as long as the client goes on taking it.
func (r *request) send(w http.ResponseWriter, saved *invoke.SavedSnapshot) {
	defer saved.Archive.Close()
	p := r.parts()
	w.WriteHeader(http.StatusOK)
	if _, err := io.Copy(&partWriter{w, p}, saved.Archive); err != nil {
		panic(http.ErrAbortHandler) // an archive that ends early must not look like one that ends
	}
	_ = p.control.SetWriteDeadline(time.Time{}) // it fails when the client is gone
}

// snapshotRestore puts the state of the archive in the body in the place of this
// one, everywhere.
func snapshotRestore(r *request) (*answer, error) {
	p := r.parts()
	body := &partReader{r.Context(), r.Body, p}
	if _, err := r.api.cfg.Invoker.Snapshot(r.Context(), r.snapshot(wire.SnapshotRestore), body); err != nil {
		return nil, err
	}
	_ = p.control.SetReadDeadline(time.Time{}) // tests have no connection to set it on
	return nothing, nil
}

// snapshot returns what is asked for.
func (r *request) snapshot(op wire.SnapshotOp) *wire.SnapshotRequest {
	return &wire.SnapshotRequest{Datacenter: r.datacenter(), Token: r.token(), AllowStale: r.has("stale"), Op: op}
}

// parts gives each part of something large the time that others have for the whole.
type parts struct {
	control *http.ResponseController
	each    time.Duration
}

func (r *request) parts() parts {
	return parts{control: http.NewResponseController(r.out), each: r.api.cfg.Limits.BodyTimeout}
}

// partWriter writes an answer in parts.
type partWriter struct {
	w io.Writer
	parts
}

// Write implements io.Writer.
func (w *partWriter) Write(p []byte) (int, error) {
	_ = w.control.SetWriteDeadline(time.Now().Add(w.each)) // tests have no connection to set it on
	return w.w.Write(p)
}

// partReader reads a body in parts, until its request is answered: then the
// connection is another request's.
type partReader struct {
	ctx  context.Context
	body io.Reader
	parts
}

// Read implements io.Reader.
func (r *partReader) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	_ = r.control.SetReadDeadline(time.Now().Add(r.each)) // tests have no connection to set it on
	return r.body.Read(p)
}
