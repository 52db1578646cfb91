package serverrpc

import (
	"net"
	"testing"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/actors/serverrpc/client"
	"github.com/actor-consul/consul/messages"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSmoke(t *testing.T) {
	_ = zap.NewNop
	sys := actortest.System(t)
	var bound messages.Published[net.Addr]
	_, parent := actortest.Parent(t, sys, New(Config{
		Logger: zaptest.NewLogger(t), Addr: "127.0.0.1:0", Datacenter: "dc1",
		Status: new(messages.Published[messages.RaftStatus]), Bound: &bound,
	}), Name)
	actortest.AwaitReady(t, parent)
	p := client.NewPool(client.Config{Logger: zaptest.NewLogger(t)})
	defer p.Close()
	for range 3 {
		if err := p.Ping(t.Context(), (*bound.Load()).String()); err != nil {
			t.Fatal(err)
		}
	}
	_, err := p.AskPeers(t.Context(), (*bound.Load()).String())
	t.Logf("%T %v", err, err)
}
