package wire

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-msgpack/v2/codec"
)

// TestDecodeRefusesWhatCannotBeShown: one value that JSON cannot show would make every
// list that has it an error.
func TestDecodeRefusesWhatCannotBeShown(t *testing.T) {
	far := time.Date(12345, 1, 1, 0, 0, 0, 0, time.UTC)
	tests := []struct {
		name string
		in   any
		out  any
		want string // part of the error; empty: it is taken
	}{
		{name: "time", in: map[string]any{"NotAfter": far}, out: new(CARoot), want: "a time is in the year 12345"},
		{name: "in_a_list", in: []any{map[string]any{"NotBefore": far}}, out: new([]*CARoot), want: "a time is in the year 12345"},
		{name: "good_time", in: map[string]any{"NotAfter": time.Unix(1, 0)}, out: new(CARoot)},
		{name: "no_number", in: map[string]any{"Config": map[string]any{"x": []any{math.Inf(1)}}}, out: new(ConnectProxyConfig), want: "a number is +Inf"},
		{name: "number", in: map[string]any{"Config": map[string]any{"x": []any{1.5}}}, out: new(ConnectProxyConfig)},
		{name: "nothing_of_the_kind", in: map[string]any{"Key": "k"}, out: new(DirEntry)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b []byte
			if err := codec.NewEncoderBytes(&b, Handle).Encode(tt.in); err != nil {
				t.Fatal(err)
			}
			err := Decode(b, 1<<20, tt.out)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("err = %v, want %q", err, tt.want)
			}
		})
	}
}
