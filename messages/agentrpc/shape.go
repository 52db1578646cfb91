package agentrpc

// A shape says how an element of msgpack goes on after its first byte.
//
// Source: https://github.com/msgpack/msgpack/blob/master/spec.md
type shape struct {
	invalid bool
	length  int // bytes of the number that follows; 0: none
	each    int // bytes for each that the number counts
	bytes   int // bytes besides
	inside  int // elements inside; with a number, for each that it counts
}

// shapes has the shape of every first byte.
var shapes = newShapes()

func newShapes() (s [256]shape) {
	// 0x00 to 0x7f and 0xe0 to 0xff are small numbers; nil and the booleans are a
	// byte as well. The zero shape is right for all of them.
	for n := range 16 {
		s[0x80+n] = shape{inside: 2 * n} // fixmap
		s[0x90+n] = shape{inside: n}     // fixarray
	}
	for n := range 32 {
		s[0xa0+n] = shape{bytes: n} // fixstr
	}
	s[0xc1] = shape{invalid: true}
	for i, size := range []int{1, 2, 4} {
		s[0xc4+i] = shape{length: size, each: 1}           // bin
		s[0xc7+i] = shape{length: size, each: 1, bytes: 1} // ext: a type as well
		s[0xd9+i] = shape{length: size, each: 1}           // str
	}
	s[0xca], s[0xcb] = shape{bytes: 4}, shape{bytes: 8} // float
	for i, size := range []int{1, 2, 4, 8} {
		s[0xcc+i] = shape{bytes: size} // uint
		s[0xd0+i] = shape{bytes: size} // int
	}
	for i, size := range []int{1, 2, 4, 8, 16} {
		s[0xd4+i] = shape{bytes: 1 + size} // fixext
	}
	for i, size := range []int{2, 4} {
		s[0xdc+i] = shape{length: size, inside: 1} // array
		s[0xde+i] = shape{length: size, inside: 2} // map
	}
	return s
}
