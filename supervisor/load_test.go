package supervisor

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
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
// can, registers services at the agent, and keeps what it was told. What was
// acknowledged has to be there for ever.
type load struct {
	base   string
	client *http.Client

	mu     sync.Mutex
	acked  map[string]string // values by key
	keys   []string          // of acked
	reads  int               // that were right
	failed []string          // requests that were not answered as they should
	wrong  []string          // reads that had not what was acknowledged

	services   map[string]int // ports by ID, of the registrations that were acknowledged
	unserviced []string       // registrations that were not

	cancel context.CancelFunc
	done   sync.WaitGroup
}

// newLoad returns a load on the HTTP API at addr, at rest.
func newLoad(addr string) *load {
	return &load{
		base:   "http://" + addr,
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: writers + readers}, Timeout: patience},
		acked:  map[string]string{}, services: map[string]int{},
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
	l.done.Go(func() { l.register(ctx, name) })
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
		body, status, err := l.do(http.MethodPut, "/v1/kv/"+key, value)
		if err == nil && status == http.StatusOK && strings.TrimSpace(body) == "true" {
			l.note(func() { l.acked[key] = value; l.keys = append(l.keys, key) })
		} else {
			l.fail(ctx, &l.failed, "PUT %s: %d %q %v", key, status, body, err)
		}
	}
}

func (l *load) read(ctx context.Context) {
	for ctx.Err() == nil {
		key, want, ok := l.any()
		if !ok {
			pause()
			continue
		}
		switch body, status, err := l.do(http.MethodGet, "/v1/kv/"+key+"?raw", ""); {
		case err == nil && status == http.StatusOK && body == want:
			l.note(func() { l.reads++ })
		case err == nil && (status == http.StatusNotFound || status == http.StatusOK):
			l.note(func() { l.wrong = append(l.wrong, fmt.Sprintf("GET %s: %d %q, want %q", key, status, body, want)) })
		default:
			l.fail(ctx, &l.failed, "GET %s: %d %q %v", key, status, body, err)
		}
	}
}

// register registers services with a check, not too many, and looks for each.
func (l *load) register(ctx context.Context, prefix string) {
	for port := 1; ctx.Err() == nil; port++ {
		id := fmt.Sprintf("%s-%d", prefix, port)
		service := fmt.Sprintf(`{"Name": "load", "ID": %q, "Port": %d, "Check": {"TTL": "1h", "Status": "passing"}}`, id, port)
		body, status, err := l.do(http.MethodPut, "/v1/agent/service/register", service)
		if err != nil || status != http.StatusOK {
			l.fail(ctx, &l.unserviced, "register %s: %d %q %v", id, status, body, err)
			continue
		}
		l.note(func() { l.services[id] = port })
		switch body, status, err := l.do(http.MethodGet, "/v1/agent/service/"+id, ""); {
		case err != nil || status == http.StatusInternalServerError:
			l.fail(ctx, &l.unserviced, "look for %s: %d %q %v", id, status, body, err)
		case !strings.Contains(body, fmt.Sprintf(`"Port":%d,`, port)):
			l.note(func() { l.wrong = append(l.wrong, fmt.Sprintf("look for %s: %d %q", id, status, body)) })
		}
		<-time.After(5 * time.Millisecond)
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

// note keeps how a request went.
func (l *load) note(how func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	how()
}

// fail keeps a failure, if it is not that of the end. It is followed by a pause:
// nobody answers sooner because of being asked in a loop.
func (l *load) fail(ctx context.Context, failures *[]string, format string, args ...any) {
	if ctx.Err() == nil {
		l.note(func() { *failures = append(*failures, fmt.Sprintf(format, args...)) })
	}
	pause()
}

func pause() { <-time.After(time.Millisecond) }

func (l *load) do(method, path, body string) (answer string, status int, err error) {
	req, err := http.NewRequest(method, l.base+path, strings.NewReader(body))
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

// complaints returns the last failures of either kind.
func (l *load) complaints(n int) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Concat(l.failed[max(0, len(l.failed)-n):], l.unserviced[max(0, len(l.unserviced)-n):])
}

// verify reads everything, and compares it with what was acknowledged.
func (l *load) verify(t *testing.T) {
	t.Helper()
	defer l.client.CloseIdleConnections()
	if len(l.wrong) > 0 {
		t.Errorf("%d reads while it ran had not what was acknowledged: %v", len(l.wrong), l.wrong[:min(5, len(l.wrong))])
	}
	var entries []struct {
		Key   string
		Value []byte
	}
	l.get(t, "/v1/kv/load/?recurse", &entries)
	keys := map[string]string{}
	for _, e := range entries {
		keys[e.Key] = string(e.Value)
	}
	missing(t, "keys", l.acked, keys)

	var local map[string]struct{ Port int }
	l.get(t, "/v1/agent/services", &local)
	ports := map[string]int{}
	for id, s := range local {
		ports[id] = s.Port
	}
	missing(t, "services at the agent", l.services, ports)

	// That the catalog has them, too, takes a moment.
	eventually(func() bool {
		var instances []struct {
			Service struct {
				ID   string
				Port int
			}
		}
		l.get(t, "/v1/health/service/load?passing", &instances)
		clear(ports)
		for _, i := range instances {
			ports[i.Service.ID] = i.Service.Port
		}
		return len(lost(l.services, ports)) == 0
	})
	missing(t, "services in the catalog", l.services, ports)
}

// get asks for everything.
func (l *load) get(t *testing.T, path string, out any) {
	t.Helper()
	body, status, err := l.do(http.MethodGet, path, "")
	if err == nil && status == http.StatusOK {
		err = json.Unmarshal([]byte(body), out)
	}
	if err != nil || status != http.StatusOK {
		t.Fatalf("GET %s: %d %v %.200s", path, status, err, body)
	}
}

// missing fails the test when not all that was acknowledged is there.
func missing[V comparable](t *testing.T, what string, acknowledged, there map[string]V) {
	t.Helper()
	if lost := lost(acknowledged, there); len(lost) > 0 {
		t.Errorf("%d of %d %s are lost that were acknowledged: %v", len(lost), len(acknowledged), what, lost[:min(5, len(lost))])
	}
}

func lost[V comparable](acknowledged, there map[string]V) (names []string) {
	for name, value := range acknowledged {
		if v, ok := there[name]; !ok || v != value {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
