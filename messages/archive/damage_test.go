package archive

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"math/rand/v2"
	"reflect"
	"runtime"
	"testing"

	"github.com/hashicorp/raft"
)

// incompressible returns bytes that gzip leaves as long as they are.
func incompressible(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// refused reports whether an error is one of the reasons to refuse an archive, and
// not something that went wrong on the way.
func refused(err error) bool {
	for _, reason := range []error{ErrNotArchive, ErrTruncated, ErrDamaged, ErrMissing, ErrUnexpected, ErrTooLarge, ErrNonsense} {
		if errors.Is(err, reason) {
			return true
		}
	}
	return false
}

// TestDamageIsFound flips bits in every byte of an archive: it is refused, or what
// comes out of it is what went in. Nobody notices what has no meaning: the rest of
// gzip's header, such as the time, and bits with which deflate fills up a byte.
func TestDamageIsFound(t *testing.T) {
	for name, state := range map[string][]byte{"small": stateBin(), "incompressible": incompressible(800)} {
		t.Run(name, func(t *testing.T) {
			archive := packed(t, state)
			whole := unpacked(t, archive)
			for at := range archive {
				for _, flip := range []byte{0x01, 0x80} {
					harmed := bytes.Clone(archive)
					harmed[at] ^= flip
					var got bytes.Buffer
					meta, err := Read(bytes.NewReader(harmed), &got, Limits{})
					switch {
					case err == nil && (!reflect.DeepEqual(meta, describe(state)) || !bytes.Equal(got.Bytes(), state)):
						t.Fatalf("byte %d flipped by %#x: something else was read", at, flip)
					case err == nil && at >= gzipHeader && !bytes.Equal(unpacked(t, harmed), whole):
						t.Errorf("byte %d flipped by %#x went unnoticed", at, flip)
					case err == nil:
					case !refused(err):
						t.Fatalf("byte %d flipped by %#x: %v", at, flip, err)
					}
				}
			}
		})
	}
}

// gzipHeader is how long the header of our archives is (RFC 1952, 2.3).
const gzipHeader = 10

// unpacked returns what gzip makes of an archive.
func unpacked(t *testing.T, archive []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestTruncationIsFound cuts an archive off at every 512 bytes, and at every byte
// of its end.
func TestTruncationIsFound(t *testing.T) {
	archive := packed(t, incompressible(20<<10))
	cuts := []int{1, 9, 10, 11}
	for at := 0; at < len(archive); at += 512 {
		cuts = append(cuts, at)
	}
	for at := len(archive) - 100; at < len(archive); at++ {
		cuts = append(cuts, at)
	}
	for _, at := range cuts {
		_, err := Verify(bytes.NewReader(archive[:at]), Limits{})
		if want := ErrTruncated; at >= 10 && !errors.Is(err, want) || at < 10 && !errors.Is(err, ErrNotArchive) {
			t.Fatalf("cut off at byte %d of %d: %v", at, len(archive), err)
		}
	}
	if _, err := Verify(bytes.NewReader(append(archive, 0)), Limits{}); !errors.Is(err, ErrUnexpected) {
		t.Errorf("with a byte too many: %v", err)
	}
	if _, err := Verify(bytes.NewReader(append(archive[:len(archive)-1:len(archive)-1], archive...)), Limits{}); err == nil {
		t.Error("two archives, one after the other, were taken")
	}
}

// TestBombIsRefusedEarly reads an archive whose state is all zeros, far more than
// the limit, from a source that would go on for very long.
func TestBombIsRefusedEarly(t *testing.T) {
	r, w := io.Pipe()
	wrote := make(chan struct{})
	go func() {
		defer close(wrote)
		Write(w, &raft.SnapshotMeta{Size: 1 << 40}, zeros{}) //nolint:errcheck // the reader goes away
	}()
	_, err := Verify(r, Limits{State: 1 << 30})
	if !errors.Is(err, ErrTooLarge) {
		t.Errorf("Verify = %v, want %v", err, ErrTooLarge)
	}
	r.Close()
	<-wrote
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// allocated returns how many bytes are allocated while do runs.
func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// FuzzRead reads whatever somebody may send as an archive. What is read can be written
// and read again; the state goes through, and is not kept.
func FuzzRead(f *testing.F) {
	good := packed(f, stateBin())
	meta, state, list := whole(f, "state")
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte("foo"))
	f.Add(zipped(f, tarred(f, meta, state)))
	f.Add(zipped(f, tarred(f, list, state, meta)))
	f.Add(zipped(f, tarred(f, meta, state, list, entry{name: "../x", content: "x"})))
	f.Add(zipped(f, []byte("no tar")))
	f.Fuzz(func(t *testing.T, archive []byte) {
		var got bytes.Buffer
		limits := Limits{State: 1 << 20}
		var meta *raft.SnapshotMeta
		var err error
		n := allocated(func() { meta, err = Read(bytes.NewReader(archive), &got, limits) })
		if n > 8<<20+100*uint64(len(archive)) {
			t.Errorf("an archive of %d bytes allocates %d", len(archive), n)
		}
		if err != nil {
			return
		}
		if int64(got.Len()) != meta.Size {
			t.Fatalf("%d bytes came of an archive of %d", got.Len(), meta.Size)
		}
		if _, err := Verify(bytes.NewReader(rewritten(t, meta, got.Bytes())), limits); err != nil {
			t.Fatalf("what was read cannot be written and read again: %v", err)
		}
		_, _, _ = Inspect(bytes.NewReader(archive), &KeyOptions{Depth: 2}, limits)
	})
}

func rewritten(t *testing.T, meta *raft.SnapshotMeta, state []byte) []byte {
	var b bytes.Buffer
	if err := Write(&b, meta, bytes.NewReader(state)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// FuzzInspectState goes to the records past the sums, which a fuzzer does not find.
func FuzzInspectState(f *testing.F) {
	f.Add(stateBin())
	f.Add([]byte("\x81\xa9LastIndex\x07\x02\x81\xa3Key\xa1k"))
	f.Add([]byte("\x80\x00\xdd\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, state []byte) {
		var s *Summary
		var err error
		if n := allocated(func() { s, err = InspectState(bytes.NewReader(state), &KeyOptions{Depth: 1}) }); n > 4<<20+200*uint64(len(state)) {
			t.Errorf("a state of %d bytes allocates %d", len(state), n)
		}
		if err != nil {
			return
		}
		if s.Size != int64(len(state)) {
			t.Fatalf("%d of %d bytes were counted", s.Size, len(state))
		}
	})
}
