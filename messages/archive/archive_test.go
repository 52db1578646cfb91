package archive

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/hashicorp/raft"
)

// describe returns the description of a snapshot of state.
func describe(state []byte) *raft.SnapshotMeta {
	return &raft.SnapshotMeta{
		Version: 1, ID: "2-13-1602222343947", Index: 13, Term: 2, Size: int64(len(state)),
		Configuration: raft.Configuration{Servers: []raft.Server{
			{Suffrage: raft.Voter, ID: "a577b288-b354-770e-e909-da0972eb20e8", Address: "127.0.0.1:8300"},
		}},
		ConfigurationIndex: 1,
	}
}

// packed returns an archive of state.
func packed(t testing.TB, state []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, describe(state), bytes.NewReader(state)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// entry is a file of a tar that a test makes.
type entry struct {
	name    string
	content string
	kind    byte // 0: a plain file
}

// whole returns the files of a good archive.
func whole(t testing.TB, state string) (meta, bin, list entry) {
	t.Helper()
	text, err := json.Marshal(describe([]byte(state)))
	if err != nil {
		t.Fatal(err)
	}
	meta, bin = entry{name: MetaFile, content: string(text)}, entry{name: StateFile, content: state}
	return meta, bin, listOf(meta, bin)
}

// listOf returns the list of the sums of files.
func listOf(files ...entry) entry {
	list := entry{name: SumsFile}
	for _, f := range files {
		list.content += fmt.Sprintf("%x  %s\n", sha256.Sum256([]byte(f.content)), f.name)
	}
	return list
}

func tarred(t testing.TB, files ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{Name: f.name, Mode: 0o600, Size: int64(len(f.content)), Typeflag: f.kind}
		if f.kind != 0 && f.kind != tar.TypeReg {
			h.Linkname, h.Size, f.content = "/etc/passwd", 0, ""
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, f.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zipped(t testing.TB, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRoundTrip(t *testing.T) {
	for _, size := range []int{0, 1, 511, 512, 513, 1 << 20} {
		t.Run(fmt.Sprintf("%d_bytes", size), func(t *testing.T) {
			state := bytes.Repeat([]byte("consul "), size/7+1)[:size]
			var got bytes.Buffer
			meta, err := Read(iotest.OneByteReader(bytes.NewReader(packed(t, state))), &got, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(meta, describe(state)) || !bytes.Equal(got.Bytes(), state) {
				t.Errorf("read %+v with %d bytes", meta, got.Len())
			}
		})
	}
}

// TestFormat holds what other programs read: Consul's, tar(1) and sha256sum(1).
func TestFormat(t *testing.T) {
	zip, err := gzip.NewReader(bytes.NewReader(packed(t, []byte("state"))))
	if err != nil {
		t.Fatal(err)
	}
	content := map[string]string{}
	var names []string
	for r := tar.NewReader(zip); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Mode != 0o600 || h.Typeflag != tar.TypeReg || h.ModTime.Year() < 2000 {
			t.Errorf("%s: %+v", h.Name, h)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
		content[h.Name] = string(text)
	}
	if want := []string{"meta.json", "state.bin", "SHA256SUMS"}; !reflect.DeepEqual(names, want) {
		t.Errorf("files %v, want %v", names, want)
	}
	wantMeta := `{"Version":1,"ID":"2-13-1602222343947","Index":13,"Term":2,"Peers":null,` +
		`"Configuration":{"Servers":[{"Suffrage":0,"ID":"a577b288-b354-770e-e909-da0972eb20e8","Address":"127.0.0.1:8300"}]},` +
		`"ConfigurationIndex":1,"Size":5}` + "\n"
	if content[MetaFile] != wantMeta {
		t.Errorf("%s is\n%s, want\n%s", MetaFile, content[MetaFile], wantMeta)
	}
	want := listOf(entry{name: MetaFile, content: content[MetaFile]}, entry{name: StateFile, content: "state"}).content
	if content[SumsFile] != want {
		t.Errorf("%s is\n%s, want\n%s", SumsFile, content[SumsFile], want)
	}
}

func TestWriteRefuses(t *testing.T) {
	broken := errors.New("broken")
	tests := []struct {
		name  string
		size  int64
		state io.Reader
		to    io.Writer
		want  string
	}{
		{name: "a_state_that_is_too_short", size: 9, state: strings.NewReader("state"), want: "write state.bin: it ends after 5 of its 9 bytes"},
		{name: "a_state_that_is_too_long", size: 4, state: strings.NewReader("state"), want: "write state.bin: it goes on behind its 4 bytes"},
		{name: "a_state_that_cannot_be_read", size: 5, state: iotest.ErrReader(broken), want: "write state.bin: broken"},
		{name: "an_end_that_cannot_be_read", size: 5, state: io.MultiReader(strings.NewReader("state"), iotest.ErrReader(broken)), want: "write state.bin: broken"},
		{name: "a_negative_size", size: -1, state: strings.NewReader(""), want: "the archive makes no sense: meta.json: the size of state.bin is -1"},
		{name: "a_full_disk", size: 5, state: strings.NewReader("state"), to: fullDisk{}, want: "write meta.json: no space left"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.to == nil {
				tt.to = io.Discard
			}
			err := Write(tt.to, &raft.SnapshotMeta{Size: tt.size}, tt.state)
			if err == nil || err.Error() != tt.want {
				t.Errorf("Write = %v, want %s", err, tt.want)
			}
		})
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left") }

// TestReadTakes has archives that are not written as Write does, and are good.
func TestReadTakes(t *testing.T) {
	meta, state, list := whole(t, "state")
	spaced := entry{name: MetaFile, content: strings.Repeat(" ", 300) + meta.content + strings.Repeat("\n", 300)}
	listed := listOf(meta, state).content
	tests := []struct {
		name  string
		files []entry
		after string
	}{
		{name: "in_another_order", files: []entry{list, state, meta}},
		{name: "with_blanks_in_the_description", files: []entry{spaced, state, listOf(spaced, state)}},
		{name: "with_the_sums_in_another_order", files: []entry{meta, state, listOf(state, meta)}},
		{name: "with_sums_of_binary_files", files: []entry{meta, state, {name: SumsFile, content: strings.ReplaceAll(listed, "  ", " *")}}},
		{name: "with_other_ends_of_lines", files: []entry{meta, state, {name: SumsFile, content: strings.ReplaceAll(listed, "\n", "\r\n") + "\r\n"}}},
		{name: "with_the_padding_of_tar", files: []entry{meta, state, list}, after: strings.Repeat("\x00", 10240)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got bytes.Buffer
			archive := zipped(t, append(tarred(t, tt.files...), tt.after...))
			meta, err := Read(bytes.NewReader(archive), &got, Limits{})
			if err != nil || meta.Index != 13 || got.String() != "state" {
				t.Errorf("Read = %+v, %q, %v", meta, got.String(), err)
			}
		})
	}
}

func TestReadRefuses(t *testing.T) {
	meta, state, list := whole(t, "state")
	described := func(change func(*raft.SnapshotMeta)) []entry {
		m := describe([]byte("state"))
		change(m)
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		changed := entry{name: MetaFile, content: string(text)}
		return []entry{changed, state, listOf(changed, state)}
	}
	noJSON := entry{name: MetaFile, content: "{nope"}
	tests := []struct {
		name  string
		files []entry
		after string
		err   error
		want  string // in the text
	}{
		{name: "nothing", err: ErrMissing, want: "meta.json is missing"},
		{name: "no_description", files: []entry{state, list}, err: ErrMissing, want: "meta.json is missing"},
		{name: "no_state", files: []entry{meta, list}, err: ErrMissing, want: "state.bin is missing"},
		{name: "no_sums", files: []entry{meta, state}, err: ErrMissing, want: "SHA256SUMS is missing"},
		{name: "no_sum_of_the_state", files: []entry{meta, state, listOf(meta)}, err: ErrMissing, want: "SHA256SUMS has no sum of state.bin"},
		{name: "another_state", files: []entry{meta, {name: StateFile, content: "estat"}, list}, err: ErrDamaged, want: "the sum of state.bin is "},
		{name: "another_description", files: []entry{{name: MetaFile, content: meta.content + " "}, state, list}, err: ErrDamaged, want: "the sum of meta.json is "},
		{name: "a_sum_that_is_none", files: []entry{meta, state, {name: SumsFile, content: "zz  state.bin\n"}}, err: ErrDamaged, want: `SHA256SUMS has a line that is no sum: "zz  state.bin"`},
		{name: "a_sum_of_something_else", files: []entry{meta, state, listOf(meta, state, entry{name: "nope"})}, err: ErrUnexpected, want: `SHA256SUMS has a sum of a file "nope"`},
		{name: "another_file", files: []entry{meta, state, list, {name: "nope"}}, err: ErrUnexpected, want: `"nope"`},
		{name: "a_file_elsewhere", files: []entry{meta, state, list, {name: "../../etc/passwd", content: "x"}}, err: ErrUnexpected, want: `"../../etc/passwd"`},
		{name: "a_name_that_steers_a_terminal", files: []entry{{name: "\x1b[2J"}}, err: ErrUnexpected, want: `"\x1b[2J"`},
		{name: "a_link", files: []entry{meta, {name: StateFile, kind: tar.TypeSymlink}, list}, err: ErrUnexpected, want: "a state.bin that is no plain file"},
		{name: "a_hard_link", files: []entry{{name: MetaFile, kind: tar.TypeLink}}, err: ErrUnexpected, want: "a meta.json that is no plain file"},
		{name: "a_device", files: []entry{{name: SumsFile, kind: tar.TypeBlock}}, err: ErrUnexpected, want: "a SHA256SUMS that is no plain file"},
		{name: "a_file_twice", files: []entry{meta, state, state, list}, err: ErrUnexpected, want: "a second state.bin"},
		{name: "something_behind_the_tar", files: []entry{meta, state, list}, after: "x", err: ErrUnexpected, want: "data behind the end of the tar"},
		{name: "too_many_zeros_behind_the_tar", files: []entry{meta, state, list}, after: strings.Repeat("\x00", 2<<20), err: ErrUnexpected, want: "behind the end of the tar"},
		{name: "a_description_that_is_too_large", files: []entry{{name: MetaFile, content: strings.Repeat(" ", 1<<20+1)}}, err: ErrTooLarge, want: "meta.json has 1048577 bytes, and 1048576 are allowed"},
		{name: "sums_that_are_too_large", files: []entry{{name: SumsFile, content: strings.Repeat("\n", 4<<10+1)}}, err: ErrTooLarge, want: "SHA256SUMS has 4097 bytes"},
		{name: "a_description_that_is_no_json", files: []entry{noJSON, state, listOf(noJSON, state)}, err: ErrNonsense, want: "meta.json: invalid character"},
		{name: "another_size", files: described(func(m *raft.SnapshotMeta) { m.Size = 6 }), err: ErrNonsense, want: "meta.json says that state.bin has 6 bytes, and it has 5"},
		{name: "a_version_to_come", files: described(func(m *raft.SnapshotMeta) { m.Version = 9 }), err: ErrNonsense, want: "version 9 of raft's snapshots is not known here"},
		{name: "an_index_that_leaves_no_room", files: described(func(m *raft.SnapshotMeta) { m.Index = math.MaxUint64 }), err: ErrNonsense, want: "no cluster has come to index 18446744073709551615"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			archive := zipped(t, append(tarred(t, tt.files...), tt.after...))
			meta, err := Verify(bytes.NewReader(archive), Limits{})
			if meta != nil || !errors.Is(err, tt.err) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Verify = %+v, %v; want %v with %q", meta, err, tt.err, tt.want)
			}
		})
	}
}

// TestReadRefusesWhatIsNoArchive has the texts that Consul answers with.
func TestReadRefusesWhatIsNoArchive(t *testing.T) {
	for text, want := range map[string]string{
		"":                           "failed to decompress snapshot: EOF",
		"foo":                        "failed to decompress snapshot: unexpected EOF",
		"this is certainly no gzip ": "failed to decompress snapshot: gzip: invalid header",
	} {
		if _, err := Verify(strings.NewReader(text), Limits{}); !errors.Is(err, ErrNotArchive) || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func TestReadHasLimits(t *testing.T) {
	archive := packed(t, make([]byte, 1<<20))
	if _, err := Verify(bytes.NewReader(archive), Limits{State: 1 << 20}); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	_, err := Verify(bytes.NewReader(archive), Limits{State: 1<<20 - 1})
	if !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), "state.bin has 1048576 bytes, and 1048575 are allowed") {
		t.Errorf("above the limit: %v", err)
	}
}

func TestReadTellsWhoFailed(t *testing.T) {
	archive, broken := packed(t, []byte("state")), errors.New("broken")
	for at := range archive {
		_, err := Verify(io.MultiReader(bytes.NewReader(archive[:at]), iotest.ErrReader(broken)), Limits{})
		if !errors.Is(err, broken) {
			t.Fatalf("a source that breaks at byte %d: %v", at, err)
		}
	}
	if _, err := Read(bytes.NewReader(archive), fullDisk{}, Limits{}); err == nil || err.Error() != "state.bin: no space left" {
		t.Errorf("a full disk: %v", err)
	}
}

// stateBin is a state of all that msgpack knows, with keys.
func stateBin() []byte {
	var b bytes.Buffer
	b.WriteString("\x81\xa9LastIndex\xcd\x02\x00")
	record := func(t byte, fields ...string) {
		b.WriteByte(t)
		b.WriteByte(0x80 | byte(len(fields)/2))
		for i := 0; i < len(fields); i += 2 {
			b.WriteByte(0xa0 | byte(len(fields[i])))
			b.WriteString(fields[i] + fields[i+1])
		}
	}
	key := func(s string) string { return "\xd9" + string(rune(len(s))) + s }
	record(0, "Node", "\xa1n", "Tags", "\x92\xa1a\xc0", "Meta", "\xde\x00\x01\xa1k\xda\x00\x01v")
	record(2, "Value", "\xda\x00\x03abc", "Key", key("a/b/c"), "Flags", "\xcf\x00\x00\x00\x00\x00\x00\x00\x07")
	record(2, "Key", key("a/b/d"), "Session", "\xdb\x00\x00\x00\x01s")
	record(2, "Key", key("z"), "Value", "\xc4\x02xy")
	record(9, "True", "\xc3", "False", "\xc2", "Small", "\x05", "Below", "\xff", "Int", "\xd1\xff\x00", "Float", "\xca0000", "Double", "\xcb00000000")
	record(16, "Ext", "\xc7\x02t12", "Fixed", "\xd8t0123456789012345", "List", "\xdc\x00\x02\x01\x02", "Bin", "\xc5\x00\x01x", "Long", "\xdd\x00\x00\x00\x01\x01", "Map", "\xdf\x00\x00\x00\x01\xa1k\x01")
	b.WriteString("\x40\x93\x01\x02\x03") // of a type that nobody knows
	return b.Bytes()
}

func TestInspect(t *testing.T) {
	state := stateBin()
	tests := []struct {
		name string
		keys *KeyOptions
		want string
	}{
		{name: "without_keys", want: ""},
		{name: "two_deep", keys: &KeyOptions{Depth: 2}, want: "a/b×2 z×1"},
		{name: "one_deep", keys: &KeyOptions{Depth: 1}, want: "a×2 z×1"},
		{name: "all_as_one", keys: &KeyOptions{}, want: "×3"},
		{name: "each", keys: &KeyOptions{Depth: 99}, want: "a/b/c×1 a/b/d×1 z×1"},
		{name: "some", keys: &KeyOptions{Depth: 99, Prefix: "a/b/"}, want: "a/b/c×1 a/b/d×1"},
		{name: "none", keys: &KeyOptions{Depth: 1, Prefix: "b"}, want: ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			meta, s, err := Inspect(bytes.NewReader(packed(t, state)), tt.keys, Limits{})
			if err != nil || meta.Index != 13 || s.LastIndex != 512 || s.Size != int64(len(state)) {
				t.Fatalf("Inspect = %+v, %+v, %v", meta, s, err)
			}
			counts, sum := map[byte]int{}, int64(0)
			for _, u := range s.Types {
				counts[u.Type] = u.Count
				sum += u.Size
			}
			if want := map[byte]int{0: 1, 2: 3, 9: 1, 16: 1, 64: 1}; !reflect.DeepEqual(counts, want) {
				t.Errorf("types %v, want %v", counts, want)
			}
			if header := int64(14); sum != s.Size-header {
				t.Errorf("the records have %d bytes, want all %d but the header", sum, s.Size)
			}
			var keys []string
			sum = 0
			for _, u := range s.Keys {
				keys = append(keys, fmt.Sprintf("%s×%d", u.Prefix, u.Count))
				sum += u.Size
			}
			if got := strings.Join(keys, " "); got != tt.want || sum != s.KeySize {
				t.Errorf("keys %q of %d bytes, want %q of %d", got, sum, tt.want, s.KeySize)
			}
		})
	}
}

func TestInspectRefuses(t *testing.T) {
	const header = "\x81\xa9LastIndex\x07"
	long := make([]byte, 5)
	long[0] = 0xdb
	binary.BigEndian.PutUint32(long[1:], math.MaxUint32)
	tests := []struct{ name, state, want string }{
		{name: "nothing", want: "the header: it ends in the middle of a value"},
		{name: "a_header_that_is_no_map", state: "\x93", want: "the header: it is no map"},
		{name: "a_header_without_a_number", state: "\x81\xa9LastIndex\xa1x", want: "the header: no number begins with the byte 0xa1"},
		{name: "a_value_that_ends", state: header + "\x00\x81\xa1", want: "record 0, at byte 12: it ends in the middle of a value"},
		{name: "a_type_without_a_value", state: header + "\x00", want: "record 0, at byte 12: it ends in the middle of a value"},
		{name: "a_text_as_long_as_can_be", state: header + "\x00" + string(long), want: "it ends in the middle of a value"},
		{name: "a_list_as_long_as_can_be", state: header + "\x00\xdd\xff\xff\xff\xff", want: "it ends in the middle of a value"},
		{name: "a_byte_that_means_nothing", state: header + "\x00\xc1", want: "no value begins with the byte 0xc1"},
		{name: "lists_without_end", state: header + "\x00" + strings.Repeat("\x91", 1000), want: "it is nested more than 128 deep"},
		{name: "no_key", state: header + "\x02\x80", want: "it has no Key"},
		{name: "a_key_that_is_a_number", state: header + "\x02\x81\xa3Key\x07", want: "no text begins with the byte 0x7"},
		{name: "a_key_as_long_as_can_be", state: header + "\x02\x81\xa3Key" + string(long), want: "a text has 4294967295 bytes"},
		{name: "a_record_that_is_a_key", state: header + "\x02\xa3Key", want: "it is no map"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := Inspect(bytes.NewReader(packed(t, []byte(tt.state))), &KeyOptions{Depth: 2}, Limits{})
			if !errors.Is(err, ErrNonsense) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Inspect = %v, want %q", err, tt.want)
			}
		})
	}
}

// TestInspectTellsDamageFirst: a state that makes no sense because the archive is
// damaged is a damaged archive.
func TestInspectTellsDamageFirst(t *testing.T) {
	meta, state, list := whole(t, string(stateBin()))
	state.content = "\xc1" + state.content[1:]
	_, _, err := Inspect(bytes.NewReader(zipped(t, tarred(t, meta, state, list))), nil, Limits{})
	if !errors.Is(err, ErrDamaged) {
		t.Errorf("Inspect = %v, want %v", err, ErrDamaged)
	}
}
