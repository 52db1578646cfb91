package catalog

import (
	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/messages/wire"
)

// notice is what the FSM, on raft's goroutine, tells the actor. No notice leaves
// this package.
type notice interface{ isNotice() }

type (
	// entrySkipped is told once for each type.
	entrySkipped struct {
		Type   wire.MessageType
		Index  uint64
		Reason string
	}
	// entryUnreadable is told for each entry whose body is not what its type says.
	entryUnreadable struct {
		Type  wire.MessageType
		Index uint64
		Err   error
	}
	// restored is told when a snapshot has taken the place of the state.
	restored struct {
		Index   uint64
		Records int
		Skipped map[wire.MessageType]int // records of unknown types

		chunks chunks // that had not come whole
	}
	// stateBroken is told once: nothing more is applied.
	stateBroken struct {
		Type  wire.MessageType
		Index uint64
		Panic any
		Stack []byte
	}
)

func (*entrySkipped) isNotice()    {}
func (*entryUnreadable) isNotice() {}
func (*restored) isNotice()        {}
func (*stateBroken) isNotice()     {}

// report says where notices go; to nobody, if to is the zero address. What broke
// the state before there was anybody is told now.
func (f *FSM) report(to ask.Address) {
	f.to.Store(&to)
	if broken := f.broken.Load(); broken != nil {
		to.Tell(broken)
	}
}

func (f *FSM) tell(n notice) {
	if to := f.to.Load(); to != nil {
		to.Tell(n)
	}
}
