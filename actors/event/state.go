package event

import (
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/hashicorp/go-msgpack/v2/codec"
	"github.com/hashicorp/go-uuid"

	"github.com/actor-consul/consul/messages"
)

const (
	// ringSize is how many events are kept, as many as Consul keeps.
	ringSize = 256
	// version is that of the encoding.
	version = 1
)

// ring is the newest events, the oldest first. Its values are never changed, since
// they are published.
type ring struct{ events []messages.UserEvent }

// with returns the ring with one event more, and without the oldest if it was full.
func (r ring) with(e messages.UserEvent) ring {
	kept := r.events
	if len(kept) >= ringSize {
		kept = kept[len(kept)-ringSize+1:]
	}
	return ring{append(slices.Clip(slices.Clone(kept)), e)}
}

// handle has the settings of Consul's user events: the newer msgpack format, which
// tells text from bytes, and maps.
var handle = newHandle()

func newHandle() *codec.MsgpackHandle {
	h := &codec.MsgpackHandle{WriteExt: true}
	h.RawToString = true
	h.TypeInfos = codec.NewTypeInfos([]string{"codec"})
	h.MaxDepth = 16
	return h
}

func encode(e *messages.UserEvent) ([]byte, error) {
	var payload []byte
	err := codec.NewEncoderBytes(&payload, handle).Encode(e)
	return payload, err
}

// decode reads an event that came from the pool, where anybody may have made it.
func decode(payload []byte) (messages.UserEvent, error) {
	var e messages.UserEvent
	if err := codec.NewDecoderBytes(payload, handle).Decode(&e); err != nil {
		return e, err
	}
	if _, err := uuid.ParseUUID(e.ID); err != nil {
		return e, fmt.Errorf("its ID %.64q is no UUID", e.ID)
	}
	return e, nil
}

// check says what is wrong with an event that is to be fired, in Consul's words.
func check(e *messages.UserEvent) error {
	if e.Name == "" {
		return errors.New("User event missing name")
	}
	if e.TagFilter != "" && e.ServiceFilter == "" {
		return errors.New("Cannot provide tag filter without service filter")
	}
	_, err := compile(e)
	return err
}

// filters are the regular expressions of an event; nil matches all.
type filters struct{ node, service, tag *regexp.Regexp }

func compile(e *messages.UserEvent) (filters, error) {
	var f filters
	for _, c := range []struct {
		what, text string
		into       **regexp.Regexp
	}{{"node", e.NodeFilter, &f.node}, {"service", e.ServiceFilter, &f.service}, {"tag", e.TagFilter, &f.tag}} {
		if c.text == "" {
			continue
		}
		re, err := regexp.Compile(c.text)
		if err != nil {
			return f, fmt.Errorf("Invalid %s filter: %w", c.what, err)
		}
		*c.into = re
	}
	return f, nil
}

// concerns reports whether an event is for the node of that name with what is
// registered there.
func concerns(e *messages.UserEvent, node string, local *messages.LocalView) (bool, error) {
	f, err := compile(e)
	if err != nil {
		return false, err
	}
	if f.node != nil && !f.node.MatchString(node) {
		return false, nil
	}
	if f.service == nil {
		return true, nil
	}
	if local == nil {
		return false, nil
	}
	for _, s := range local.Services {
		if f.service.MatchString(s.Service) && (f.tag == nil || slices.ContainsFunc(s.Tags, f.tag.MatchString)) {
			return true, nil
		}
	}
	return false, nil
}
