package frame

import "fmt"

// Limits say how much a sender may send.
//
// Length alone would not do: decoding an empty map, which is one byte, may take the
// room of a large struct, several hundred bytes, and decoding any other byte that of
// a smaller one. Honest messages are far from that, since they spell out the name of
// each field.
type Limits struct {
	// Bytes is how long a body may be.
	Bytes int
	// BytesPerContainer is how many bytes there have to be for each array or map,
	// beyond some that are free.
	BytesPerContainer int
}

// RequestLimits bounds what a request of at most that many bytes takes when it is
// decoded to some 60 times its length.
func RequestLimits(bytes int) Limits { return Limits{Bytes: bytes, BytesPerContainer: 32} }

// ReplyLimits is RequestLimits for replies, which hold long lists of small things,
// such as the tags of every service.
func ReplyLimits(bytes int) Limits { return Limits{Bytes: bytes, BytesPerContainer: 8} }

const (
	freeContainers  = 16 << 10
	freeElements    = 16 << 10
	bytesPerElement = 2
)

// tally counts the elements of a value.
type tally struct {
	limits               Limits
	elements, containers int
}

func (t *tally) add(h holds) {
	t.elements++
	if h == array || h == maps {
		t.containers++
	}
}

// judge returns an error if the value has more parts than make sense for its length.
func (t *tally) judge(length int) error {
	if t.elements > freeElements+length/bytesPerElement || t.containers > freeContainers+length/t.limits.BytesPerContainer {
		return fmt.Errorf("%w: %d elements and %d arrays and maps in %d bytes", ErrTooLarge, t.elements, t.containers, length)
	}
	return nil
}
