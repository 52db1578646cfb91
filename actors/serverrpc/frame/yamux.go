package frame

import (
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/yamux"
	"go.uber.org/zap"
)

const (
	// backlog is how many streams may wait to be accepted. Consul's, and yamux's.
	backlog = 256
	// closeTimeout is how long a stream waits for the other side's goodbye.
	closeTimeout = 30 * time.Second
)

// YamuxConfig returns how connections are multiplexed, on either side: with
// keepalives, so that a peer that is gone is noticed within a minute. What the
// library has to say is about what the other side did, and goes to log at DEBUG.
func YamuxConfig(log *zap.Logger) *yamux.Config {
	conf := yamux.DefaultConfig()
	conf.AcceptBacklog = backlog
	conf.StreamCloseTimeout = closeTimeout
	conf.LogOutput = nil
	conf.Logger = quiet{log}
	return conf
}

// quiet is a yamux.Logger.
type quiet struct{ log *zap.Logger }

var _ yamux.Logger = quiet{}

// Print implements yamux.Logger.
func (q quiet) Print(v ...any) { q.say(fmt.Sprint(v...)) }

// Printf implements yamux.Logger.
func (q quiet) Printf(format string, v ...any) { q.say(fmt.Sprintf(format, v...)) }

// Println implements yamux.Logger.
func (q quiet) Println(v ...any) { q.say(fmt.Sprintln(v...)) }

// say leaves out the level that the library writes into its lines.
func (q quiet) say(text string) {
	if _, rest, ok := strings.Cut(text, "] yamux: "); ok {
		text = rest
	}
	q.log.Debug("multiplexing: " + strings.TrimSpace(text))
}
