package subscribe

import (
	"encoding/hex"
	"reflect"
	"strings"
	"testing"
)

// TestRequest reads requests byte by byte. The tag of field n is 8n, and 2 more with a
// length.
func TestRequest(t *testing.T) {
	const (
		health  = "0801" // Topic
		token   = "1a0174"
		index   = "20ac02" // 300
		dc      = "2a03646332"
		old     = "12016b" + "3a0170" + "420172"                         // Key, Partition, PeerName
		named   = "520e" + "0a03776562" + "12016e" + "1a0170" + "220172" // NamedSubject
		all     = "4801"                                                 // WildcardSubject
		nothing = "4800"
	)
	for _, tt := range []struct {
		name, hex string
		want      Request
	}{
		{"named", health + named, Request{Topic: ServiceHealth, Key: "web", PeerName: "r"}},
		{"everything", "0802" + token + index + dc + named, Request{Topic: ServiceHealthConnect, Key: "web", PeerName: "r", Token: "t", Index: 300, Datacenter: "dc2"}},
		{"before_1.14", health + old, Request{Topic: ServiceHealth, Key: "k", PeerName: "r"}},
		{"both", health + old + named, Request{Topic: ServiceHealth, Key: "web", PeerName: "r"}},
		{"wildcard", "0807" + all, Request{Topic: ServiceList, Wildcard: true}},
		{"wildcard_after_named", "0807" + named + all, Request{Topic: ServiceList, Wildcard: true}},
		{"named_after_wildcard", health + all + named, Request{Topic: ServiceHealth, Key: "web", PeerName: "r"}},
		{"named_in_parts", health + "52050a03776562" + "5203220172", Request{Topic: ServiceHealth, Key: "web", PeerName: "r"}},
		{"no_wildcard", health + old + nothing, Request{Topic: ServiceHealth, Key: "k", PeerName: "r"}},
		{"fields_to_come", "a00601" + health + named + "a2060178" + "a1060000000000000000", Request{Topic: ServiceHealth, Key: "web", PeerName: "r"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, err := hex.DecodeString(tt.hex)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := ReadRequest(b); err != nil || !reflect.DeepEqual(*got, tt.want) {
				t.Errorf("%+v, %v, want %+v", got, err, tt.want)
			}
		})
	}
	for _, tt := range []struct{ name, hex, says string }{
		{"empty", "", "topic 0 is not served here"},
		{"config_entries", "0803" + all, "topic 3 is not served here"},
		{"unknown_topic", "08ffffffffffffffffff01" + named, "topic 18446744073709551615 is not served here"},
		{"no_key", health, "either WildcardSubject or NamedSubject.Key is required"},
		{"all_of_health", health + all, "topic ServiceHealth does not support wildcard subscriptions"},
		{"list_of_one", "0807" + named, "topic ServiceList can only be consumed using WildcardSubject"},
		{"cut_off", health + "520e0a", "cannot be read: unexpected EOF"},
		{"no_field", "00", "invalid field number"},
		{"endless_number", "08" + strings.Repeat("ff", 20), "variable length integer overflow"},
		{"no_utf8", "1a01ff", "cannot be read: a string is no UTF-8"},
		{"other_type", "1801", "cannot be read: a field has another type"},
		{"no_subject", "5001", "cannot be read: a field has another type"},
		{"end_of_no_group", "0c", "mismatching end group marker"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, err := hex.DecodeString(tt.hex)
			if err != nil {
				t.Fatal(err)
			}
			if r, err := ReadRequest(b); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%+v, %v, want %q", r, err, tt.says)
			}
		})
	}
}

// FuzzRequest reads whatever a client may send: it is understood, twice the same, or
// refused.
func FuzzRequest(f *testing.F) {
	for _, seed := range []string{
		"", "0801", "0801520e" + "0a03776562" + "12016e" + "1a0170" + "220172", "08074801", "0801" + "12016b" + "3a0170" + "420172",
		"08021a017420ac022a0364633252030a0177", "5205", "0b0c", "0b0b0c0c", "1a01ff", "08ffffffffffffffffff01", "4800",
	} {
		b, _ := hex.DecodeString(seed)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ReadRequest(b)
		again, errAgain := ReadRequest(b)
		if (err == nil) != (errAgain == nil) || !reflect.DeepEqual(r, again) {
			t.Errorf("%x: %+v, %v, then %+v, %v", b, r, err, again, errAgain)
		}
		if err == nil && (r.Wildcard == (r.Key != "") || len(r.Key)+len(r.Token)+len(r.Datacenter)+len(r.PeerName) > len(b)) {
			t.Errorf("%x: %+v", b, r)
		}
	})
}
