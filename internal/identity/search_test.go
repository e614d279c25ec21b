package identity_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/internal/identity"
)

func TestUsersAreFoundByNameEmailAndID(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		for i, name := range []string{"Ada Lovelace", "Grace Hopper", "100% Ada", "A_da", `back\slash`} {
			_, _, err := f.Add(t.Context(), identity.NewUser{Email: fmt.Sprintf("User%d@Example.test", i+1), Name: name, Password: password})
			must(t, err)
		}
		f.add("gone-ada@example.test", "editor")
		must(t, f.SetDisabled(t.Context(), "6", true))
		for _, c := range []struct {
			search identity.Search
			want   string
			more   bool
		}{
			{identity.Search{}, "1 2 3 4 5", false},
			{identity.Search{Limit: 2}, "1 2", true},
			{identity.Search{Limit: 5}, "1 2 3 4 5", false},
			{identity.Search{Text: " aDA "}, "1 3", false},
			{identity.Search{Text: "0% a"}, "3", false},
			{identity.Search{Text: "a_d"}, "4", false},
			{identity.Search{Text: `k\s`}, "5", false},
			{identity.Search{Text: "USER2@example"}, "2", false},
			{identity.Search{Text: "2"}, "2", false},
			{identity.Search{Text: "%"}, "3", false},
			{identity.Search{Text: "' OR 1=1 --"}, "", false},
			{identity.Search{IDs: []string{"5", "1", "6", "x", "99"}}, "1 5", false},
			{identity.Search{IDs: []string{"5", "1"}, Text: "ada"}, "1", false},
			{identity.Search{IDs: []string{}}, "", false},
		} {
			found, more, err := f.Find(t.Context(), c.search)
			must(t, err)
			var ids []string
			for _, u := range found {
				ids = append(ids, u.ID)
			}
			if strings.Join(ids, " ") != c.want || more != c.more {
				t.Errorf("%+v: %q, %v", c.search, ids, more)
			}
		}
	})
}

func TestRolesAreCounted(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		if all, err := f.RoleCounts(t.Context()); err != nil || all == nil || len(all) > 0 {
			t.Errorf("nobody: %v %v", all, err)
		}
		f.add("a@example.test", "editor", "manager")
		f.add("b@example.test", "editor")
		f.add("c@example.test", "gone")
		must(t, f.SetDisabled(t.Context(), "3", true))
		all, err := f.RoleCounts(t.Context())
		must(t, err)
		if fmt.Sprint(all) != "[{editor 2} {manager 1}]" {
			t.Errorf("%v", all)
		}
	})
}
