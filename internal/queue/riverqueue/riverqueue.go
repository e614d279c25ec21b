package riverqueue

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"

	"github.com/belfryhq/belfry/internal/queue"
	"github.com/belfryhq/belfry/internal/store"
)

// Config is what a Driver is made of. DB is required.
type Config struct {
	DB     *store.DB
	Logger *slog.Logger // default: nothing is logged
}

// Driver implements queue.Driver.
type Driver struct {
	db  *store.DB
	log *slog.Logger
	// fetching lets one crew of this process fetch at a time, so that all of
	// them together take jobs in order.
	fetching sync.Mutex

	look, grab, put *store.Statement // glanceSQL, grabSQLite, insertSQLite
}

// New makes a Driver. It opens nothing.
func New(cfg Config) *Driver {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Driver{
		db: cfg.DB, log: cfg.Logger,
		look: cfg.DB.Statement(glanceSQL), grab: cfg.DB.Statement(grabSQLite), put: cfg.DB.Statement(insertSQLite),
	}
}

// The fetches. One follows another after fetchRest at the soonest, so that jobs
// of a burst come in few fetches; without news from anyone there is one after
// the poll time.
const (
	fetchRest    = 2 * time.Millisecond
	sqlitePoll   = 250 * time.Millisecond
	postgresPoll = time.Second
)

// migrateKey is the number of PostgreSQL's lock under which one process at a
// time makes River's tables.
const migrateKey = 0x62656c6672797175

// Prepare implements queue.Driver: it makes River's tables, without the indexes
// that serve searches nobody makes here: on PostgreSQL they cost a quarter of
// the rate. Several processes may do it at once.
func (d *Driver) Prepare(ctx context.Context) (err error) {
	if d.db.Dialect() == store.Postgres {
		return d.db.Tx(ctx, func(inside context.Context, tx *store.Tx) error {
			if _, err := tx.Exec(inside, `SELECT pg_advisory_xact_lock($1)`, int64(migrateKey)); err != nil {
				return err
			}
			if err := migrate(ctx, d, riverpgxv5.New(d.db.Pool())); err != nil {
				return err
			}
			_, err := tx.Exec(inside, `DROP INDEX IF EXISTS river_job_kind, river_job_args_index, river_job_metadata_index`)
			return err
		})
	}
	for try := 0; ; try++ {
		// Another process may take the same step under SQLite: look again.
		if err = migrate(ctx, d, riversqlite.New(d.db.SQL())); err == nil {
			_, err = d.db.Exec(ctx, `DROP INDEX IF EXISTS river_job_kind`)
		}
		if err == nil || try == 5 || ctx.Err() != nil {
			return err
		}
	}
}

func migrate[TTx any](ctx context.Context, d *Driver, driver riverdriver.Driver[TTx]) error {
	m, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: d.quiet()})
	if err != nil {
		return err
	}
	_, err = m.Migrate(ctx, rivermigrate.DirectionUp, nil)
	return err
}

// Transactional implements queue.Driver.
func (d *Driver) Transactional() bool { return true }

// Work implements queue.Driver.
func (d *Driver) Work(ctx context.Context, crew queue.Crew) error {
	c := &run{d: d, crew: crew, hands: map[int64]*hand{}}
	if d.db.Dialect() == store.Postgres {
		return work(ctx, c, riverpgxv5.New(d.db.Pool()), (*store.Tx).PgxTx, postgresPoll)
	}
	return work(ctx, c, riversqlite.New(d.db.SQL()), (*store.Tx).SQLTx, sqlitePoll)
}

// everything is the name of the one queue that River's producer knows. Which
// queues it stands for is the crew's.
const everything = "belfry"

// stopTime is what River may take beyond the crew's grace to write down what
// was done.
const stopTime = 5 * time.Second

func work[TTx any](ctx context.Context, c *run, driver riverdriver.Driver[TTx], unwrap func(*store.Tx) TTx, poll time.Duration) error {
	c.grab = func(ctx context.Context, tx *store.Tx, params *riverdriver.JobGetAvailableParams) ([]*rivertype.JobRow, error) {
		return driver.UnwrapExecutor(unwrap(tx)).JobGetAvailable(ctx, params)
	}
	if c.d.db.Dialect() == store.SQLite {
		c.grab = c.d.grabRows
	}
	workers := river.NewWorkers()
	if err := river.AddWorkerSafely(workers, &doer{run: c}); err != nil {
		return err
	}
	client, err := river.NewClient(&bent[TTx]{Driver: driver, run: c}, &river.Config{
		ID:                c.crew.Worker,
		Queues:            map[string]river.QueueConfig{everything: {MaxWorkers: c.crew.Concurrency}},
		Workers:           workers,
		FetchCooldown:     fetchRest,
		FetchPollInterval: poll,
		JobTimeout:        -1, // the Queue's matter
		SoftStopTimeout:   max(c.crew.Grace, time.Millisecond),
		Logger:            c.d.quiet(),
	})
	if err != nil {
		return err
	}
	if err := client.Start(ctx); err != nil {
		return err
	}
	select {
	case <-client.Stopped():
		return nil
	case <-ctx.Done():
	}
	// Jobs that do not end with their context are left behind.
	over := time.NewTimer(c.crew.Grace + stopTime)
	defer over.Stop()
	select {
	case <-client.Stopped():
	case <-over.C:
		c.d.log.Error("jobs do not end", "worker", c.crew.Worker, "jobs", c.count())
	}
	return nil
}

// quiet is a logger for River, whose errors are said by the Queue once and
// better.
func (d *Driver) quiet() *slog.Logger { return slog.New(lowered{d.log.Handler()}) }

// lowered takes every line down to debug level.
type lowered struct{ slog.Handler }

func (l lowered) Enabled(ctx context.Context, _ slog.Level) bool {
	return l.Handler.Enabled(ctx, slog.LevelDebug)
}

func (l lowered) Handle(ctx context.Context, r slog.Record) error {
	r.Level = slog.LevelDebug
	return l.Handler.Handle(ctx, r)
}

func (l lowered) WithAttrs(attrs []slog.Attr) slog.Handler {
	return lowered{l.Handler.WithAttrs(attrs)}
}
func (l lowered) WithGroup(name string) slog.Handler { return lowered{l.Handler.WithGroup(name)} }
