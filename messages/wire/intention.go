package wire

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/consul/api"
)

// Intention says whether one service may connect to another. It is one source of a
// config entry of the kind service-intentions, which has the name of the destination.
type Intention = api.Intention

// ServiceIntentions is the config entry of a destination.
type ServiceIntentions = api.ServiceIntentionsConfigEntry

// IntentionKind is the kind of the config entries that hold intentions.
const IntentionKind = api.ServiceIntentions

// The faults of intentions. Clients match the texts.
var (
	// ErrIntentionNotFound is returned for an ID that nobody has.
	ErrIntentionNotFound = errors.New("Intention not found")
	errIntentionMoves    = errors.New("Cannot modify DestinationName for an intention once it exists.")
	errNoSourceName      = errors.New("SourceName must be set")
	errNoTarget          = errors.New("DestinationName must be set")
	errIntentionAction   = errors.New("Action must be set to 'allow' or 'deny'")
)

// defaultNamespace is the only one of Consul's community edition.
const defaultNamespace = "default"

// ParseServiceName reads the name of a service, which may have the default namespace
// before it.
func ParseServiceName(text string) (string, error) {
	parts := strings.Split(text, "/")
	switch {
	case text == "" || len(parts) > 2:
		return "", fmt.Errorf("%q is no name of a service", text)
	case len(parts) == 2 && parts[0] != defaultNamespace:
		return "", fmt.Errorf("Invalid namespace %q: Namespaces are a Consul Enterprise feature", parts[0])
	}
	return parts[len(parts)-1], nil
}

// Intentions returns what entries say: those of greater precedence first.
func Intentions(entries []ConfigEntry) []*Intention {
	list := []*Intention{}
	for _, entry := range entries {
		e, ok := entry.(*ServiceIntentions)
		if !ok {
			continue
		}
		for _, s := range e.Sources {
			list = append(list, intention(e, s))
		}
	}
	slices.SortStableFunc(list, func(a, b *Intention) int {
		return cmp.Or(cmp.Compare(b.Precedence, a.Precedence),
			cmp.Compare(a.DestinationName, b.DestinationName), cmp.Compare(a.SourceName, b.SourceName))
	})
	return list
}

func intention(e *ServiceIntentions, s *api.SourceIntention) *Intention {
	i := &Intention{
		ID: s.LegacyID, Description: s.Description, Action: s.Action, Permissions: s.Permissions,
		SourceNS: defaultNamespace, SourceName: s.Name, SourcePartition: defaultNamespace, SourceType: s.Type, SourcePeer: s.Peer,
		DestinationNS: defaultNamespace, DestinationName: e.Name, DestinationPartition: defaultNamespace,
		Precedence: s.Precedence, Meta: e.Meta, CreateIndex: e.CreateIndex, ModifyIndex: e.ModifyIndex,
	}
	if s.LegacyID != "" {
		i.Meta = s.LegacyMeta
	}
	if s.LegacyCreateTime != nil {
		i.CreatedAt = *s.LegacyCreateTime
	}
	if s.LegacyUpdateTime != nil {
		i.UpdatedAt = *s.LegacyUpdateTime
	}
	return i
}

// IntentionsFor returns the intentions of which one decides about connections from a
// source, or to a destination; "" is any.
func IntentionsFor(all []*Intention, source, destination string) []*Intention {
	return slices.DeleteFunc(slices.Clone(all), func(i *Intention) bool {
		return source != "" && i.SourceName != source && i.SourceName != WildcardName ||
			destination != "" && i.DestinationName != destination && i.DestinationName != WildcardName
	})
}

// MayConnect returns whether a source may connect to a destination, and the intention
// that says so. Without one everybody may, as without ACLs. An intention that looks
// into requests allows none as a whole.
func MayConnect(all []*Intention, source, destination string) (bool, *Intention) {
	found := IntentionsFor(all, source, destination)
	if len(found) == 0 {
		return true, nil
	}
	return found[0].Action == api.IntentionActionAllow, found[0]
}

// SetIntention returns the entry of the destination with an intention in it, for the
// one that has its ID, or else its source. was is the entry as it is, nil for none,
// and stays so.
func SetIntention(was *ServiceIntentions, i *Intention, now time.Time) (*ServiceIntentions, error) {
	switch {
	case i.SourceName == "":
		return nil, errNoSourceName
	case i.DestinationName == "":
		return nil, errNoTarget
	case i.Action != api.IntentionActionAllow && i.Action != api.IntentionActionDeny && len(i.Permissions) == 0:
		return nil, errIntentionAction
	}
	e := &ServiceIntentions{Kind: IntentionKind, Name: i.DestinationName}
	if was != nil {
		e = ownEntry(was)
	}
	s := &api.SourceIntention{
		Name: i.SourceName, Action: i.Action, Permissions: i.Permissions, Type: i.SourceType, Description: i.Description,
	}
	at := slices.IndexFunc(e.Sources, func(s *api.SourceIntention) bool {
		if i.ID != "" {
			return s.LegacyID == i.ID
		}
		return s.Name == i.SourceName
	})
	if i.ID != "" {
		s.LegacyID, s.LegacyMeta, s.LegacyCreateTime, s.LegacyUpdateTime = i.ID, i.Meta, &now, &now
		if at >= 0 {
			s.LegacyCreateTime = e.Sources[at].LegacyCreateTime
		}
	}
	for other, o := range e.Sources {
		if other != at && o.Name == i.SourceName {
			return nil, fmt.Errorf("duplicate intention found: %s", i)
		}
	}
	if at < 0 {
		e.Sources = append(e.Sources, s)
	} else {
		e.Sources[at] = s
	}
	return e, nil
}

// RemoveIntention returns the entry without the intention that has an ID, or, when
// that is empty, a source.
func RemoveIntention(was *ServiceIntentions, id, source string) *ServiceIntentions {
	e := ownEntry(was)
	e.Sources = slices.DeleteFunc(e.Sources, func(s *api.SourceIntention) bool {
		if id != "" {
			return s.LegacyID == id
		}
		return s.Name == source
	})
	return e
}

// ownEntry returns a copy of an entry of the state, with sources that are nobody
// else's: they are filled in before they are written.
func ownEntry(was *ServiceIntentions) *ServiceIntentions {
	e := *was
	e.Sources = make([]*api.SourceIntention, len(was.Sources))
	for i, s := range was.Sources {
		own := *s
		e.Sources[i] = &own
	}
	return &e
}

// FindIntention returns the entry that has the intention with an ID.
func FindIntention(entries []ConfigEntry, id string) (*ServiceIntentions, error) {
	for _, entry := range entries {
		e, ok := entry.(*ServiceIntentions)
		if ok && slices.ContainsFunc(e.Sources, func(s *api.SourceIntention) bool { return s.LegacyID == id }) {
			return e, nil
		}
	}
	return nil, ErrIntentionNotFound
}

// CheckDestination says whether an intention that is set by its ID stays where it is.
func CheckDestination(was *ServiceIntentions, i *Intention) error {
	if i.DestinationName != was.Name {
		return errIntentionMoves
	}
	return nil
}
