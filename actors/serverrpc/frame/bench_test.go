package frame_test

import (
	"bytes"
	"testing"

	"github.com/actor-consul/consul/actors/serverrpc/frame"
	"github.com/actor-consul/consul/messages/wire"
)

// BenchmarkBody measures what finding the end of a reply costs, beside decoding it.
func BenchmarkBody(b *testing.B) {
	var reply wire.IndexedCheckServiceNodes
	for range 1000 {
		reply.Nodes = append(reply.Nodes, wire.CheckServiceNode{
			Node: &wire.Node{Node: "n", Address: "10.0.0.1"}, Service: &wire.NodeService{ID: "s", Service: "s"},
			Checks: wire.HealthChecks{{Node: "n", CheckID: "c"}, {Node: "n", CheckID: "d"}},
		})
	}
	text, err := frame.Marshal(&frame.Response{}, &reply)
	if err != nil {
		b.Fatal(err)
	}
	read := func(b *testing.B) (*frame.Reader, []byte) {
		r := frame.NewReader(bytes.NewReader(text), frame.ReplyLimits(64<<20))
		if err := r.Header(new(frame.Response)); err != nil {
			b.Fatal(err)
		}
		body, err := r.Body()
		if err != nil {
			b.Fatal(err)
		}
		return r, body
	}
	b.Run("read", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			read(b)
		}
	})
	b.Run("read_and_decode", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			r, body := read(b)
			if err := r.Decode(body, new(wire.IndexedCheckServiceNodes)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
