package messages

import (
	"time"

	"go.uber.org/zap/zapcore"
)

// TraceLevel is below zap's own levels, as Consul's TRACE is below DEBUG.
const TraceLevel = zapcore.DebugLevel - 1

// LogEntry is one line of the log, as it was written.
//
// From:  the zap core of actors/logs
// To:    logs
// Reply: none
type LogEntry struct {
	Seq    uint64 // counts all entries of the process, from 1
	Time   time.Time
	Level  zapcore.Level
	Logger string // "serf", "raft", "agent"
	Text   string
	Fields []zapcore.Field
}

// SubscribeLogs asks for the recent entries and all that follow, at a level of
// the asker's own choice.
//
// From:  http, rpc
// To:    logs
// Reply: *LogSubscription
type SubscribeLogs struct {
	Asked[*LogSubscription]
	Level zapcore.Level
}

// UnsubscribeLogs ends a subscription.
//
// From:  http, rpc
// To:    logs
// Reply: none
type UnsubscribeLogs struct {
	ID uint64
}

// LogSubscription is a reader's end. A reader that is too slow loses entries; the
// next that it gets says how many in Lost.
type LogSubscription struct {
	ID      uint64
	Recent  []LogEntry       // oldest first
	Entries <-chan LogUpdate // closed when the actor stops or restarts; subscribe again
}

// LogUpdate is an entry for one subscriber.
type LogUpdate struct {
	Entry LogEntry
	Lost  int // entries lost to this reader since the one before
}
