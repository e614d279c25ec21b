package appstore_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/appstore"
	"github.com/belfryhq/belfry/internal/store"
)

const oldList = `{
  "version": 1,
  "apps": [
    {"id": "2", "name": "two", "keys": [{"key": "k2", "secret": "new"}, {"key": "k2", "secret": "old"}], "client_events": true, "created": "2026-01-02T03:04:05Z"},
    {"id": "1", "keys": [{"key": "k1", "secret": "s1"}], "created": "2026-01-02T03:04:06Z", "generated": true}
  ]
}
`

func oldFile(t *testing.T, text string) (dir, path string) {
	t.Helper()
	dir = t.TempDir()
	path = filepath.Join(dir, appstore.OldFile)
	must(t, os.WriteFile(path, []byte(text), 0o600))
	return dir, path
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func TestTakeOver_OnceAndInOrder(t *testing.T) {
	each(t, func(t *testing.T, again func() *store.DB) {
		dir, path := oldFile(t, oldList)
		var group sync.WaitGroup
		for range 4 {
			kept := appstore.Open(again(), dir)
			group.Go(func() {
				if records, err := kept.Load(t.Context()); err != nil || len(records) != 2 {
					t.Errorf("Load = %v, %v", records, err)
				}
			})
		}
		group.Wait()
		records := load(t, appstore.Open(again(), ""))
		if len(records) != 2 || records[0].ID != "2" || records[1].ID != "1" {
			t.Fatalf("records = %+v", records)
		}
		if a := records[0].App(); !a.ClientEvents || a.Name != "two" || len(a.Secrets("k2")) != 2 || a.Secrets("k2")[0] != "new" {
			t.Errorf("app 2 = %+v", a)
		}
		if !records[1].Generated || records[1].Created.IsZero() {
			t.Errorf("app 1 = %+v", records[1])
		}
		if got, err := os.ReadFile(path + appstore.TakenOver); err != nil || string(got) != oldList || exists(path) {
			t.Errorf("the file was not renamed: %v", err)
		}
		// An app that is removed stays away.
		r := appstore.NewRoster(appstore.Open(again(), dir), nil)
		must(t, r.Remove(t.Context(), "2"))
		if records := load(t, appstore.Open(again(), dir)); len(records) != 1 {
			t.Errorf("records = %+v", records)
		}
	})
}

func TestTakeOver_AgainAfterACrashBeforeTheRename(t *testing.T) {
	each(t, func(t *testing.T, again func() *store.DB) {
		dir, path := oldFile(t, oldList)
		kept := appstore.Open(again(), dir)
		load(t, kept)
		must(t, os.Rename(path+appstore.TakenOver, path))
		if records := load(t, kept); len(records) != 2 || exists(path) {
			t.Errorf("records = %+v", records)
		}
	})
}

func TestTakeOver_ABrokenFileIsAnErrorWithoutItsContents(t *testing.T) {
	each(t, func(t *testing.T, again func() *store.DB) {
		for name, text := range map[string]string{
			"cut off":     `{"version":1,"apps":[{"id":"1","keys":[{"key":"k","secret":"hush`,
			"wrong type":  `{"version":1,"apps":[{"id":"1","keys":"hush"}]}`,
			"no secret":   `{"version":1,"apps":[{"id":"0","keys":[{"key":"k0","secret":"s"}]},{"id":"1","keys":[{"key":"hush"}]}]}`,
			"other field": `{"version":1,"hush":1,"apps":[]}`,
			"newer":       `{"version":2,"apps":[]}`,
		} {
			dir, path := oldFile(t, text)
			r := appstore.NewRoster(appstore.Open(again(), dir), nil)
			if _, err := r.Add(t.Context(), appstore.New{}); belfry.CodeOf(err) != belfry.CodeInvalid || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "hush") {
				t.Errorf("%s: Add: %v", name, err)
			}
			if err := r.SetFixed(t.Context(), nil, nil); belfry.CodeOf(err) != belfry.CodeInvalid {
				t.Errorf("%s: SetFixed: %v", name, err)
			}
			if got, _ := os.ReadFile(path); string(got) != text {
				t.Errorf("%s: the file was changed to %q", name, got)
			}
			if records := load(t, appstore.Open(again(), "")); len(records) != 0 {
				t.Errorf("%s: the database has %v", name, records)
			}
		}
	})
}

func TestTakeOver_ClashesChangeNothing(t *testing.T) {
	each(t, func(t *testing.T, again func() *store.DB) {
		add(t, appstore.NewRoster(appstore.Open(again(), ""), nil), appstore.New{ID: "7", Key: "seven"})
		for text, want := range map[string]string{
			`{"version":1,"apps":[{"id":"8","keys":[{"key":"k8","secret":"hush"}]},{"id":"7","keys":[{"key":"k7","secret":"hush"}]}]}`: "the id of app 7",
			`{"version":1,"apps":[{"id":"8","keys":[{"key":"seven","secret":"hush"}]}]}`:                                               "the key seven of app 8",
		} {
			dir, path := oldFile(t, text)
			_, err := appstore.Open(again(), dir).Load(t.Context())
			if belfry.CodeOf(err) != belfry.CodeConflict || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hush") {
				t.Errorf("Load: %v; want %q", err, want)
			}
			if !exists(path) {
				t.Error("the file is gone")
			}
		}
		if records := load(t, appstore.Open(again(), "")); len(records) != 1 {
			t.Errorf("the database has %v", records)
		}
	})
}
