package store

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/belfryhq/belfry"
)

func openPostgres(cfg Config) (*DB, error) {
	settings, err := pgxpool.ParseConfig(cfg.URL)
	if err != nil {
		// The parser's message may quote the address, which may hold a password.
		return nil, belfry.Errorf(belfry.CodeInvalid, "the database's address cannot be read: write postgres://USER:PASSWORD@HOST:5432/NAME, with %%-escapes for special characters")
	}
	settings.MaxConns = int32(cmp.Or(cfg.Connections, 16))
	settings.ConnConfig.ConnectTimeout = cmp.Or(settings.ConnConfig.ConnectTimeout, 5*time.Second)
	settings.ConnConfig.RuntimeParams["application_name"] = cmp.Or(settings.ConnConfig.RuntimeParams["application_name"], "belfry")
	settings.HealthCheckPeriod = 15 * time.Second
	pool, err := pgxpool.NewWithConfig(context.Background(), settings)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	db := stdlib.OpenDBFromPool(pool)
	at := settings.ConnConfig
	return &DB{dialect: Postgres, place: fmt.Sprintf("postgres %s:%d/%s", at.Host, at.Port, at.Database), log: cfg.Logger, write: db, read: db, pool: pool}, nil
}
