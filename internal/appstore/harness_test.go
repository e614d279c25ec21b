package appstore_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/appstore"
	"github.com/belfryhq/belfry/internal/store"
	"github.com/belfryhq/belfry/test/services"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// each runs a test on a fresh database of each kind. again opens the same
// database anew, as another process would.
func each(t *testing.T, test func(t *testing.T, again func() *store.DB)) {
	eachEmpty(t, func(t *testing.T, again func() *store.DB) {
		test(t, func() *store.DB { return migrated(t, again()) })
	})
}

// eachEmpty is each with databases that nobody has migrated.
func eachEmpty(t *testing.T, test func(t *testing.T, again func() *store.DB)) {
	t.Run("sqlite", func(t *testing.T) {
		cfg := store.Config{Dir: t.TempDir()}
		test(t, func() *store.DB { return open(t, cfg) })
	})
	t.Run("postgres", func(t *testing.T) {
		cfg := store.Config{URL: services.Postgres(t), Connections: 4}
		test(t, func() *store.DB { return open(t, cfg) })
	})
}

func open(t *testing.T, cfg store.Config) *store.DB {
	t.Helper()
	db, err := store.Open(cfg)
	must(t, err)
	t.Cleanup(func() { db.Close() })
	return db
}

func migrated(t *testing.T, db *store.DB) *store.DB {
	t.Helper()
	_, err := db.Migrate(t.Context())
	must(t, err)
	return db
}

// eachRoster runs a test with a roster of its own database. served gives the
// apps of the last call to apply.
func eachRoster(t *testing.T, test func(t *testing.T, r *appstore.Roster, served func() []*belfry.App)) {
	each(t, func(t *testing.T, again func() *store.DB) {
		var last []*belfry.App
		r := appstore.NewRoster(appstore.Open(again(), ""), func(apps []*belfry.App) { last = apps })
		test(t, r, func() []*belfry.App { return last })
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func fixedApp(id, key string) *belfry.App {
	return &belfry.App{ID: id, Name: id, Keys: []belfry.Credential{{Key: key, Secret: "s"}}, Limits: belfry.DefaultLimits()}
}

func add(t *testing.T, r *appstore.Roster, n appstore.New) *appstore.Created {
	t.Helper()
	created, err := r.Add(t.Context(), n)
	must(t, err)
	return created
}

func load(t *testing.T, s *appstore.Store) []appstore.Record {
	t.Helper()
	records, err := s.Load(t.Context())
	must(t, err)
	return records
}
