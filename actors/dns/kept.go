package dns

import (
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-memdb"
	"github.com/miekg/dns"

	"github.com/actor-consul/consul/actors/catalog/state"
)

// basis is what a response rests upon. Whoever puts the response together notes it.
type basis struct {
	watch    memdb.WatchSet // closed when what was read in the catalog changes
	brief    bool           // the response tells the time
	fleeting bool           // it rests on more than the catalog: it is not kept
	asked    bool           // others were asked for it
}

func newBasis() *basis { return &basis{watch: memdb.NewWatchSet()} }

// found is a response that may be kept, and until when it is right. Nobody changes
// it.
type found struct {
	*response
	what    []string // which figure counts queries of its kind
	set     *settings
	first   stamp             // the view it was found in
	changes []<-chan struct{} // one is closed when it is no longer right
	until   time.Time         // zero: for ever
}

// stamp tells one view of the catalog from another without holding it: a store has
// one view for each index. The zero stamp is of no view.
type stamp struct {
	store <-chan struct{}
	index uint64
}

func stampOf(v *state.View) stamp { return stamp{v.Abandoned(), v.LastIndex()} }

// keep makes a response ready to be kept; nil, if it must not be.
func (q *query) keep(r *response, what []string) *found {
	b := q.basis
	if b.fleeting || q.view == nil {
		return nil
	}
	f := &found{response: r, what: what, set: q.set, first: stampOf(q.view)}
	for ch := range b.watch {
		f.changes = append(f.changes, ch)
	}
	f.changes = append(f.changes, q.view.Abandoned())
	if b.brief {
		f.until = q.now.Truncate(time.Second).Add(time.Second)
	}
	return f
}

// bare is f without its response.
func (f *found) bare() *found {
	b := *f
	b.response = nil
	return &b
}

// right says whether f is what view and set have to say now. seen is the view in
// which f was last found right; it moves on, so that the channels are looked at
// once for each view only: a view is published after those channels are closed
// that it makes stale.
func (f *found) right(view *state.View, set *settings, now time.Time, seen *stamp) bool {
	if view == nil || f.set != set || !f.until.IsZero() && !now.Before(f.until) {
		return false
	}
	at := stampOf(view)
	if at == *seen {
		return true
	}
	for _, ch := range f.changes {
		select {
		case <-ch:
			return false
		default:
		}
	}
	*seen = at
	return true
}

// The most that is kept of responses, in bytes of memory.
const maxKept = 16 << 20

// responses keeps what has been found, for as long as it is right and there is
// room. It is called on the goroutines of queries, which is why it has a lock:
// nothing is done under it but to look at a map.
type responses struct {
	mu   sync.Mutex
	all  map[subject]*keptResponse
	kept int // bytes
	most int
}

// subject is a question as far as responses tell them apart.
type subject struct {
	name  string // in lower case
	qtype uint16
	edns  bool
}

type keptResponse struct {
	*found
	seen stamp
	size int
}

func newResponses(most int) *responses {
	return &responses{all: map[subject]*keptResponse{}, most: most}
}

// get returns what is kept and right, or nil.
func (r *responses) get(of subject, view *state.View, set *settings, now time.Time) *found {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.all[of]
	if k == nil {
		return nil
	}
	if !k.right(view, set, now, &k.seen) {
		r.drop(of, k)
		return nil
	}
	return k.found
}

// put keeps f, and drops others if there is no room: any of them, those that are
// asked for come back.
func (r *responses) put(of subject, f *found) {
	size := heldEntry + len(of.name) + f.held()
	if size > r.most/2 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if old := r.all[of]; old != nil {
		r.drop(of, old)
	}
	for other, k := range r.all {
		if r.kept+size <= r.most {
			break
		}
		r.drop(other, k)
	}
	of.name = strings.Clone(of.name)
	r.all[of] = &keptResponse{found: f, seen: f.first, size: size}
	r.kept += size
}

func (r *responses) drop(of subject, k *keptResponse) {
	delete(r.all, of)
	r.kept -= k.size
}

// lowered returns req with its name in lower case: req itself, or a copy.
func lowered(req *dns.Msg) *dns.Msg {
	name := strings.ToLower(req.Question[0].Name)
	if name == req.Question[0].Name {
		return req
	}
	low := *req
	low.Question = []dns.Question{{Name: name, Qtype: req.Question[0].Qtype, Qclass: req.Question[0].Qclass}}
	return &low
}
