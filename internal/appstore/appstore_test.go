package appstore_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/appstore"
)

func fixedApp(id, key string) *belfry.App {
	return &belfry.App{ID: id, Name: id, Keys: []belfry.Credential{{Key: key, Secret: "s"}}, Limits: belfry.DefaultLimits()}
}

func TestEnsure_MakesOneAppAndKeepsIt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	app, created, err := appstore.NewRoster(appstore.Open(dir), nil).Ensure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
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
	again, created, err := appstore.NewRoster(appstore.Open(dir), nil).Ensure(t.Context())
	if err != nil || created != nil || again.ID != app.ID || again.Keys[0] != app.Keys[0] {
		t.Errorf("second Ensure = %+v, %+v, %v; want the same app, not created", again, created, err)
	}
}

func TestEnsure_TakesTheConfigurationsFirstApp(t *testing.T) {
	dir := t.TempDir()
	r := appstore.NewRoster(appstore.Open(dir), nil)
	if err := r.SetFixed([]*belfry.App{fixedApp("1", "k")}, nil); err != nil {
		t.Fatal(err)
	}
	app, created, err := r.Ensure(t.Context())
	if err != nil || created != nil || app.ID != "1" {
		t.Errorf("Ensure = %v, %v, %v", app, created, err)
	}
	if _, err := os.Stat(filepath.Join(dir, appstore.FileName)); !os.IsNotExist(err) {
		t.Errorf("a file was written: %v", err)
	}
}

func TestStore_FileAndFolderAreOwnerOnly(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such mode bits")
	}
	dir := filepath.Join(t.TempDir(), "data")
	if _, err := appstore.NewRoster(appstore.Open(dir), nil).Add(t.Context(), appstore.New{}); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, appstore.FileName): 0o600} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %o, want %o", path, info.Mode().Perm(), want)
		}
	}
	left, _ := filepath.Glob(filepath.Join(dir, ".apps-*"))
	if len(left) != 0 {
		t.Errorf("temporary files are left: %v", left)
	}
}

func TestStore_ABrokenFileIsAnErrorWithoutItsContents(t *testing.T) {
	for name, text := range map[string]string{
		"cut off":     `{"version":1,"apps":[{"id":"1","keys":[{"key":"k","secret":"hush`,
		"wrong type":  `{"version":1,"apps":[{"id":"1","keys":"hush"}]}`,
		"no secret":   `{"version":1,"apps":[{"id":"1","keys":[{"key":"hush"}]}]}`,
		"other field": `{"version":1,"hush":1,"apps":[]}`,
		"newer":       `{"version":2,"apps":[]}`,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, appstore.FileName)
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			r := appstore.NewRoster(appstore.Open(dir), nil)
			if _, err := r.Add(t.Context(), appstore.New{}); belfry.CodeOf(err) != belfry.CodeInvalid || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "hush") {
				t.Errorf("Add: %v", err)
			}
			if got, _ := os.ReadFile(path); string(got) != text {
				t.Errorf("the file was changed to %q", got)
			}
		})
	}
}

func TestAdd_AppliesAndRefusesWhatIsTaken(t *testing.T) {
	var served []*belfry.App
	r := appstore.NewRoster(appstore.Open(t.TempDir()), func(apps []*belfry.App) { served = apps })
	if err := r.SetFixed([]*belfry.App{fixedApp("1", "fixed")}, nil); err != nil {
		t.Fatal(err)
	}
	created, err := r.Add(t.Context(), appstore.New{ID: "shop", Name: "Shop", Key: "k", ClientEvents: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(served) != 2 || served[1].ID != "shop" || !served[1].ClientEvents || served[1].Keys[0].Secret != created.Secret {
		t.Fatalf("served = %+v", served)
	}
	for name, tc := range map[string]struct {
		add  appstore.New
		want belfry.Code
		text string
	}{
		"stored id":  {appstore.New{ID: "shop"}, belfry.CodeConflict, "shop"},
		"stored key": {appstore.New{Key: "k"}, belfry.CodeConflict, "app shop of apps.json"},
		"fixed id":   {appstore.New{ID: "1"}, belfry.CodeConflict, "the configuration"},
		"fixed key":  {appstore.New{Key: "fixed"}, belfry.CodeConflict, "the configuration"},
		"bad id":     {appstore.New{ID: "a/b"}, belfry.CodeInvalid, `"a/b"`},
		"bad key":    {appstore.New{Key: "a:b"}, belfry.CodeInvalid, `"a:b"`},
	} {
		if _, err := r.Add(t.Context(), tc.add); belfry.CodeOf(err) != tc.want || !strings.Contains(err.Error(), tc.text) {
			t.Errorf("%s: %v; want code %s and %q", name, err, tc.want, tc.text)
		}
	}
	if len(served) != 2 {
		t.Errorf("%d apps are served after refusals, want 2", len(served))
	}
}

func TestRemove(t *testing.T) {
	var served []*belfry.App
	r := appstore.NewRoster(appstore.Open(t.TempDir()), func(apps []*belfry.App) { served = apps })
	if err := r.SetFixed([]*belfry.App{fixedApp("1", "fixed")}, func(string) string { return "belfry.yaml:3" }); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Add(t.Context(), appstore.New{ID: "2"}); err != nil {
		t.Fatal(err)
	}
	err := r.Remove(t.Context(), "1")
	if belfry.CodeOf(err) != belfry.CodeForbidden || !strings.Contains(err.Error(), "belfry.yaml:3") {
		t.Errorf("Remove of a configured app: %v", err)
	}
	if err := r.Remove(t.Context(), "3"); belfry.CodeOf(err) != belfry.CodeNotFound {
		t.Errorf("Remove of an unknown app: %v", err)
	}
	if err := r.Remove(t.Context(), "2"); err != nil {
		t.Fatal(err)
	}
	if len(served) != 1 || served[0].ID != "1" {
		t.Errorf("served = %+v", served)
	}
}

func TestRotate(t *testing.T) {
	var served []*belfry.App
	r := appstore.NewRoster(appstore.Open(t.TempDir()), func(apps []*belfry.App) { served = apps })
	first, err := r.Add(t.Context(), appstore.New{ID: "2", Key: "k"})
	if err != nil {
		t.Fatal(err)
	}
	rotate := func(how appstore.Rotation) string {
		t.Helper()
		c, err := r.Rotate(t.Context(), "2", how)
		if err != nil {
			t.Fatal(err)
		}
		return c.Secret
	}
	valid := func(want ...string) {
		t.Helper()
		got := served[0].Secrets("k")
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
}

func TestSetFixed_TheConfigurationsAppHidesTheStoredOne(t *testing.T) {
	r := appstore.NewRoster(appstore.Open(t.TempDir()), nil)
	created, err := r.Add(t.Context(), appstore.New{ID: "7"})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.SetFixed([]*belfry.App{fixedApp("7", created.Key)}, nil); err != nil {
		t.Fatal(err)
	}
	all, err := r.All()
	if err != nil || len(all) != 1 || all[0].Keys[0].Secret != "s" {
		t.Errorf("All = %+v, %v", all, err)
	}
	err = r.SetFixed([]*belfry.App{fixedApp("8", created.Key)}, nil)
	if belfry.CodeOf(err) != belfry.CodeConflict {
		t.Errorf("a key in two apps: %v", err)
	}
	if all, _ := r.All(); all[0].ID != "7" {
		t.Error("a refused SetFixed changed the apps")
	}
}

func TestList_ShowsNoSecret(t *testing.T) {
	r := appstore.NewRoster(appstore.Open(t.TempDir()), nil)
	if err := r.SetFixed([]*belfry.App{fixedApp("1", "fixed")}, func(string) string { return "belfry.yaml:3" }); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Add(t.Context(), appstore.New{ID: "2", Key: "k"}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Rotate(t.Context(), "2", appstore.RotateKeep); err != nil {
		t.Fatal(err)
	}
	entries, err := r.List(t.Context())
	if err != nil || len(entries) != 2 {
		t.Fatalf("List = %+v, %v", entries, err)
	}
	if e := entries[0]; !e.ReadOnly || e.Source != "belfry.yaml:3" || e.Secrets != 1 {
		t.Errorf("configured: %+v", e)
	}
	if e := entries[1]; e.ReadOnly || e.Source != appstore.FileName || e.Secrets != 2 || len(e.Keys) != 1 {
		t.Errorf("stored: %+v", e)
	}
}

func TestUpdate_ManyWritersLoseNothing(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	for range 8 { // each as another process would, with a store of its own
		wg.Go(func() {
			r := appstore.NewRoster(appstore.Open(dir), nil)
			for range 4 {
				if _, err := r.Add(context.Background(), appstore.New{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	records, err := appstore.Open(dir).Load()
	if err != nil || len(records) != 32 {
		t.Errorf("%d apps, %v; want 32", len(records), err)
	}
}
