package dns

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

// TestSeats has clients come, ask and be answered, and says who goes.
func TestSeats(t *testing.T) {
	const most, each = 4, 2
	for _, tc := range []struct {
		name   string
		seated []string // address, and since how many seconds it is quiet; "busy" for what is not
		comes  string
		gone   int // which of them; -1: nobody
		ok     bool
	}{
		{"there_is_room", []string{"10.0.0.1 9", "10.0.0.2 9", "10.0.0.3 9"}, "10.0.0.1", -1, true},
		{"longest_of_its_own", []string{"10.0.0.1 1", "10.0.0.1 2", "10.0.0.2 9"}, "10.0.0.1", 1, true},
		{"its_own_are_busy", []string{"10.0.0.1 busy", "10.0.0.1 busy", "10.0.0.2 9"}, "10.0.0.1", -1, false},
		{"loopback_is_a_source", []string{"127.0.0.1 busy", "127.0.0.1 busy"}, "127.0.0.1", -1, false},
		{"mapped_is_the_same", []string{"10.0.0.1 busy", "10.0.0.1 busy"}, "::ffff:10.0.0.1", -1, false},
		{"network_of_version_6", []string{"2001:db8::1 busy", "2001:db8::2 busy"}, "2001:db8::3", -1, false},
		{"other_network_of_version_6", []string{"2001:db8::1 busy", "2001:db8::2 busy"}, "2001:db8:0:1::1", -1, true},
		{"of_who_has_the_most", []string{"10.0.0.1 9", "10.0.0.2 2", "10.0.0.2 1", "10.0.0.3 8"}, "10.0.0.4", 1, true},
		{"who_has_the_most_is_busy", []string{"10.0.0.1 9", "10.0.0.2 busy", "10.0.0.2 busy", "10.0.0.3 8"}, "10.0.0.4", 0, true},
		{"all_are_busy", []string{"10.0.0.1 busy", "10.0.0.2 busy", "10.0.0.3 busy", "10.0.0.4 busy"}, "10.0.0.5", -1, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			now := time.Unix(1000, 0)
			s := newSeats(most, each)
			var all []*seat
			for _, text := range tc.seated {
				at, since, _ := strings.Cut(text, " ")
				c := &seat{from: netip.MustParseAddr(at)}
				if since != "busy" {
					ago, err := time.ParseDuration(since + "s")
					if err != nil {
						t.Fatal(err)
					}
					c.quiet = now.Add(-ago)
				}
				if _, ok := s.take(c); !ok {
					t.Fatalf("no seat for %s", text)
				}
				all = append(all, c)
			}
			comes := &seat{from: netip.MustParseAddr(tc.comes), quiet: now}
			gone, ok := s.take(comes)
			var want *seat
			if tc.gone >= 0 {
				want = all[tc.gone]
			}
			if gone != want || ok != tc.ok {
				t.Errorf("%v goes, %t, want %v, %t", gone, ok, want, tc.ok)
			}
			for _, c := range append(all, comes, comes) {
				s.leave(c)
			}
			if len(s.all) != 0 || len(s.from) != 0 {
				t.Errorf("when all are gone, %v and %v are left", s.all, s.from)
			}
		})
	}
}
