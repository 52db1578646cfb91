package subscribe

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// Topic is what a subscription is about.
type Topic uint64

// The topics that there are here. The others of Consul's are config entries, which only
// its servers subscribe to, at themselves.
const (
	ServiceHealth        Topic = 1
	ServiceHealthConnect Topic = 2
	ServiceList          Topic = 7
)

// String implements fmt.Stringer.
func (t Topic) String() string {
	switch t {
	case ServiceHealth:
		return "ServiceHealth"
	case ServiceHealthConnect:
		return "ServiceHealthConnect"
	case ServiceList:
		return "ServiceList"
	default:
		return fmt.Sprint(uint64(t))
	}
}

// Request is a SubscribeRequest. Namespaces and partitions are left out, which there
// are none of.
type Request struct {
	Topic      Topic
	Key        string // the service
	PeerName   string // that it is imported from
	Wildcard   bool   // everything of the topic, instead of the key
	Token      string
	Index      uint64 // what the client has seen; 0: nothing
	Datacenter string
}

// ReadRequest decodes a request.
func ReadRequest(b []byte) (*Request, error) {
	r := new(Request)
	var oldKey, oldPeer string // agents before Consul 1.14 name the subject so
	err := fields(b, func(n protowire.Number, v value) error {
		switch n {
		case 1:
			return v.number((*uint64)(&r.Topic))
		case 2:
			return v.text(&oldKey)
		case 3:
			return v.text(&r.Token)
		case 4:
			return v.number(&r.Index)
		case 5:
			return v.text(&r.Datacenter)
		case 8:
			return v.text(&oldPeer)
		case 9:
			r.Key, r.PeerName = "", "" // of the two, the last one counts
			return v.flag(&r.Wildcard)
		case 10:
			r.Wildcard = false
			return v.subject(r)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("a SubscribeRequest that cannot be read: %w", err)
	}
	if r.Key == "" && !r.Wildcard {
		r.Key, r.PeerName = oldKey, oldPeer
	}
	return r, r.check()
}

// check says what is wrong with a request that could be read.
func (r *Request) check() error {
	switch {
	case r.Topic != ServiceHealth && r.Topic != ServiceHealthConnect && r.Topic != ServiceList:
		return fmt.Errorf("topic %s is not served here", r.Topic)
	case r.Topic == ServiceList && !r.Wildcard:
		return errors.New("topic ServiceList can only be consumed using WildcardSubject")
	case r.Topic != ServiceList && r.Wildcard:
		return fmt.Errorf("topic %s does not support wildcard subscriptions", r.Topic)
	case r.Topic != ServiceList && r.Key == "":
		return errors.New("either WildcardSubject or NamedSubject.Key is required")
	default:
		return nil
	}
}

// value is that of a field.
type value struct {
	kind   protowire.Type
	bytes  []byte
	varint uint64
}

func (v value) number(to *uint64) error {
	if v.kind != protowire.VarintType {
		return errOtherType
	}
	*to = v.varint
	return nil
}

func (v value) flag(to *bool) error {
	var n uint64
	err := v.number(&n)
	*to = n != 0
	return err
}

func (v value) text(to *string) error {
	switch {
	case v.kind != protowire.BytesType:
		return errOtherType
	case !utf8.Valid(v.bytes):
		return errNoUTF8
	}
	*to = string(v.bytes)
	return nil
}

// subject reads a NamedSubject.
func (v value) subject(r *Request) error {
	if v.kind != protowire.BytesType {
		return errOtherType
	}
	return fields(v.bytes, func(n protowire.Number, v value) error {
		switch n {
		case 1:
			return v.text(&r.Key)
		case 4:
			return v.text(&r.PeerName)
		}
		return nil
	})
}

var (
	// errOtherType is returned for a field that has another type than it should.
	errOtherType = errors.New("a field has another type")
	// errNoUTF8 is returned for a string that is none.
	errNoUTF8 = errors.New("a string is no UTF-8")
)

// fields calls read with the fields of a message, one after the other.
func fields(b []byte, read func(protowire.Number, value) error) error {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		v := value{kind: kind}
		switch kind {
		case protowire.VarintType:
			v.varint, n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			v.bytes, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(number, kind, b)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		if err := read(number, v); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}
