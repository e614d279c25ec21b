package cli

import (
	"context"

	"github.com/belfryhq/belfry/internal/config"
	"github.com/belfryhq/belfry/internal/store"
)

// database opens the database of the settings, with dir as the data folder, and
// brings its schema up to this program's. The caller closes it.
func database(ctx context.Context, cfg *config.Config, dir string) (*store.DB, error) {
	db, err := store.Open(store.Config{URL: cfg.DatabaseURL, Dir: dir, Connections: 2})
	if err != nil {
		return nil, err
	}
	if _, err := db.Migrate(ctx); err != nil {
		db.Close()
		return nil, err
	}
	return db, nil
}

// databaseName says where the settings' database is, without a password.
func databaseName(cfg *config.Config) string {
	db, err := store.Open(store.Config{URL: cfg.DatabaseURL, Dir: cfg.DataDir})
	if err != nil { // the server has opened it before
		return ""
	}
	defer db.Close()
	return db.String()
}
