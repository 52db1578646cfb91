package limits

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-metrics"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// TestRefused: each refusal is counted, and the log tells of each limit at most once in
// a while, and how many it has not told of.
func TestRefused(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	synctest.Test(t, func(t *testing.T) {
		sink := metrics.NewInmemSink(time.Hour, time.Hour)
		config := metrics.DefaultConfig("")
		config.EnableHostname, config.EnableRuntimeMetrics = false, false
		if _, err := metrics.NewGlobal(config, sink); err != nil {
			t.Fatal(err)
		}
		r := New(zap.New(core))
		for range 3 {
			r.Refused("requests", "too many requests")
		}
		r.Refused("bytes", "too many bytes", zap.Int64("bytes", 7))
		time.Sleep(every)
		r.Refused("requests", "too many requests")
		if n := sink.Data()[0].Counters["limits.refused;limit=requests"].Count; n != 4 {
			t.Errorf("%d refusals are counted, want 4", n)
		}
	})
	var told []string
	for _, l := range logs.All() {
		text := l.Message
		if n, ok := l.ContextMap()["others_before"]; ok && n == int64(2) {
			text += " and two others"
		}
		told = append(told, text)
	}
	if want := []string{"too many requests", "too many bytes", "too many requests and two others"}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}
