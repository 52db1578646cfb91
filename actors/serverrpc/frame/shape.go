package frame

// What an element of msgpack holds.
type holds byte

const (
	raw     holds = iota // bytes, if anything
	array                // elements
	maps                 // pairs of elements
	invalid              // it is no element
)

// A shape says how an element of msgpack goes on after its first byte: with a
// number of size bytes, if there is a size, that counts what the element holds;
// otherwise that is count. Bytes it holds are extra more.
//
// Source: https://github.com/msgpack/msgpack/blob/master/spec.md
type shape struct {
	holds holds
	size  int
	count int
	extra int
}

// shapes has the shape of every first byte.
var shapes = newShapes()

func newShapes() (s [256]shape) {
	// 0x00 to 0x7f and 0xe0 to 0xff are small numbers; nil and the booleans are a
	// byte as well. The zero shape is right for all of them.
	for n := range 16 {
		s[0x80+n] = shape{holds: maps, count: n}
		s[0x90+n] = shape{holds: array, count: n}
	}
	for n := range 32 {
		s[0xa0+n] = shape{count: n} // short text
	}
	s[0xc1] = shape{holds: invalid}
	for i, size := range []int{1, 2, 4} {
		s[0xc4+i] = shape{size: size}           // bytes
		s[0xc7+i] = shape{size: size, extra: 1} // an extension has a type
		s[0xd9+i] = shape{size: size}           // text
	}
	s[0xca], s[0xcb] = shape{count: 4}, shape{count: 8} // floats
	for i, size := range []int{1, 2, 4, 8} {
		s[0xcc+i] = shape{count: size} // unsigned
		s[0xd0+i] = shape{count: size} // signed
	}
	for i, size := range []int{1, 2, 4, 8, 16} {
		s[0xd4+i] = shape{count: size, extra: 1} // extensions
	}
	for i, size := range []int{2, 4} {
		s[0xdc+i] = shape{holds: array, size: size}
		s[0xde+i] = shape{holds: maps, size: size}
	}
	return s
}
