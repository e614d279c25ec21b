package appstore_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/appstore"
	"github.com/belfryhq/belfry/internal/store"
	"github.com/belfryhq/belfry/test/services"
)

// watched starts Watch. next waits until the apps with those ids are served;
// end stops it and gives what was logged.
func watched(t *testing.T, r *appstore.Roster, served <-chan string) (next func(ids string), end func() string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var log bytes.Buffer
	done := make(chan error, 1)
	r.SetPace(5 * time.Millisecond)
	go func() { done <- r.Watch(ctx, slog.New(slog.NewTextHandler(&log, nil))) }()
	ended := false
	end = func() string {
		cancel()
		if !ended {
			ended = true
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		return log.String()
	}
	t.Cleanup(func() { end() })
	next = func(ids string) {
		t.Helper()
		limit := time.After(30 * time.Second)
		got := "nothing new"
		for got != ids {
			select {
			case got = <-served:
			case <-limit:
				t.Fatalf("serves %s, not %s", got, ids)
			}
		}
	}
	return next, end
}

// roster makes a roster that sends the ids that it serves.
func roster(kept *appstore.Store) (*appstore.Roster, <-chan string) {
	served := make(chan string, 100)
	return appstore.NewRoster(kept, func(apps []*belfry.App) {
		var ids []string
		for _, a := range apps {
			ids = append(ids, a.ID)
		}
		served <- strings.Join(ids, " ")
	}), served
}

func TestWatch_TakesOnWhatAnotherServerChanged(t *testing.T) {
	each(t, func(t *testing.T, again func() *store.DB) {
		r, served := roster(appstore.Open(again(), ""))
		must(t, r.SetFixed(t.Context(), []*belfry.App{fixedApp("f", "kf")}, nil))
		next, end := watched(t, r, served)
		other := appstore.NewRoster(appstore.Open(again(), ""), nil)
		next("f")
		add(t, other, appstore.New{ID: "1"})
		next("f 1")
		// As many apps as before, and made by a clock that is behind.
		must(t, other.Remove(t.Context(), "1"))
		add(t, other, appstore.New{ID: "2"})
		next("f 2")
		_, err := other.Rotate(t.Context(), "2", appstore.RotateNow)
		must(t, err)
		next("f 2")
		if text := end(); text != "" {
			t.Errorf("logged %s", text)
		}
		if n := len(served); n > 1 { // one at most may have been under way
			t.Errorf("%d more calls to apply without a change", n)
		}
	})
}

func TestAnUnmigratedDatabaseIsOneThatIsAway(t *testing.T) {
	eachEmpty(t, func(t *testing.T, again func() *store.DB) {
		db := again() // as if it came back after a migration that failed
		r, served := roster(appstore.Open(db, ""))
		must(t, r.SetFixed(t.Context(), []*belfry.App{fixedApp("f", "kf")}, nil))
		if err := r.Stale(); belfry.CodeOf(err) != belfry.CodeUnavailable {
			t.Errorf("Stale = %v", err)
		}
		if _, err := r.Add(t.Context(), appstore.New{}); belfry.CodeOf(err) != belfry.CodeUnavailable {
			t.Errorf("Add: %v", err)
		}
		next, _ := watched(t, r, served)
		next("f")
		_, err := db.Migrate(t.Context())
		must(t, err)
		add(t, r, appstore.New{ID: "1"})
		next("f 1")
		until(t, "fresh list", func() bool { return r.Stale() == nil })
		if r.App("1") == nil || r.App("").ID != "f" || r.App("2") != nil {
			t.Error("App gives others than the applied")
		}
	})
}

func TestWatch_SaysOnceThatAListCannotBeServed(t *testing.T) {
	each(t, func(t *testing.T, again func() *store.DB) {
		r, served := roster(appstore.Open(again(), ""))
		must(t, r.SetFixed(t.Context(), []*belfry.App{fixedApp("f", "taken")}, nil))
		next, end := watched(t, r, served)
		next("f")
		other := appstore.NewRoster(appstore.Open(again(), ""), nil)
		created := add(t, other, appstore.New{ID: "1", Key: "taken"}) // it knows no app f
		until(t, "a list that cannot be served", func() bool { return r.Stale() != nil })
		if belfry.CodeOf(r.Stale()) != belfry.CodeConflict {
			t.Errorf("Stale = %v", r.Stale())
		}
		must(t, other.Remove(t.Context(), "1"))
		next("f")
		until(t, "a list that can be served", func() bool { return r.Stale() == nil })
		add(t, other, appstore.New{ID: "2"})
		next("f 2")
		text := end()
		if strings.Count(text, "level=WARN") != 1 || strings.Count(text, "known again") != 1 || strings.Contains(text, created.Secret) {
			t.Errorf("logged %s", text)
		}
	})
}

func TestPostgresAway_TheConfigurationsAppsAreServed(t *testing.T) {
	pg := services.OwnPostgres(t)
	url := pg.Database(t)
	before := migrated(t, open(t, store.Config{URL: url}))
	add(t, appstore.NewRoster(appstore.Open(before, ""), nil), appstore.New{ID: "1"})
	pg.Stop()

	r, served := roster(appstore.Open(open(t, store.Config{URL: url}), ""))
	if _, _, err := r.Ensure(t.Context()); belfry.CodeOf(err) != belfry.CodeUnavailable {
		t.Errorf("Ensure without any app: %v", err)
	}
	must(t, r.SetFixed(t.Context(), []*belfry.App{fixedApp("f", "kf")}, nil))
	if belfry.CodeOf(r.Stale()) != belfry.CodeUnavailable {
		t.Errorf("Stale = %v", r.Stale())
	}
	if app, created, err := r.Ensure(t.Context()); err != nil || created != nil || app.ID != "f" {
		t.Errorf("Ensure = %v, %v, %v", app, created, err)
	}
	for what, err := range map[string]error{
		"List":   second(r.List(t.Context())),
		"Add":    second(r.Add(t.Context(), appstore.New{})),
		"Remove": r.Remove(t.Context(), "1"),
	} {
		if belfry.CodeOf(err) != belfry.CodeUnavailable {
			t.Errorf("%s: %v", what, err)
		}
	}

	next, end := watched(t, r, served)
	next("f")
	pg.Start()
	next("f 1")

	// Mid-run the list that is known goes on.
	pg.Kill()
	must(t, r.SetFixed(t.Context(), []*belfry.App{fixedApp("g", "kg")}, nil))
	next("g 1")
	if all, err := r.All(t.Context()); err != nil || len(all) != 2 {
		t.Errorf("All = %v, %v", all, err)
	}
	pg.Start()
	add(t, appstore.NewRoster(appstore.Open(migrated(t, open(t, store.Config{URL: url})), ""), nil), appstore.New{ID: "2"})
	next("g 1 2")
	if err := r.Stale(); err != nil {
		t.Errorf("Stale = %v", err)
	}
	if text := end(); !strings.Contains(text, "known again") {
		t.Errorf("logged %s", text)
	}
}

// until asks again and again until done says so.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for limit := time.After(30 * time.Second); !done(); {
		select {
		case <-again.C:
		case <-limit:
			t.Fatalf("no %s", what)
		}
	}
}

func second[T any](_ T, err error) error { return err }
