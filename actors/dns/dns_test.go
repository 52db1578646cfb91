package dns

import (
	"slices"
	"strings"
	"testing"

	"github.com/actor-consul/consul/messages/wire"
)

// population is the catalog of most tests.
func population() []*wire.RegisterRequest {
	return []*wire.RegisterRequest{
		node("Armons-MacBook-Air", "10.1.10.38"),
		service("Armons-MacBook-Air", "consul", 8300),
	}
}

func TestAnswers(t *testing.T) {
	s := newStage(t, nil).put(t, population()...).open(t)
	for _, tc := range []struct {
		name, question string
		how            how
		want           []string
	}{
		{"page", "Armons-MacBook-Air.node.consul A", how{}, []string{"NOERROR aa", "Armons-MacBook-Air.node.consul. 0 IN A 10.1.10.38"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			name, qtype, _ := strings.Cut(tc.question, " ")
			if got := show(s.ask(t, tc.how, name, qtype)); !slices.Equal(got, tc.want) {
				t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(tc.want, "\n\t"))
			}
		})
	}
}
