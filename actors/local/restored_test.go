package local

import (
	"testing"
	"testing/synctest"
	"time"

	catalogstate "github.com/actor-consul/consul/actors/catalog/state"
	"github.com/actor-consul/consul/messages"
)

// TestRestoredState: what a restored snapshot lacks of this node is written again at
// once, and not only with the next comparison.
func TestRestoredState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.want(t, "at the start", "node")
		must(t, s, web("a", ttl("ac", "")))
		s.want(t, "registered", "a+ac")

		s.mu.Lock()
		s.store = catalogstate.NewStore()
		s.mu.Unlock()
		began := time.Now()
		s.local.Tell(&messages.StateRestored{})
		s.want(t, "restored", "node", "a+ac")
		if took := time.Since(began); took > 0 {
			t.Errorf("it waited for %v", took)
		}
	})
}
