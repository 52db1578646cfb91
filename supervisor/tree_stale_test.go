package supervisor

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/actor-consul/consul/messages"
)

func TestStateAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		time.Sleep(time.Hour)
		heard := func(ago time.Duration) *messages.RaftStatus {
			last := time.Now().Add(-ago)
			return &messages.RaftStatus{LastContact: func() time.Time { return last }}
		}
		leads := heard(0)
		leads.State = messages.Leader
		var copied, lost contact
		lost.note(errors.New("nobody there"), 7*time.Second)
		time.Sleep(time.Minute)
		lost.note(errors.New("nobody there"), 7*time.Second) // still
		for _, tc := range []struct {
			name   string
			status *messages.RaftStatus
			copied *contact
			want   time.Duration
		}{
			{"leader", leads, &copied, 0},
			{"follower", heard(3 * time.Second), &copied, 3 * time.Second},
			{"never_heard_of_a_leader", &messages.RaftStatus{LastContact: func() time.Time { return time.Time{} }}, &copied, time.Hour + time.Minute},
			{"raft_is_not_there_yet", &messages.RaftStatus{}, &copied, 0},
			{"client_that_is_told", nil, &copied, 0},
			{"client_that_is_not", nil, &lost, time.Minute + 7*time.Second},
		} {
			if got := stateAge(tc.status, tc.copied, began); got != tc.want {
				t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
			}
		}
		lost.note(nil, 0)
		if age := lost.age(); age != 0 {
			t.Errorf("told again: %s", age)
		}
	})
}
