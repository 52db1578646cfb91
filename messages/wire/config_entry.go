package wire

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/hashicorp/consul/api"
	"github.com/hashicorp/go-msgpack/v2/codec"
)

// ConfigEntry is what somebody has set for a service mesh: how services are reached,
// routed and let in. It is kept for those who act upon it, under its kind and name.
// Its fields are those of Consul's client, which are the same that servers have.
type ConfigEntry = api.ConfigEntry

// NewConfigEntry returns an entry of a kind, which is empty but for its name.
func NewConfigEntry(kind, name string) (ConfigEntry, error) { return api.MakeConfigEntry(kind, name) }

// DecodeConfigEntry reads an entry from JSON.
func DecodeConfigEntry(text []byte) (ConfigEntry, error) { return api.DecodeConfigEntryFromJSON(text) }

// SetConfigEntryIndex sets the indexes of an entry that nobody else has yet.
func SetConfigEntryIndex(e ConfigEntry, index RaftIndex) {
	fields := reflect.ValueOf(e).Elem()
	fields.FieldByName("CreateIndex").SetUint(index.CreateIndex)
	fields.FieldByName("ModifyIndex").SetUint(index.ModifyIndex)
}

// ConfigEntryOp is what to do with an entry.
type ConfigEntryOp string

// The operations on entries. Those that end in cas are done only if the ModifyIndex
// is the current one, 0 if there is none yet.
const (
	ConfigEntryUpsert    ConfigEntryOp = "upsert"
	ConfigEntryUpsertCAS ConfigEntryOp = "upsert-cas"
	ConfigEntryDelete    ConfigEntryOp = "delete"
	ConfigEntryDeleteCAS ConfigEntryOp = "delete-cas"
)

// ConfigEntryRequest sets or deletes an entry. It is a log entry of type
// ConfigEntryRequestType, and what a snapshot has of an entry.
type ConfigEntryRequest struct {
	Op         ConfigEntryOp
	Datacenter string
	Entry      ConfigEntry
	WriteRequest
}

// RequestDatacenter implements Request.
func (r *ConfigEntryRequest) RequestDatacenter() string { return r.Datacenter }

// ErrNoConfigEntry is returned for a request about a config entry that has none.
var ErrNoConfigEntry = errors.New("there is no config entry in the request")

// MarshalBinary implements encoding.BinaryMarshaler: the kind comes first, so that
// the reader knows the type of what follows.
func (r *ConfigEntryRequest) MarshalBinary() ([]byte, error) {
	if r.Entry == nil {
		return nil, ErrNoConfigEntry
	}
	type plain ConfigEntryRequest
	return encodeAll(r.Entry.GetKind(), (*plain)(r))
}

// UnmarshalBinary implements encoding.BinaryUnmarshaler.
func (r *ConfigEntryRequest) UnmarshalBinary(data []byte) error {
	type plain ConfigEntryRequest
	dec, err := newDecoder(data)
	if err != nil {
		return err
	}
	entry, kind, err := decodeKind(dec)
	if err != nil {
		return err
	}
	r.Entry = entry
	if err := dec.Decode((*plain)(r)); err != nil {
		return err
	}
	if r.Entry == nil { // now, or from the beginning
		return ErrNoConfigEntry
	}
	return ofKind(r.Entry, kind)
}

// ConfigEntryQuery asks for one entry, or for all of a kind.
type ConfigEntryQuery struct {
	Kind       string
	Name       string
	Datacenter string
	QueryOptions
}

// RequestDatacenter implements Request.
func (r *ConfigEntryQuery) RequestDatacenter() string { return r.Datacenter }

// ConfigEntryResponse answers ConfigEntry.Get. Entry is nil if there is none.
type ConfigEntryResponse struct {
	Entry ConfigEntry
	QueryMeta
}

// MarshalBinary implements encoding.BinaryMarshaler; see ConfigEntryRequest.
func (r *ConfigEntryResponse) MarshalBinary() ([]byte, error) {
	if r.Entry == nil {
		return encodeAll("", &r.QueryMeta)
	}
	return encodeAll(r.Entry.GetKind(), r.Entry, &r.QueryMeta)
}

// UnmarshalBinary implements encoding.BinaryUnmarshaler.
func (r *ConfigEntryResponse) UnmarshalBinary(data []byte) error {
	dec, err := newDecoder(data)
	if err != nil {
		return err
	}
	entry, kind, err := decodeKind(dec)
	if err != nil {
		return err
	}
	if entry != nil {
		if err := dec.Decode(entry); err != nil {
			return err
		}
		if err := ofKind(entry, kind); err != nil {
			return err
		}
		r.Entry = entry
	}
	return dec.Decode(&r.QueryMeta)
}

// IndexedConfigEntries answers ConfigEntry.List. All entries are of the Kind.
type IndexedConfigEntries struct {
	Kind    string
	Entries []ConfigEntry
	QueryMeta
}

// MarshalBinary implements encoding.BinaryMarshaler; see ConfigEntryRequest.
func (r *IndexedConfigEntries) MarshalBinary() ([]byte, error) {
	parts := []any{len(r.Entries), r.Kind}
	for _, e := range r.Entries {
		parts = append(parts, e)
	}
	return encodeAll(append(parts, &r.QueryMeta)...)
}

// UnmarshalBinary implements encoding.BinaryUnmarshaler.
func (r *IndexedConfigEntries) UnmarshalBinary(data []byte) error {
	dec, err := newDecoder(data)
	if err != nil {
		return err
	}
	var n int
	if err := dec.Decode(&n); err != nil {
		return err
	}
	if err := dec.Decode(&r.Kind); err != nil {
		return err
	}
	if n < 0 || n > len(data) { // each takes a byte at least
		return fmt.Errorf("%d config entries in %d bytes", n, len(data))
	}
	for range n {
		e, err := NewConfigEntry(r.Kind, "")
		if err != nil {
			return err
		}
		if err := dec.Decode(e); err != nil {
			return err
		}
		if err := ofKind(e, r.Kind); err != nil {
			return err
		}
		r.Entries = append(r.Entries, e)
	}
	return dec.Decode(&r.QueryMeta)
}

// ConfigEntryDeleteResponse answers ConfigEntry.Delete.
type ConfigEntryDeleteResponse struct {
	Deleted bool
}

// encodeAll returns values as msgpack, one after the other.
func encodeAll(values ...any) ([]byte, error) {
	var data []byte
	enc := codec.NewEncoderBytes(&data, Handle)
	for _, v := range values {
		if err := enc.Encode(v); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// newDecoder returns a decoder for values one after the other, if all of them are
// there and they are not made of next to nothing.
func newDecoder(data []byte) (*codec.Decoder, error) {
	if err := skipAll(data); err != nil {
		return nil, err
	}
	return codec.NewDecoderBytes(data, Handle), nil
}

// decodeKind reads a kind and returns an entry of it to decode into, nil for none.
func decodeKind(dec *codec.Decoder) (e ConfigEntry, kind string, err error) {
	if err := dec.Decode(&kind); err != nil || kind == "" {
		return nil, "", err
	}
	e, err = NewConfigEntry(kind, "")
	return e, kind, err
}

// ofKind returns an error unless an entry says the kind that it was sent as: it would
// be judged as the one, and kept as the other.
func ofKind(e ConfigEntry, kind string) error {
	if e.GetKind() != kind {
		return fmt.Errorf("a config entry of the kind %q says that it is of the kind %q", kind, e.GetKind())
	}
	return nil
}
