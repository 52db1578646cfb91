package subscribe

import (
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// message is a message of protobuf in the making.
type message []byte

// text appends a string. Clients refuse a whole message for one that is no UTF-8, such
// as the output of a check, so what is none in it is replaced.
func (m *message) text(field protowire.Number, s string) {
	if s != "" {
		m.anyText(field, s)
	}
}

func (m *message) anyText(field protowire.Number, s string) {
	*m = protowire.AppendTag(*m, field, protowire.BytesType)
	*m = protowire.AppendString(*m, strings.ToValidUTF8(s, "\uFFFD"))
}

// texts appends a list of strings, empty ones as well.
func (m *message) texts(field protowire.Number, all []string) {
	for _, s := range all {
		m.anyText(field, s)
	}
}

// number appends an integer of any width.
func (m *message) number(field protowire.Number, n uint64) {
	if n != 0 {
		m.anyNumber(field, n)
	}
}

func (m *message) anyNumber(field protowire.Number, n uint64) {
	*m = protowire.AppendTag(*m, field, protowire.VarintType)
	*m = protowire.AppendVarint(*m, n)
}

// int appends an int32. A negative one takes ten bytes, as if it were an int64.
func (m *message) int(field protowire.Number, n int) { m.number(field, uint64(int64(int32(n)))) }

func (m *message) flag(field protowire.Number, set bool) {
	if set {
		m.anyNumber(field, 1)
	}
}

// part appends a message within the message, even an empty one.
func (m *message) part(field protowire.Number, fill func(*message)) {
	*m = protowire.AppendTag(*m, field, protowire.BytesType)
	at := len(*m)
	fill(m)
	// Its length goes before it and is known only now.
	length := uint64(len(*m) - at)
	*m = slices.Insert(*m, at, make([]byte, protowire.SizeVarint(length))...)
	protowire.AppendVarint((*m)[:at], length)
}

// maybe is part for a message that says nothing when it is empty.
func (m *message) maybe(field protowire.Number, fill func(*message)) {
	before := len(*m)
	m.part(field, fill)
	if len(*m) == before+protowire.SizeTag(field)+1 {
		*m = (*m)[:before]
	}
}

// each appends a map, in the order of its keys, so that equal maps are equal bytes.
func each[V any](m *message, field protowire.Number, all map[string]V, value func(*message, V)) {
	for _, k := range slices.Sorted(maps.Keys(all)) {
		m.part(field, func(m *message) {
			m.text(1, k)
			value(m, all[k])
		})
	}
}

func (m *message) pairs(field protowire.Number, all map[string]string) {
	each(m, field, all, func(m *message, v string) { m.text(2, v) })
}
