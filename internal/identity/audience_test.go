package identity_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/identity"
)

func TestAudiences(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		for i := range 7 {
			f.add(fmt.Sprintf("u%d@example.test", i+1), [][]string{nil, {"editor"}, {"editor", "viewer"}}[i%3]...)
		}
		must(t, f.SetDisabled(t.Context(), "6", true))
		f.login("u1@example.test")
		f.clock.pass(48 * time.Hour)
		f.login("u2@example.test")
		since := f.clock.Now().Add(-24 * time.Hour)
		var thousands []string
		for i := range 2500 {
			thousands = append(thousands, fmt.Sprint(2500-i))
		}
		for want, a := range map[string]identity.Audience{
			"1 2 3 4 5 7":   {},
			"2 3 5":         {Roles: []string{"editor", "viewer"}},
			"2":             {ActiveSince: since},
			"1 3 4 5 7":     {InactiveSince: since},
			"1 4":           {IDs: []string{"4", "1", "6", "99", "x", "04", "1"}},
			"3":             {IDs: []string{"3", "4"}, Roles: []string{"viewer"}, InactiveSince: since},
			"":              {IDs: []string{}},
			"1 2 3 4 5 7\n": {IDs: thousands},
		} {
			want = strings.TrimSpace(want)
			var got []string
			after := ""
			for { // two at a time
				page, err := f.Next(t.Context(), a, after, 2)
				must(t, err)
				for _, u := range page {
					got = append(got, u.ID)
					after = u.ID
				}
				if len(page) < 2 {
					break
				}
			}
			count, err := f.Count(t.Context(), a)
			must(t, err)
			if strings.Join(got, " ") != want || count != len(got) {
				t.Errorf("%+v: %q, %d", a, got, count)
			}
		}
		ids, roles, err := f.Unknown(t.Context(), []string{"1", "6", "8", "01", "x"}, []string{"editor", "admin", "edtior", "a\x00"})
		must(t, err)
		if fmt.Sprint(ids) != "[8 01 x]" || fmt.Sprintf("%q", roles) != `["edtior" "a\x00"]` {
			t.Errorf("unknown %q, %q", ids, roles)
		}
	})
}
