package dns

import (
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-metrics"
)

// ageEvery is how often the age of the state is asked for where it decides nothing.
const ageEvery = time.Second

// ageing is how old the state may be, as of a moment ago.
type ageing struct {
	asked atomic.Int64 // when, in nanoseconds since 1970
	age   atomic.Int64 // in nanoseconds
}

// age returns how old the state may be. It is called on many goroutines, for every
// query.
func (s *server) age(set *settings, now time.Time) time.Duration {
	if s.cfg.Age == nil {
		return 0
	}
	at := now.UnixNano()
	if set.patient && at-s.aged.asked.Load() < int64(ageEvery) {
		return time.Duration(s.aged.age.Load())
	}
	age := s.cfg.Age()
	s.aged.age.Store(int64(age))
	s.aged.asked.Store(at)
	return age
}

// stale counts an answer from a state that may be so old.
func stale(age time.Duration) {
	if age > staleAfter {
		metrics.IncrCounter([]string{Name, "stale_queries"}, 1)
	}
}
