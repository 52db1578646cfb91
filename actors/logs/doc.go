// Package logs is the agent's log: the zap core that every line goes through,
// the actor that hands lines to whoever watches, and the bridges through which
// the libraries log.
//
//	any goroutine ──▶ zap core ──▶ sinks (terminal, log file) at the agent's level
//	serf, raft, slog ─┘   └─▶ queue ──▶ actor ──▶ http, rpc (monitors) at theirs
//
// NewLogger comes before any actor: it returns the root logger and its Control.
// A line is written to the sinks by the goroutine that logs it. The same line goes
// into a bounded queue, from which the actor fetches it; logging never waits for
// the actor, whether it is slow, dead or not there yet.
//
// The actor owns the recent entries (512, as Consul's own agent keeps) and the
// subscriptions. Everything at DEBUG and above is recent; a subscription may ask
// for TRACE too. A reader that is too slow loses entries and is told how many.
//
// A restart of the actor loses what was recent and closes the subscriptions, whose
// readers subscribe again. It loses no line that is still in the queue, none for
// the sinks, and not the level.
//
// What it does not do: it keeps no history on disk beyond the log file, speaks no
// syslog, and decides nothing about what is worth a line.
package logs
