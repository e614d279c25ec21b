package appstore_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/appstore"
	"github.com/belfryhq/belfry/internal/store"
)

func TestEnsure_MakesOneAppAndKeepsIt(t *testing.T) {
	each(t, func(t *testing.T, again func() *store.DB) {
		app, created, err := appstore.NewRoster(appstore.Open(again(), ""), nil).Ensure(t.Context())
		must(t, err)
		if created == nil || created.ID != app.ID || created.Key != app.Keys[0].Key || created.Secret != app.Keys[0].Secret {
			t.Fatalf("created = %+v, app = %+v", created, app)
		}
		if strings.Trim(app.ID, "0123456789") != "" {
			t.Errorf("id %q is not decimal digits", app.ID)
		}
		if len(created.Key) != 20 || len(created.Secret) < 32 {
			t.Errorf("key of %d and secret of %d characters", len(created.Key), len(created.Secret))
		}
		if app.Limits != belfry.DefaultLimits() {
			t.Errorf("limits = %+v, want the defaults", app.Limits)
		}
		second, created, err := appstore.NewRoster(appstore.Open(again(), ""), nil).Ensure(t.Context())
		if err != nil || created != nil || second.ID != app.ID || second.Keys[0] != app.Keys[0] {
			t.Errorf("second Ensure = %+v, %+v, %v; want the same app, not created", second, created, err)
		}
	})
}

func TestEnsure_ManyServersMakeOneApp(t *testing.T) {
	each(t, func(t *testing.T, again func() *store.DB) {
		var group sync.WaitGroup
		ids := make(chan string, 6)
		made := make(chan bool, 6)
		for range cap(ids) {
			r := appstore.NewRoster(appstore.Open(again(), ""), nil)
			group.Go(func() {
				app, created, err := r.Ensure(context.Background())
				if err != nil {
					t.Error(err)
					return
				}
				ids <- app.ID
				made <- created != nil
			})
		}
		group.Wait()
		close(ids)
		close(made)
		n, all := 0, map[string]bool{}
		for id := range ids {
			all[id] = true
		}
		for m := range made {
			if m {
				n++
			}
		}
		if len(all) != 1 || n != 1 {
			t.Errorf("%d apps, made by %d; want one by one", len(all), n)
		}
	})
}

func TestEnsure_TakesTheConfigurationsFirstApp(t *testing.T) {
	each(t, func(t *testing.T, again func() *store.DB) {
		kept := appstore.Open(again(), "")
		r := appstore.NewRoster(kept, nil)
		must(t, r.SetFixed(t.Context(), []*belfry.App{fixedApp("1", "k")}, nil))
		app, created, err := r.Ensure(t.Context())
		if err != nil || created != nil || app.ID != "1" {
			t.Errorf("Ensure = %v, %v, %v", app, created, err)
		}
		if records := load(t, kept); len(records) != 0 {
			t.Errorf("an app was made: %v", records)
		}
	})
}

func TestAdd_AppliesAndRefusesWhatIsTaken(t *testing.T) {
	eachRoster(t, func(t *testing.T, r *appstore.Roster, served func() []*belfry.App) {
		must(t, r.SetFixed(t.Context(), []*belfry.App{fixedApp("1", "fixed")}, nil))
		created := add(t, r, appstore.New{ID: "shop", Name: "Shop", Key: "k", ClientEvents: true})
		if s := served(); len(s) != 2 || s[1].ID != "shop" || !s[1].ClientEvents || s[1].Keys[0].Secret != created.Secret {
			t.Fatalf("served = %+v", s)
		}
		for name, tc := range map[string]struct {
			add  appstore.New
			want belfry.Code
			text string
		}{
			"stored id":  {appstore.New{ID: "shop"}, belfry.CodeConflict, "shop"},
			"stored key": {appstore.New{Key: "k"}, belfry.CodeConflict, "app shop of the database"},
			"fixed id":   {appstore.New{ID: "1"}, belfry.CodeConflict, "the configuration"},
			"fixed key":  {appstore.New{Key: "fixed"}, belfry.CodeConflict, "the configuration"},
			"bad id":     {appstore.New{ID: "a/b"}, belfry.CodeInvalid, `"a/b"`},
			"bad key":    {appstore.New{Key: "a:b"}, belfry.CodeInvalid, `"a:b"`},
		} {
			if _, err := r.Add(t.Context(), tc.add); belfry.CodeOf(err) != tc.want || !strings.Contains(err.Error(), tc.text) {
				t.Errorf("%s: %v; want code %s and %q", name, err, tc.want, tc.text)
			}
		}
		if len(served()) != 2 {
			t.Errorf("%d apps are served after refusals, want 2", len(served()))
		}
	})
}

func TestRemove(t *testing.T) {
	eachRoster(t, func(t *testing.T, r *appstore.Roster, served func() []*belfry.App) {
		must(t, r.SetFixed(t.Context(), []*belfry.App{fixedApp("1", "fixed")}, func(string) string { return "belfry.yaml:3" }))
		add(t, r, appstore.New{ID: "2"})
		err := r.Remove(t.Context(), "1")
		if belfry.CodeOf(err) != belfry.CodeForbidden || !strings.Contains(err.Error(), "belfry.yaml:3") {
			t.Errorf("Remove of a configured app: %v", err)
		}
		if err := r.Remove(t.Context(), "3"); belfry.CodeOf(err) != belfry.CodeNotFound {
			t.Errorf("Remove of an unknown app: %v", err)
		}
		must(t, r.Remove(t.Context(), "2"))
		if s := served(); len(s) != 1 || s[0].ID != "1" {
			t.Errorf("served = %+v", s)
		}
	})
}

func TestRotate(t *testing.T) {
	eachRoster(t, func(t *testing.T, r *appstore.Roster, served func() []*belfry.App) {
		first := add(t, r, appstore.New{ID: "2", Key: "k"})
		rotate := func(how appstore.Rotation) string {
			t.Helper()
			c, err := r.Rotate(t.Context(), "2", how)
			must(t, err)
			return c.Secret
		}
		valid := func(want ...string) {
			t.Helper()
			got := served()[0].Secrets("k")
			if strings.Join(got, " ") != strings.Join(want, " ") {
				t.Errorf("valid secrets %v, want %v", got, want)
			}
		}
		second := rotate(appstore.RotateKeep)
		valid(second, first.Secret)
		third := rotate(appstore.RotateKeep)
		valid(third, second)
		if s := rotate(appstore.RotateFinish); s != "" {
			t.Errorf("finish shows the secret %q", s)
		}
		valid(third)
		valid(rotate(appstore.RotateNow))

		if _, err := r.Rotate(t.Context(), "2", "later"); belfry.CodeOf(err) != belfry.CodeInvalid {
			t.Errorf("unknown way: %v", err)
		}
		if _, err := r.Rotate(t.Context(), "9", appstore.RotateNow); belfry.CodeOf(err) != belfry.CodeNotFound {
			t.Errorf("unknown app: %v", err)
		}
	})
}

func TestSetFixed_TheConfigurationsAppHidesTheStoredOne(t *testing.T) {
	eachRoster(t, func(t *testing.T, r *appstore.Roster, _ func() []*belfry.App) {
		created := add(t, r, appstore.New{ID: "7"})
		must(t, r.SetFixed(t.Context(), []*belfry.App{fixedApp("7", created.Key)}, nil))
		all, err := r.All(t.Context())
		if err != nil || len(all) != 1 || all[0].Keys[0].Secret != "s" {
			t.Errorf("All = %+v, %v", all, err)
		}
		err = r.SetFixed(t.Context(), []*belfry.App{fixedApp("8", created.Key)}, nil)
		if belfry.CodeOf(err) != belfry.CodeConflict {
			t.Errorf("a key in two apps: %v", err)
		}
		if all, _ := r.All(t.Context()); all[0].ID != "7" {
			t.Error("a refused SetFixed changed the apps")
		}
	})
}

func TestList_ShowsNoSecret(t *testing.T) {
	eachRoster(t, func(t *testing.T, r *appstore.Roster, _ func() []*belfry.App) {
		must(t, r.SetFixed(t.Context(), []*belfry.App{fixedApp("1", "fixed")}, func(string) string { return "belfry.yaml:3" }))
		add(t, r, appstore.New{ID: "2", Key: "k"})
		_, err := r.Rotate(t.Context(), "2", appstore.RotateKeep)
		must(t, err)
		entries, err := r.List(t.Context())
		if err != nil || len(entries) != 2 {
			t.Fatalf("List = %+v, %v", entries, err)
		}
		if e := entries[0]; !e.ReadOnly || e.Source != "belfry.yaml:3" || e.Secrets != 1 {
			t.Errorf("configured: %+v", e)
		}
		if e := entries[1]; e.ReadOnly || e.Source != appstore.Kept || e.Secrets != 2 || len(e.Keys) != 1 {
			t.Errorf("stored: %+v", e)
		}
	})
}

func TestUpdate_ManyWritersLoseNothing(t *testing.T) {
	each(t, func(t *testing.T, again func() *store.DB) {
		var wg sync.WaitGroup
		for range 4 { // each as another process would, with a store of its own
			r := appstore.NewRoster(appstore.Open(again(), ""), nil)
			wg.Go(func() {
				for range 4 {
					if _, err := r.Add(context.Background(), appstore.New{}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if records := load(t, appstore.Open(again(), "")); len(records) != 16 {
			t.Errorf("%d apps; want 16", len(records))
		}
	})
}

func TestUpdate_OneKeyGoesToOneOfMany(t *testing.T) {
	each(t, func(t *testing.T, again func() *store.DB) {
		var wg sync.WaitGroup
		errs := make(chan error, 6)
		for range cap(errs) {
			r := appstore.NewRoster(appstore.Open(again(), ""), nil)
			wg.Go(func() {
				_, err := r.Add(context.Background(), appstore.New{Key: "wanted"})
				errs <- err
			})
		}
		wg.Wait()
		close(errs)
		got := map[belfry.Code]int{}
		for err := range errs {
			got[belfry.CodeOf(err)]++
		}
		if got[""] != 1 || got[belfry.CodeConflict] != 5 {
			t.Errorf("outcomes %v, want one success and five conflicts", got)
		}
	})
}

func TestUpdate_KeepsTheOrderOfCreation(t *testing.T) {
	eachRoster(t, func(t *testing.T, r *appstore.Roster, served func() []*belfry.App) {
		for _, id := range []string{"c", "a", "b"} {
			add(t, r, appstore.New{ID: id})
		}
		_, err := r.Rotate(t.Context(), "c", appstore.RotateNow)
		must(t, err)
		must(t, r.Remove(t.Context(), "b"))
		add(t, r, appstore.New{ID: "0"})
		var ids []string
		all, err := r.All(t.Context())
		must(t, err)
		for _, app := range all {
			ids = append(ids, app.ID)
		}
		if fmt.Sprint(ids) != "[c a 0]" {
			t.Errorf("order %v", ids)
		}
	})
}

func TestLoad_ADamagedEntryIsAnErrorWithoutItsContents(t *testing.T) {
	each(t, func(t *testing.T, again func() *store.DB) {
		db := again()
		kept := appstore.Open(db, "")
		for name, text := range map[string]string{
			"cut off":    `{"id":"1","keys":[{"key":"k","secret":"hush`,
			"other id":   `{"id":"hush","keys":[{"key":"k","secret":"hush"}]}`,
			"no secret":  `{"id":"1","keys":[{"key":"hush"}]}`,
			"wrong type": `{"id":"1","keys":"hush"}`,
		} {
			_, err := db.Exec(t.Context(), `INSERT INTO apps (id, place, record, changed) VALUES ('1', 1, $1, 0)
				ON CONFLICT (id) DO UPDATE SET record = excluded.record`, text)
			must(t, err)
			if _, err = kept.Load(t.Context()); belfry.CodeOf(err) != belfry.CodeInvalid || !strings.Contains(err.Error(), "app 1 ") || strings.Contains(err.Error(), "hush") {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}
