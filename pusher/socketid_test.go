package pusher_test

import (
	"regexp"
	"testing"

	"github.com/belfryhq/belfry/pusher"
)

func TestWS07_SocketIDFormAndRandomness(t *testing.T) {
	form := regexp.MustCompile(`^(0|[1-9][0-9]{0,9})\.(0|[1-9][0-9]{0,9})$`)
	const n = 2000
	seen := make(map[string]bool, n)
	high := [2]int{} // ids whose half lies in the upper part of its range
	for range n {
		id := pusher.NewSocketID()
		s := id.String()
		if !form.MatchString(s) || !pusher.ValidSocketID(s) {
			t.Fatalf("id %q has not the form of two integers below 10^10", s)
		}
		if seen[s] {
			t.Fatalf("id %q came twice", s)
		}
		seen[s] = true
		back, ok := pusher.ParseSocketID(s)
		if !ok || back != id || back.IsZero() {
			t.Fatalf("ParseSocketID(%q) is %v, %t", s, back, ok)
		}
		for half, digits := range regexp.MustCompile(`[0-9]+`).FindAllString(s, -1) {
			if len(digits) == 10 {
				high[half]++
			}
		}
	}
	// Nine in ten of an even spread below 10^10 have all ten digits; the bound
	// is more than 15 standard deviations away.
	for half, got := range high {
		if got < n*8/10 {
			t.Errorf("half %d has ten digits in %d of %d ids: not 33 random bits", half, got, n)
		}
	}
}

func TestWS07_ValidSocketID(t *testing.T) {
	for s, want := range map[string][2]bool{ // legal, one of ours
		"1.2": {true, true}, "4321.98765": {true, true}, "0.0": {true, true},
		"9999999999.9999999999":            {true, true},
		"10000000000.1":                    {true, false},
		"01.2":                             {true, false},
		"123456789012345678901234567890.1": {true, false},
		"":                                 {false, false},
		".":                                {false, false},
		"1.":                               {false, false},
		".1":                               {false, false},
		"1":                                {false, false},
		"1.2.3":                            {false, false},
		"-1.2":                             {false, false},
		"+1.2":                             {false, false},
		"1.2\n":                            {false, false},
		" 1.2":                             {false, false},
		"1:2":                              {false, false},
		"a.b":                              {false, false},
		"1.2:private-x":                    {false, false},
		"\u0661.\u0662":                    {false, false},
		"0x1.2":                            {false, false},
		"1_0.2":                            {false, false},
	} {
		if got := pusher.ValidSocketID(s); got != want[0] {
			t.Errorf("ValidSocketID(%q) is %t", s, got)
		}
		if _, got := pusher.ParseSocketID(s); got != want[1] {
			t.Errorf("ParseSocketID(%q) is %t", s, got)
		}
	}
	if !(pusher.SocketID{}).IsZero() {
		t.Error("the zero id is not zero")
	}
}
