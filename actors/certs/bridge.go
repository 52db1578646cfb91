package certs

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/actor-consul/consul/messages"
)

// bridge reads files, on goroutines of its own, and tells the actor what is in them.
type bridge struct {
	root *actor.RootContext
	self *actor.PID
}

// loading is a load that is to be done.
type loading struct {
	number int
	config messages.TLSConfig
	asked  *messages.LoadCertificates
	rules  rules
}

func (b bridge) load(l loading) {
	done := &loaded{number: l.number, config: l.config, asked: l.asked}
	rpc, err := read(l.config.RPC)
	if err == nil {
		var https *material
		if https, err = read(l.config.HTTPS); err == nil {
			done.set, done.odd, err = judge(rpc, https, l.rules, time.Now())
		}
	}
	done.err = err
	b.root.Send(b.self, done)
}
