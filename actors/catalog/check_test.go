package catalog

import (
	"bytes"
	"strings"
	"testing"
)

func TestCheckSnapshot(t *testing.T) {
	a := filled(t)
	good := persist(t, a.FSM)
	tests := []struct {
		name, snapshot, want string
	}{
		{name: "good", snapshot: string(good)},
		{name: "cut_off", snapshot: string(good[:len(good)-1]), want: "record"},
		{name: "nothing", want: "header"},
		{name: "a_record_that_is_none", snapshot: string(good) + "\x00\xc1", want: "record"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := a.View()
			err := a.CheckSnapshot(strings.NewReader(tt.snapshot))
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("CheckSnapshot = %v, want %q", err, tt.want)
			}
			if a.View() != before {
				t.Error("the state has changed")
			}
			select {
			case <-before.Abandoned():
				t.Error("the state was abandoned")
			default:
			}
			if restored := restoreBytes(NewFSM(), []byte(tt.snapshot)); (restored == nil) != (err == nil) {
				t.Errorf("Restore = %v, and CheckSnapshot = %v", restored, err)
			}
		})
	}
	if !bytes.Equal(persist(t, a.FSM), good) {
		t.Error("the state has changed")
	}
}
