package http

import (
	"fmt"
	"testing"
)

// TestOddNames registers names that DNS does not find, or not for everybody, and wants
// each told once.
func TestOddNames(t *testing.T) {
	s := newStage(t)
	a := s.api(t)
	for range 2 {
		for _, body := range []string{
			`{"Node":"web_1","Address":"10.0.0.1","Service":{"Service":"a.b","Tags":["x_y"],"Port":1}}`,
			`{"Node":"rack.1","Address":"10.0.0.2","Service":{"Service":"web","Tags":["a.b"],"Port":1}}`,
		} {
			s.register(t, a, body)
		}
	}
	for _, want := range []string{
		`node name "web_1" is found in DNS, but not by everybody: names of hosts have letters, digits and dashes only`,
		`service name "a.b" cannot be found in DNS: what is before a dot is taken for a tag`,
		`tag "x_y" of service "a.b" is found in DNS, but not by everybody: names of hosts have letters, digits and dashes only`,
	} {
		if n := s.logs.FilterMessage(want).Len(); n != 1 {
			t.Errorf("told %d times: %s", n, want)
		}
	}
	if n := s.logs.FilterMessageSnippet("in DNS").Len(); n != 3 {
		t.Errorf("%d lines, want 3", n)
	}
	var o oddities
	told := 0
	for i := range 2 * mostOdd {
		if o.news(fmt.Sprint(i)) {
			told++
		}
	}
	if told != mostOdd {
		t.Errorf("%d are told, want %d", told, mostOdd)
	}
}
