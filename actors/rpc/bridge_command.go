package rpc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/agentrpc"
)

// How long an answer of another actor is waited for: one that it can give at
// once, and one that it has to get from other agents first.
const (
	quick   = 10 * time.Second
	patient = 5 * time.Minute
)

// none is the body of a request or an answer that has none.
type none struct{}

// serveRequest answers one request. The connection ends with an error.
func (c *conn) serveRequest(h agentrpc.RequestHeader) error {
	if !c.shaken && h.Command != agentrpc.Handshake {
		return c.refuse(h, agentrpc.HandshakeRequired)
	}
	do := c.srv.do
	switch h.Command {
	case agentrpc.Handshake:
		return c.handshake(h)
	case agentrpc.MembersLAN:
		return serve(c, h, quick, do.membersLAN)
	case agentrpc.MembersWAN:
		return serve(c, h, quick, do.membersWAN)
	case agentrpc.Join:
		return serve(c, h, patient, do.join)
	case agentrpc.ForceLeave:
		return serve(c, h, patient, do.forceLeave)
	case agentrpc.Stats:
		return serve(c, h, quick, do.stats)
	case agentrpc.Reload:
		return serve(c, h, patient, do.reload)
	case agentrpc.ReloadReport:
		return serve(c, h, patient, do.reloadReport)
	case agentrpc.Actors:
		return serve(c, h, quick, do.actors)
	case agentrpc.InstallKey:
		return serve(c, h, patient, do.keyring(messages.InstallKey))
	case agentrpc.UseKey:
		return serve(c, h, patient, do.keyring(messages.UseKey))
	case agentrpc.RemoveKey:
		return serve(c, h, patient, do.keyring(messages.RemoveKey))
	case agentrpc.ListKeys:
		return c.listKeys(h)
	case agentrpc.Monitor:
		return c.startMonitor(h)
	case agentrpc.Stop:
		return c.stopMonitor(h)
	case agentrpc.Leave:
		return c.leave(h)
	case agentrpc.LeaveProgress:
		return c.leaveProgress(h)
	default:
		return c.refuse(h, agentrpc.UnsupportedCommand)
	}
}

// refuse answers a request of which it is not known where it ends.
func (c *conn) refuse(h agentrpc.RequestHeader, why string) error {
	if err := c.reply(h.Seq, errors.New(why)); err != nil {
		return err
	}
	return fmt.Errorf("%w: %.32q: %s", errRefused, h.Command, why)
}

func (c *conn) handshake(h agentrpc.RequestHeader) error {
	var q agentrpc.HandshakeRequest
	if err := c.body(&q); err != nil {
		return err
	}
	switch {
	case q.Version != agentrpc.Version:
		return c.reply(h.Seq, errors.New(agentrpc.UnsupportedVersion))
	case c.shaken:
		return c.reply(h.Seq, errors.New(agentrpc.DuplicateHandshake))
	default:
		c.shaken = true
		return c.reply(h.Seq, nil)
	}
}

// serve reads the body of a request, has it done, and answers.
func serve[Q, A any](c *conn, h agentrpc.RequestHeader, patience time.Duration, do func(context.Context, Q) (A, error)) error {
	var q Q
	if _, bare := any(q).(none); !bare {
		if err := c.body(&q); err != nil {
			return err
		}
	}
	return answer(c, h, patience, q, do)
}

// answer has a request done and answers it. A body is sent with an error as well.
func answer[Q, A any](c *conn, h agentrpc.RequestHeader, patience time.Duration, q Q, do func(context.Context, Q) (A, error)) error {
	c.srv.tell(&commandBegan{c.srv})
	defer c.srv.tell(&commandEnded{c.srv})
	a, err := attempt(c, patience, q, do)
	if _, bare := any(a).(none); bare {
		return c.reply(h.Seq, err)
	}
	return c.reply(h.Seq, err, a)
}

func attempt[Q, A any](c *conn, patience time.Duration, q Q, do func(context.Context, Q) (A, error)) (A, error) {
	if c.srv.draining.Err() != nil {
		var no A
		return no, messages.ErrLeaving
	}
	ctx, cancel := context.WithTimeout(c.ctx, patience)
	defer cancel()
	return do(ctx, q)
}

func (c *conn) listKeys(h agentrpc.RequestHeader) error {
	var q agentrpc.KeyringRequest
	if err := c.optionalBody(&q); err != nil {
		return err
	}
	return answer(c, h, patient, q, c.srv.do.keyring(messages.ListKeys))
}

// leave serves the leave of Consul, which is answered when the agent has left.
func (c *conn) leave(h agentrpc.RequestHeader) error {
	begun, err := c.beginLeave(false)
	if err != nil {
		return c.reply(h.Seq, err)
	}
	defer begun.Heard()
	if err := c.passOn(begun.Progress, func(messages.LeaveProgress) error { return nil }); err != nil {
		return err
	}
	return c.reply(h.Seq, nil)
}

// leaveProgress serves the leave that is told step by step.
func (c *conn) leaveProgress(h agentrpc.RequestHeader) error {
	var q agentrpc.LeaveRequest
	if err := c.body(&q); err != nil {
		return err
	}
	begun, err := c.beginLeave(q.Force)
	if err != nil {
		return c.reply(h.Seq, err)
	}
	defer begun.Heard()
	if err := c.reply(h.Seq, nil); err != nil {
		return err
	}
	err = c.passOn(begun.Progress, func(p messages.LeaveProgress) error {
		return c.reply(h.Seq, nil, leaveRecord(p))
	})
	if err != nil {
		return err
	}
	return c.reply(h.Seq, nil, agentrpc.LeaveRecord{End: true})
}

func (c *conn) beginLeave(force bool) (messages.LeaveBegun, error) {
	ctx, cancel := context.WithTimeout(c.ctx, quick)
	defer cancel()
	return ask.Do(ctx, c.srv.cfg.Leave, &messages.BeginLeave{Why: "consul leave", Force: force})
}

// passOn gives each line of a leave to tell, until the leave is done.
func (c *conn) passOn(progress <-chan messages.LeaveProgress, tell func(messages.LeaveProgress) error) error {
	for {
		select {
		case p, more := <-progress:
			if !more {
				return nil
			}
			if err := tell(p); err != nil {
				return err
			}
		case <-c.ctx.Done():
			return c.ctx.Err()
		}
	}
}
