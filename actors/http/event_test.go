package http

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	consul "github.com/hashicorp/consul/api"

	"github.com/actor-consul/consul/messages"
)

const eventID = "01020304-0506-0708-0000-0000000000ff"

// happened publishes events of those names, and returns what tells of newer ones.
func (s *stage) happened(names ...string) chan struct{} {
	changed := make(chan struct{})
	view := &messages.EventView{Changed: changed}
	for i, name := range names {
		view.Events = append(view.Events, messages.UserEvent{ID: eventID, Name: name, Version: 1, LTime: uint64(i + 1)})
	}
	s.events.Publish(view)
	return changed
}

// firing has the event actor accept events, or refuse them.
func (s *stage) firing(fault error) {
	s.answers["event"] = func(ctx actor.Context) bool {
		msg, ok := ctx.Message().(*messages.FireEvent)
		if ok {
			s.firedIn = msg.Datacenter
			e := msg.Event
			e.ID, e.Version = eventID, 1
			msg.Settle(e, fault)
		}
		return ok
	}
}

func TestEventFire(t *testing.T) {
	tests := []struct {
		name, target, body string
		fault              error
		status             int
		dc                 string // whose event it is; empty: ours
		want               string
	}{
		{name: "to_all", target: "deploy", status: 200, want: `{"ID":"` + eventID + `","Name":"deploy","Payload":null,"NodeFilter":"","ServiceFilter":"","TagFilter":"","Version":1,"LTime":0}`},
		{name: "to_some", target: "deploy?node=n&service=s&tag=t&dc=dc1", body: "payload", status: 200,
			want: `{"ID":"` + eventID + `","Name":"deploy","Payload":"cGF5bG9hZA==","NodeFilter":"n","ServiceFilter":"s","TagFilter":"t","Version":1,"LTime":0}`},
		{name: "no_name", status: 400, want: "Missing name"},
		{name: "refused", target: "e", fault: errors.New("User event is too long"), status: 500, want: "User event is too long"},
		{name: "elsewhere", target: "deploy?dc=dc2", status: 200, dc: "dc2", want: `{"ID":"` + eventID + `","Name":"deploy","Payload":null,"NodeFilter":"","ServiceFilter":"","TagFilter":"","Version":1,"LTime":0}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newStage(t)
			s.firing(tt.fault)
			got := call(s.api(t), "PUT", "/v1/event/fire/"+tt.target, tt.body)
			if got.Code != tt.status || got.Body.String() != tt.want {
				t.Errorf("%d %s\nwant %d %s", got.Code, got.Body, tt.status, tt.want)
			}
			if dc := cmp.Or(tt.dc, "dc1"); got.Code == http.StatusOK && s.firedIn != dc {
				t.Errorf("fired in %q, want %q", s.firedIn, dc)
			}
		})
	}
}

func TestEventList(t *testing.T) {
	s := newStage(t)
	a := s.api(t)
	if got := call(a, "GET", "/v1/event/list", ""); got.Code != http.StatusServiceUnavailable {
		t.Errorf("before the actor is there: %d %s", got.Code, got.Body)
	}
	s.happened("a", "b", "a")
	newest := fmt.Sprint(uint64(0x0102030405060708) ^ 0xff)
	tests := []struct {
		name, target  string
		status, items int
		index         string
	}{
		{name: "all", status: 200, items: 3, index: newest},
		{name: "some", target: "?name=a", status: 200, items: 2, index: newest},
		{name: "none", target: "?name=x", status: 200, index: "1"},
		{name: "news", target: "?index=5", status: 200, items: 3, index: newest},
		{name: "no_news_in_time", target: "?name=x&index=1&wait=1ms", status: 200, index: "1"},
		{name: "odd_index", target: "?index=x", status: 400},
		{name: "odd_wait", target: "?index=1&wait=x", status: 400},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := call(a, "GET", "/v1/event/list"+tt.target, "")
			if n := strings.Count(got.Body.String(), `"ID"`); got.Code != tt.status || n != tt.items || got.Header().Get("X-Consul-Index") != tt.index {
				t.Errorf("%d, %d events, index %s; want %d, %d, %s", got.Code, n, got.Header().Get("X-Consul-Index"), tt.status, tt.items, tt.index)
			}
		})
	}
}

// TestEventWait waits for an event of one name while others come.
func TestEventWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		a := s.api(t)
		changed := s.happened("other")
		begun, got := time.Now(), make(chan string, 1)
		go func() { got <- call(a, "GET", "/v1/event/list?name=a&index=1", "").Body.String() }()
		time.Sleep(time.Minute)
		next := s.happened("other", "other")
		close(changed)
		time.Sleep(time.Minute)
		s.happened("other", "other", "a")
		close(next)
		if body := <-got; time.Since(begun) != 2*time.Minute || !strings.Contains(body, `"Name":"a"`) {
			t.Errorf("after %s: %s", time.Since(begun), body)
		}
	})
}

func TestOfficialEventClient(t *testing.T) {
	s := newStage(t)
	s.firing(nil)
	s.happened("a")
	events := official(t, s).Event()
	if id, _, err := events.Fire(&consul.UserEvent{Name: "a", Payload: []byte("x")}, nil); err != nil || id != eventID {
		t.Errorf("fire: %s, %v", id, err)
	}
	list, meta, err := events.List("a", nil)
	if err != nil || len(list) != 1 || meta.LastIndex != events.IDToIndex(eventID) {
		t.Errorf("list: %+v, %+v, %v", list, meta, err)
	}
}
