package rpcclient

import (
	"context"
	"errors"
	"fmt"

	"github.com/actor-consul/consul/messages/agentrpc"
)

// Leave asks the agent to leave the cluster and to end, and returns nil once it
// has left. Each step of the leave is given to progress as it begins and as it
// ends; an agent of Consul does not tell them. With force, a server leaves
// although its cluster loses the quorum with it.
func (c *Client) Leave(force bool, progress func(agentrpc.LeaveRecord)) error {
	if err := c.call(agentrpc.LeaveProgress, &agentrpc.LeaveRequest{Force: force}, nil); err != nil {
		if errors.Is(err, ErrUnsupported) {
			return c.again(agentrpc.Leave)
		}
		return err
	}
	for {
		var r agentrpc.LeaveRecord
		if err := c.record(&r); err != nil {
			return fmt.Errorf("the agent was leaving: %w", err)
		}
		if r.End {
			return nil
		}
		if progress != nil {
			progress(r)
		}
	}
}

// Monitor gives the recent lines of the agent's log to line, and then each as it
// is written, until ctx ends (it then returns nil) or the agent does. The level,
// such as "debug", is that of the least important lines wanted. With json, lines
// are JSON objects; agents of Consul send text all the same.
//
// Neither the agent nor line is waited for by the other: when line is too slow,
// the agent leaves lines out and says how many. Afterwards the client is closed.
func (c *Client) Monitor(ctx context.Context, level string, json bool, line func(string)) error {
	stop := context.AfterFunc(ctx, func() { _ = c.conn.Close() })
	defer stop()
	err := c.call(agentrpc.Monitor, &agentrpc.MonitorRequest{LogLevel: level, JSON: json}, nil)
	for err == nil {
		var r agentrpc.LogRecord
		if err = c.record(&r); err == nil {
			line(r.Log)
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// record reads the next record of a stream.
func (c *Client) record(out any) error {
	refusal, err := c.header()
	if err != nil {
		return err
	}
	if refusal != nil {
		return refusal
	}
	return c.read(out)
}
