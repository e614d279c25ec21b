package riverqueue_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/queue"
	"github.com/belfryhq/belfry/internal/queue/riverqueue"
	"github.com/belfryhq/belfry/internal/store"
	"github.com/belfryhq/belfry/test/services"
)

// The child process of TestKilledWorkers knows from these what it is to do.
const (
	childURL  = "BELFRY_TEST_QUEUE_URL"
	childFile = "BELFRY_TEST_QUEUE_FILE"
)

// quickly makes a Queue that does not wait long for the dead.
func quickly(db *store.DB) *queue.Queue {
	return queue.New(queue.Config{DB: db, Driver: riverqueue.New(riverqueue.Config{DB: db}), Beat: 100 * time.Millisecond, Silent: time.Second})
}

// child works until it is killed, and writes down the id of each job.
func child() {
	db, err := store.Open(store.Config{URL: os.Getenv(childURL)})
	if err != nil {
		panic(err)
	}
	f, err := os.OpenFile(os.Getenv(childFile), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		panic(err)
	}
	q := quickly(db)
	q.Handle("test", func(_ context.Context, job belfry.Job) error {
		_, err := fmt.Fprintln(f, job.ID)
		return err
	})
	q.Work(context.Background(), queue.Worker{Concurrency: 4, Tries: 100})
}

// A worker process is killed again and again while jobs come: each job is done,
// and none is stuck.
func TestKilledWorkers(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) {
		killWorkers(t, "sqlite:///"+filepath.ToSlash(filepath.Join(t.TempDir(), "belfry.db")))
	})
	t.Run("Postgres", func(t *testing.T) { killWorkers(t, services.Postgres(t)) })
}

func killWorkers(t *testing.T, url string) {
	p := open(t, store.Config{URL: url})
	q := quickly(p.DB)
	if err := q.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "done")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); q.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })

	var ids []string
	enqueue := func(n int) {
		for range n {
			kept, err := q.Enqueue(t.Context(), nil, belfry.Job{Kind: "test", Lanes: []string{fmt.Sprint(n % 7)}})
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, kept...)
		}
	}
	for range 8 {
		worker := startChild(t, url, file)
		enqueue(20 + rand.IntN(20))
		<-time.After(time.Duration(rand.IntN(300)) * time.Millisecond)
		worker.Process.Kill()
		worker.Wait()
		enqueue(5)
	}
	worker := startChild(t, url, file)
	defer worker.Wait()
	defer worker.Process.Kill()
	for over := time.Now().Add(60 * time.Second); ; {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		missing := 0
		for _, id := range ids {
			if !strings.Contains(string(text), id) {
				missing++
			}
		}
		sizes, err := q.Sizes(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if s := sizes[belfry.DefaultQueue]; missing == 0 && s.Running == 0 && s.Waiting == 0 {
			return
		}
		if time.Now().After(over) {
			t.Fatalf("%d of %d jobs are missing; sizes %+v", missing, len(ids), sizes)
		}
		<-time.After(20 * time.Millisecond)
	}
}

func startChild(t *testing.T, url, file string) *exec.Cmd {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(program)
	c.Env = append(os.Environ(), childURL+"="+url, childFile+"="+file)
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}
