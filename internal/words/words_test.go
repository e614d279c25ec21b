package words

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCutAndClip(t *testing.T) {
	for _, c := range []struct {
		s    string
		most int
		cut  string
	}{
		{"", 0, ""},
		{"abc", 3, "abc"},
		{"abcd", 3, "abc"},
		{"Zoë", 4, "Zoë"},
		{"Zoë!", 3, "Zo"},
		{"東京", 5, "東"},
		{"a\xffbcd", 4, "abc"},
		{"a\xff", 4, "a\xff"}, // short enough: as it is
		{"abc", 0, ""},
	} {
		clip := c.cut
		if len(c.s) > c.most {
			clip += "…"
		}
		if got := Cut(c.s, c.most); got != c.cut {
			t.Errorf("Cut(%q, %d) = %q, want %q", c.s, c.most, got, c.cut)
		}
		if got := Clip(c.s, c.most); got != clip {
			t.Errorf("Clip(%q, %d) = %q, want %q", c.s, c.most, got, clip)
		}
	}
	if got := Clip(strings.Repeat("é", 1000), 101); !utf8.ValidString(got) || len(got) != 100+len("…") {
		t.Errorf("%q", got)
	}
}
