package ask_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/actor-consul/consul/actors/actortest"
	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/messages"
)

// double is a request of this test.
type double struct {
	messages.Asked[int]
	n int
}

// parrot answers, answers twice, refuses or says nothing, by the number.
func parrot() actor.Actor {
	return actor.ReceiveFunc(func(ctx actor.Context) {
		d, ok := ctx.Message().(*double)
		if !ok {
			return
		}
		switch d.n {
		case 1:
			d.Answer(2)
		case 2:
			d.Answer(4)
			d.Answer(5)
		case 3:
			d.Refuse(messages.ErrOverloaded)
		}
	})
}

func TestDo(t *testing.T) {
	tests := []struct {
		name string
		n    int
		want int
		err  error
	}{
		{name: "answered", n: 1, want: 2},
		{name: "second_answer_is_dropped", n: 2, want: 4},
		{name: "refused", n: 3, err: messages.ErrOverloaded},
		{name: "never_answered", n: 4, err: context.DeadlineExceeded},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sys := actortest.System(t)
				to := actortest.Spawn(t, sys, parrot, "parrot")
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				got, err := ask.Do(ctx, to, &double{n: tt.n})
				if got != tt.want || !errors.Is(err, tt.err) {
					t.Errorf("Do = %d, %v; want %d, %v", got, err, tt.want, tt.err)
				}
			})
		})
	}
}

func TestNobodyThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sys := actortest.System(t)
		for name, to := range map[string]ask.Address{
			"no_address":    {},
			"never_spawned": ask.At(sys, sys.NewLocalPID("ghost")),
		} {
			if _, err := ask.Do(t.Context(), to, &double{n: 1}); !errors.Is(err, messages.ErrUnavailable) {
				t.Errorf("%s: err = %v, want %v", name, err, messages.ErrUnavailable)
			}
		}
	})
}
