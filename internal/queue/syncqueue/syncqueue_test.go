package syncqueue_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/queue"
	"github.com/belfryhq/belfry/internal/queue/syncqueue"
	"github.com/belfryhq/belfry/internal/store"
	"github.com/belfryhq/belfry/test/services"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// each runs a test on both databases.
func each(t *testing.T, test func(t *testing.T, db *store.DB)) {
	for name, url := range map[string]func(testing.TB) string{"SQLite": func(testing.TB) string { return "" }, "Postgres": services.Postgres} {
		t.Run(name, func(t *testing.T) {
			db, err := store.Open(store.Config{URL: url(t), Dir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { db.Close() })
			if _, err := db.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			test(t, db)
		})
	}
}

// diary notes payloads.
type diary struct {
	mu  sync.Mutex // guards ran
	ran []string
}

func (d *diary) add(job belfry.Job) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ran = append(d.ran, string(job.Payload))
}

func (d *diary) String() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Join(d.ran, " ")
}

func job(payload string) belfry.Job { return belfry.Job{Kind: "test", Payload: []byte(payload)} }

func TestJobsRunInTheCall(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		q := queue.New(queue.Config{DB: db, Driver: syncqueue.New()})
		var d diary
		q.Handle("test", func(ctx context.Context, j belfry.Job) error {
			d.add(j)
			if string(j.Payload) == "1" { // a job may enqueue another
				_, err := q.Enqueue(ctx, nil, job("11"))
				return err
			}
			return nil
		})
		if _, err := q.Enqueue(t.Context(), nil, job("1"), job("2")); err != nil {
			t.Fatal(err)
		}
		if d.String() != "1 11 2" {
			t.Errorf("ran %s", &d)
		}
	})
}

func TestJobsOfATransactionRunAfterIt(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		q := queue.New(queue.Config{DB: db, Driver: syncqueue.New()})
		var d diary
		q.Handle("test", func(ctx context.Context, j belfry.Job) error {
			d.add(j)
			return db.Check(ctx) // the database may be used
		})
		undone := errors.New("undone")
		err := db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			_, err := q.Enqueue(ctx, tx, job("0"))
			return errors.Join(err, undone)
		})
		if !errors.Is(err, undone) {
			t.Fatal(err)
		}
		err = db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			_, err := q.Enqueue(ctx, tx, job("1"), job("2"))
			if d.String() != "" {
				t.Error("a job ran before the commit")
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if d.String() != "1 2" {
			t.Errorf("ran %s", &d)
		}
		if failed, err := q.Failed(t.Context(), "", 0); err != nil || len(failed) != 0 {
			t.Errorf("failed %v, %v", failed, err)
		}
	})
}

func TestFailingJobsAreKept(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		q := queue.New(queue.Config{DB: db, Driver: syncqueue.New()})
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() { q.Run(ctx) })
		defer all.Wait()
		defer cancel()
		var d diary
		q.Handle("test", func(_ context.Context, j belfry.Job) error {
			d.add(j)
			if len(d.String()) == 1 {
				return errors.New("no such luck")
			}
			return nil
		})
		ids, err := q.Enqueue(t.Context(), nil, job("1"))
		if err != nil {
			t.Fatal(err)
		}
		f, err := q.Find(t.Context(), ids[0])
		if err != nil || f.State != queue.Failed || f.Error != "no such luck" || f.Tries != 1 {
			t.Errorf("found %+v, %v", f, err)
		}
		if err := q.Retry(t.Context(), ids[0]); err != nil {
			t.Fatal(err)
		}
		later := job("2")
		later.RunAt = time.Now().Add(300 * time.Millisecond)
		if _, err := q.Enqueue(t.Context(), nil, later); err != nil {
			t.Fatal(err)
		}
		done := func() bool {
			return slices.ContainsFunc(q.Stats(), func(s queue.Stats) bool { return s.Failed == 1 && s.Done == 2 })
		}
		for over := time.After(30 * time.Second); d.String() != "1 1 2" || !done(); {
			select {
			case <-over:
				t.Fatalf("ran %s; stats %+v", &d, q.Stats())
			case <-time.After(5 * time.Millisecond):
			}
		}
	})
}
