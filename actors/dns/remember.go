package dns

import (
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/hashicorp/go-metrics"
	"go.uber.org/zap"
)

// rememberAfter is how long a query waits for others when there is an answer of theirs
// that it can have: less than any resolver waits.
const rememberAfter = 2 * time.Second

// reliable has questions answered by others, and by what they said when they cannot be
// asked. Its methods are called on the goroutines of queries, and wait.
type reliable struct {
	log *zap.Logger

	mu     sync.Mutex
	memory *memory
}

func newReliable(log *zap.Logger) *reliable {
	return &reliable{log: log, memory: newMemory()}
}

// answer is what asking came to.
type answer struct {
	said word
	err  error
}

// ask returns what others say, or said. ask asks them, and waits.
func (r *reliable) ask(of lookup, set *settings, ask func() (word, error)) (word, error) {
	r.mu.Lock()
	how, old := r.memory.plan(of, set, time.Now())
	r.mu.Unlock()
	if how == planRecall {
		return recalled(old)
	}
	came := make(chan answer, 1)
	go func() { came <- r.note(of, ask) }()
	switch how {
	case planAskAside:
		return recalled(old)
	case planAskSoon:
		select {
		case a := <-came:
			if a.err != nil && !absent(a.err) {
				return recalled(old)
			}
			return a.said, a.err
		case <-time.After(rememberAfter):
			r.failed(of)
			return recalled(old)
		}
	default:
		a := <-came
		return a.said, a.err
	}
}

// recalled counts an answer that others were not asked for.
func recalled(old word) (word, error) {
	metrics.IncrCounter([]string{Name, "remembered"}, 1)
	return old, nil
}

// note asks, and remembers what that came to. A panic costs the question its answer.
func (r *reliable) note(of lookup, ask func() (word, error)) (a answer) {
	defer func() {
		if reason := recover(); reason != nil {
			a = answer{err: fmt.Errorf("the question failed: %v", reason)}
			r.log.Error("a question to others made the listener panic", zap.Any("panic", reason), zap.ByteString("stack", debug.Stack()))
			r.failed(of)
		}
	}()
	a.said, a.err = ask()
	switch {
	case a.err == nil:
		r.mu.Lock()
		r.memory.keep(of, a.said, time.Now())
		r.mu.Unlock()
	case absent(a.err):
		r.mu.Lock()
		r.memory.drop(of)
		r.mu.Unlock()
	default:
		r.failed(of)
	}
	return a
}

func (r *reliable) failed(of lookup) {
	r.mu.Lock()
	r.memory.fail(of, time.Now())
	r.mu.Unlock()
}
