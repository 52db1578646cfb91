package supervisor

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	writers = 4
	readers = 3
)

// load writes unique keys and reads those that were acknowledged, as fast as it
// can, and keeps what it was told. What it wrote and was told `true` has to be
// there for ever.
type load struct {
	base   string
	client *http.Client

	mu     sync.Mutex
	acked  map[string]string // values by key
	keys   []string          // of acked
	reads  int               // that were right
	failed []string          // requests that were not answered as they should
	wrong  []string          // reads that had not what was acknowledged

	cancel context.CancelFunc
	done   sync.WaitGroup
}

// newLoad returns a load on the HTTP API at addr, at rest.
func newLoad(addr string) *load {
	return &load{
		base:   "http://" + addr,
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: writers + readers}, Timeout: patience},
		acked:  map[string]string{},
	}
}

// run begins to write and read. The keys are named after the run.
func (l *load) run(t *testing.T, name string) {
	ctx, cancel := context.WithCancel(t.Context())
	l.cancel = cancel
	for w := range writers {
		l.done.Go(func() { l.write(ctx, fmt.Sprintf("load/%s/%d", name, w)) })
	}
	for range readers {
		l.done.Go(func() { l.read(ctx) })
	}
}

// rest ends a run and closes the connections.
func (l *load) rest() {
	l.cancel()
	l.done.Wait()
	l.client.CloseIdleConnections()
}

func (l *load) write(ctx context.Context, prefix string) {
	for i := 0; ctx.Err() == nil; i++ {
		key, value := fmt.Sprintf("%s/%d", prefix, i), fmt.Sprintf("%s=%d", prefix, rand.Uint64())
		body, status, err := l.do(http.MethodPut, key, value)
		l.note(ctx, err == nil && status == http.StatusOK && strings.TrimSpace(body) == "true",
			func() { l.acked[key] = value; l.keys = append(l.keys, key) },
			func() { l.failed = append(l.failed, fmt.Sprintf("PUT %s: %d %q %v", key, status, body, err)) })
	}
}

func (l *load) read(ctx context.Context) {
	for ctx.Err() == nil {
		key, want, ok := l.any()
		if !ok {
			pause()
			continue
		}
		body, status, err := l.do(http.MethodGet, key, "")
		switch {
		case err == nil && (status == http.StatusNotFound || status == http.StatusOK && body != want):
			l.note(ctx, false, nil, func() { l.wrong = append(l.wrong, fmt.Sprintf("GET %s: %d %q, want %q", key, status, body, want)) })
		default:
			l.note(ctx, err == nil && status == http.StatusOK, func() { l.reads++ },
				func() { l.failed = append(l.failed, fmt.Sprintf("GET %s: %d %q %v", key, status, body, err)) })
		}
	}
}

// any returns a key that was acknowledged.
func (l *load) any() (key, value string, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.keys) == 0 {
		return "", "", false
	}
	key = l.keys[rand.IntN(len(l.keys))]
	return key, l.acked[key], true
}

// note keeps how a request went. A failure is followed by a pause: nobody answers
// sooner because of being asked in a loop.
func (l *load) note(ctx context.Context, ok bool, good, bad func()) {
	l.mu.Lock()
	switch {
	case ok:
		good()
	case ctx.Err() == nil:
		bad()
	}
	l.mu.Unlock()
	if !ok {
		pause()
	}
}

func pause() { <-time.After(time.Millisecond) }

func (l *load) do(method, key, value string) (body string, status int, err error) {
	url := l.base + "/v1/kv/" + key
	if method == http.MethodGet {
		url += "?raw"
	}
	req, err := http.NewRequest(method, url, strings.NewReader(value))
	if err != nil {
		return "", 0, err
	}
	resp, err := l.client.Do(req)
	if err != nil {
		return "", 0, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), resp.StatusCode, err
}

// progress waits until some more writes and reads have succeeded.
func (l *load) progress(t *testing.T) {
	t.Helper()
	const more = 10
	writes, reads := l.counts()
	ok := eventually(func() bool {
		w, r := l.counts()
		return w >= writes+more && r >= reads+more
	})
	if !ok {
		t.Fatalf("writes and reads do not succeed any more; the last that failed: %v", l.complaints(5))
	}
}

func (l *load) counts() (writes, reads int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.keys), l.reads
}

// complaints returns the last failures.
func (l *load) complaints(n int) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.failed[max(0, len(l.failed)-n):])
}

// verify reads everything, and compares it with what was acknowledged.
func (l *load) verify(t *testing.T) {
	t.Helper()
	defer l.client.CloseIdleConnections()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.wrong) > 0 {
		t.Errorf("%d reads while it ran had not what was acknowledged: %v", len(l.wrong), l.wrong[:min(5, len(l.wrong))])
	}
	has, err := l.all()
	if err != nil {
		t.Fatal(err)
	}
	var lost []string
	for key, value := range l.acked {
		if has[key] != value {
			lost = append(lost, key)
		}
	}
	if len(lost) > 0 {
		t.Errorf("%d of %d acknowledged writes are lost: %v", len(lost), len(l.acked), slices.Sorted(slices.Values(lost))[:min(5, len(lost))])
	}
}

// all returns every key of the load that the agent has.
func (l *load) all() (map[string]string, error) {
	resp, err := l.client.Get(l.base + "/v1/kv/load/?recurse")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("read all keys: %s %s %w", resp.Status, bytes.TrimSpace(body), err)
	}
	var entries []struct {
		Key   string
		Value []byte
	}
	if err := json.Unmarshal(body, &entries); err != nil {
		return nil, err
	}
	has := maps.Collect(func(yield func(string, string) bool) {
		for _, e := range entries {
			if !yield(e.Key, string(e.Value)) {
				return
			}
		}
	})
	return has, nil
}
