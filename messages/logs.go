package messages

import (
	"time"

	"go.uber.org/zap/zapcore"
)

// LogLevel is zap's level. The alias lets rules speak of levels without zap.
type LogLevel = zapcore.Level

// TraceLevel is below zap's own levels, as Consul's TRACE is below DEBUG. An
// entry at it is written with log.Log(messages.TraceLevel, ...), or, where it
// must cost nothing while nobody wants it, with log.Check and Write.
const TraceLevel = zapcore.DebugLevel - 1

// LogEntry is one line of the log, as it was written. Its fields are whole: they
// hold values, and nothing that their writer may still change.
//
// From:  logs
// To:    http, rpc, in a LogSubscription or a LogUpdate
// Reply: none
type LogEntry struct {
	Seq    uint64 // counts the entries of the process, from 1; readers see them in this order
	Time   time.Time
	Level  LogLevel
	Logger string // "serf", "raft", "agent"
	Text   string
	Fields []zapcore.Field // read only
}

// SubscribeLogs asks for the recent entries and all that follow, at a level of
// the asker's own choice.
//
// From:  http, rpc
// To:    logs
// Reply: *LogSubscription
type SubscribeLogs struct {
	Asked[*LogSubscription]
	Level LogLevel
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
// next that it gets says how many in Lost. One that takes nothing for thousands
// of entries is taken for gone, and its subscription ends.
//
// Who subscribes again after Entries was closed goes on where it was by leaving
// out what has a Seq that it has seen.
type LogSubscription struct {
	ID      uint64
	Recent  []LogEntry       // at Level and above, oldest first
	Entries <-chan LogUpdate // closed when the actor stops or restarts, or gives the reader up
}

// LogUpdate is an entry for one subscriber.
type LogUpdate struct {
	Entry LogEntry
	Lost  int // entries lost to this reader since the one before
}
