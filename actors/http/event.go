package http

import (
	"encoding/binary"
	"net/http"
	"strconv"
	"time"

	"github.com/hashicorp/go-uuid"

	"github.com/actor-consul/consul/actors/ask"
	"github.com/actor-consul/consul/messages"
	"github.com/actor-consul/consul/messages/wire"
)

// The routes below /v1/event: https://developer.hashicorp.com/consul/api-docs/event.

// maxEventWait is how long a wait for events may last.
const maxEventWait = 10 * time.Minute

// eventFire spreads an event in a datacenter; the body is its payload.
func eventFire(r *request) (*answer, error) {
	if r.tail == "" {
		return nil, missing("name")
	}
	e := messages.UserEvent{
		Name: r.tail, NodeFilter: r.param("node"), ServiceFilter: r.param("service"), TagFilter: r.param("tag"),
	}
	if len(r.body) > 0 {
		e.Payload = r.body
	}
	fired, err := ask.Do(r.Context(), r.api.cfg.Event, &messages.FireEvent{Event: e, Datacenter: r.datacenter()})
	if err != nil {
		return nil, err
	}
	return with(fired), nil
}

// eventList answers with the newest events, and waits for others when the client
// has seen these.
func eventList(r *request) (*answer, error) {
	var opts wire.QueryOptions
	if err := r.waiting(&opts); err != nil {
		return nil, err
	}
	wait := opts.MaxQueryTime
	if wait <= 0 {
		wait = maxEventWait
	}
	late := time.NewTimer(min(wait, maxEventWait))
	defer late.Stop()
	for {
		view := r.api.cfg.Events.Load()
		if view == nil {
			return nil, messages.ErrUnavailable
		}
		events := named(view.Events, r.param("name"))
		index := eventIndex(events)
		ans := with(events)
		ans.header = http.Header{"X-Consul-Index": {strconv.FormatUint(index, 10)}}
		if index != opts.MinQueryIndex { // it goes up and down, so only the very same one is no news
			return ans, nil
		}
		select {
		case <-view.Changed:
		case <-late.C:
			return ans, nil
		case <-r.api.leaving.Done():
			return ans, nil
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
}

// named returns the events of that name, or all when there is none.
func named(events []messages.UserEvent, name string) []messages.UserEvent {
	if name == "" {
		return orEmpty(events)
	}
	found := []messages.UserEvent{}
	for _, e := range events {
		if e.Name == name {
			found = append(found, e)
		}
	}
	return found
}

// eventIndex returns what stands for the index of a list of events: the two halves
// of the newest one's ID, XORed. It is never 0, which would ask for no wait.
func eventIndex(events []messages.UserEvent) uint64 {
	if len(events) == 0 {
		return 1
	}
	id, err := uuid.ParseUUID(events[len(events)-1].ID)
	if err != nil {
		return 1
	}
	return max(binary.BigEndian.Uint64(id[:8])^binary.BigEndian.Uint64(id[8:]), 1)
}
