package rpc

import (
	"fmt"

	"github.com/actor-consul/consul/messages"
)

// work counts the commands that are being answered, and knows when a drain is
// done. The zero value has none.
type work struct {
	inFlight int
	awaited  int              // how many there were when the drain began
	step     *messages.StepID // of the drain that waits; nil: none
}

// began counts a command.
func (w *work) began() { w.inFlight++ }

// ended takes a command off the count and returns the answer of the drain that
// waited for it, if there is one.
func (w *work) ended() *messages.StepDone {
	w.inFlight--
	return w.settle()
}

// drain returns the answer when there is nothing to wait for. Otherwise ended
// will: for the newest step, should several be asked for.
func (w *work) drain(step messages.StepID) *messages.StepDone {
	w.step, w.awaited = &step, w.inFlight
	return w.settle()
}

func (w *work) settle() *messages.StepDone {
	if w.step == nil || w.inFlight > 0 {
		return nil
	}
	done := &messages.StepDone{Step: *w.step, Note: "no command was under way"}
	if w.awaited > 0 {
		done.Note = fmt.Sprintf("answered %s", count(w.awaited, "command"))
	}
	w.step = nil
	return done
}

// count writes n of a thing, with the thing in the plural where it belongs.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
