package rpc

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"go.uber.org/zap/zapcore"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/agentrpc"
)

func entry(seq int, text string) messages.LogEntry {
	return messages.LogEntry{Seq: uint64(seq), Level: zapcore.InfoLevel, Logger: "serf", Text: text}
}

func update(seq int) messages.LogUpdate {
	return messages.LogUpdate{Entry: entry(seq, fmt.Sprint(seq))}
}

// subscription returns one with recent entries, and its other end. It has room
// for nothing: whoever sends knows that the entry has been taken.
func (s *stage) subscription(id int, recent ...messages.LogEntry) chan messages.LogUpdate {
	entries := make(chan messages.LogUpdate)
	s.subscriptions <- &messages.LogSubscription{ID: uint64(id), Recent: recent, Entries: entries}
	return entries
}

const prefix = "2015/01/01 00:00:00 [INFO] serf: "

func TestMonitor(t *testing.T) {
	s := newStage(t, nil)
	actortest.AwaitReady(t, s.parent)
	entries := s.subscription(7, entry(1, "recent"))
	c := s.shake(t)

	c.send(agentrpc.Monitor, &agentrpc.MonitorRequest{LogLevel: "INFO"})
	c.header("")
	const seq = 2
	if got := c.line(seq); got != prefix+"recent" {
		t.Errorf("%q", got)
	}
	entries <- update(2)
	if got := c.line(seq); got != prefix+"2" {
		t.Errorf("%q", got)
	}

	// Other commands are answered in between, and a second monitor is not to be had.
	c.send(agentrpc.Stats)
	c.header("")
	c.read(&map[string]map[string]string{})
	c.send(agentrpc.Monitor, &agentrpc.MonitorRequest{LogLevel: "INFO"})
	c.header(agentrpc.MonitorExists)

	// A stop of something else changes nothing.
	c.send(agentrpc.Stop, &agentrpc.StopRequest{Stop: 99})
	c.header("")
	entries <- messages.LogUpdate{Entry: entry(3, "3"), Lost: 2}
	if got := c.line(seq); got != "2015/01/01 00:00:00 [WARN] agent: 2 log lines were lost to this slow reader" {
		t.Errorf("%q", got)
	}
	if got := c.line(seq); got != prefix+"3" {
		t.Errorf("%q", got)
	}

	// After the stop there is room for a new one.
	c.send(agentrpc.Stop, &agentrpc.StopRequest{Stop: seq})
	c.header("")
	if got := actortest.Next[*messages.UnsubscribeLogs](t, s.logs); got.ID != 7 {
		t.Errorf("unsubscribed %d", got.ID)
	}
	s.subscription(8, entry(4, "as JSON"))
	c.send(agentrpc.Monitor, &agentrpc.MonitorRequest{LogLevel: "debug", JSON: true})
	c.header("")
	if got := c.line(c.seq); got != `{"@message":"as JSON"}` {
		t.Errorf("%q", got)
	}

	// The end of the connection ends the monitor.
	_ = c.Close()
	if got := actortest.Next[*messages.UnsubscribeLogs](t, s.logs); got.ID != 8 {
		t.Errorf("unsubscribed %d", got.ID)
	}
}

func TestMonitorWithoutLogs(t *testing.T) {
	s := newStage(t, nil)
	actortest.AwaitReady(t, s.parent)
	c := s.shake(t)
	c.send(agentrpc.Monitor, &agentrpc.MonitorRequest{LogLevel: "INFO"})
	c.header(messages.ErrUnavailable.Error())
	s.subscription(1)
	c.send(agentrpc.Monitor, &agentrpc.MonitorRequest{LogLevel: "INFO"})
	c.header("")
}

// TestMonitorOutlivesLogs restarts the log under a monitor, which goes on without
// losing a line and without telling one twice.
func TestMonitorOutlivesLogs(t *testing.T) {
	s := newStage(t, nil)
	actortest.AwaitReady(t, s.parent)
	before := s.subscription(1, entry(1, "1"), entry(2, "2"))
	after := s.subscription(2, entry(2, "2"), entry(3, "3"), entry(4, "4"))
	c := s.shake(t)
	c.send(agentrpc.Monitor, &agentrpc.MonitorRequest{LogLevel: "INFO"})
	c.header("")
	before <- update(3)
	close(before)
	after <- update(4) // on its way while the subscription was answered
	after <- update(5)
	for seq := 1; seq <= 5; seq++ {
		if got, want := c.line(c.seq), prefix+fmt.Sprint(seq); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	_ = c.Close()
	if got := actortest.Next[*messages.UnsubscribeLogs](t, s.logs); got.ID != 2 {
		t.Errorf("unsubscribed %d", got.ID)
	}
}

// TestSlowReader sends more than any buffer holds to a client that does not read.
// Every line is taken all the same, and the client can account for each when it
// reads again.
func TestSlowReader(t *testing.T) {
	s := newStage(t, nil)
	actortest.AwaitReady(t, s.parent)
	entries := s.subscription(1)
	c := s.shake(t)
	if err := c.Conn.(*net.TCPConn).SetReadBuffer(64 << 10); err != nil {
		t.Fatal(err)
	}
	c.send(agentrpc.Monitor, &agentrpc.MonitorRequest{LogLevel: "INFO"})
	c.header("")

	const total = 4000
	long := strings.Repeat("x", 8<<10)
	for seq := 1; seq <= total; seq++ {
		entries <- messages.LogUpdate{Entry: entry(seq, fmt.Sprintf("%d %s", seq, long))}
	}

	seen, lost, told := 0, 0, false
	for seen+lost < total {
		line := c.line(c.seq)
		var n int
		if _, err := fmt.Sscanf(line, "2015/01/01 00:00:00 [WARN] agent: %d log line", &n); err == nil {
			lost, told = lost+n, true
			continue
		}
		if _, err := fmt.Sscanf(line, prefix+"%d ", &n); err != nil {
			t.Fatalf("%.80q: %v", line, err)
		}
		if seen++; n != seen+lost {
			t.Fatalf("line %d is there after %d seen and %d lost", n, seen, lost)
		}
	}
	if !told {
		t.Error("the buffers of this machine hold it all; the test sends too little")
	}
}
