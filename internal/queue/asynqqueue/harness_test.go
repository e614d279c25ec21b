package asynqqueue_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/queue"
	"github.com/belfryhq/belfry/internal/queue/asynqqueue"
	"github.com/belfryhq/belfry/test/services"
)

func TestMain(m *testing.M) {
	if name := os.Getenv("ASYNQQUEUE_WORKER"); name != "" {
		workerProcess(os.Getenv("ASYNQQUEUE_REDIS"), name)
	}
	goleak.VerifyTestMain(m)
}

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// safeBuffer is a log that goroutines may write to.
type safeBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func open(t testing.TB, addr string) (*asynqqueue.Driver, *safeBuffer) {
	t.Helper()
	log := &safeBuffer{}
	d, err := asynqqueue.New(asynqqueue.Config{Addr: addr, Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d, log
}

func job(id string) belfry.Job {
	return belfry.Job{ID: id, Kind: "test", Queue: "default", Payload: []byte(`{"n":1}`)}
}

func jobs(n int) (list []belfry.Job) {
	for i := range n {
		list = append(list, job(fmt.Sprintf("j%05d", i)))
	}
	return list
}

func enqueue(t testing.TB, d *asynqqueue.Driver, list ...belfry.Job) {
	t.Helper()
	if err := d.Enqueue(t.Context(), nil, list); err != nil {
		t.Fatal(err)
	}
}

// worker is a running Work.
type worker struct {
	t     testing.TB
	taken chan queue.Attempt // in the order of Take
	quit  context.CancelFunc
	ended chan error
}

// start runs a worker; run is nil for jobs that are done at once.
func start(t testing.TB, d *asynqqueue.Driver, crew queue.Crew, run func(ctx context.Context, a queue.Attempt) queue.Verdict) *worker {
	t.Helper()
	w := &worker{t: t, taken: make(chan queue.Attempt, 100_000), ended: make(chan error, 1)}
	if crew.Worker == "" {
		crew.Worker = "w1"
	}
	if crew.Queues == nil {
		crew.Queues = []string{"default"}
	}
	crew.Take = func(a queue.Attempt) func(context.Context) queue.Verdict {
		w.taken <- a
		return func(ctx context.Context) queue.Verdict {
			if run == nil {
				return queue.Verdict{}
			}
			return run(ctx, a)
		}
	}
	ctx, quit := context.WithCancel(context.Background())
	w.quit = quit
	go func() { w.ended <- d.Work(ctx, crew) }()
	t.Cleanup(w.stop)
	return w
}

// stop ends the worker and waits for it. It may be called again.
func (w *worker) stop() {
	w.quit()
	select {
	case err := <-w.ended:
		if err != nil {
			w.t.Errorf("Work: %v", err)
		}
		w.ended <- nil
	case <-time.After(patience):
		w.t.Error("Work does not return")
	}
}

// next gives the job that is taken next.
func (w *worker) next() queue.Attempt {
	w.t.Helper()
	select {
	case a := <-w.taken:
		return a
	case <-time.After(patience):
		w.t.Fatal("no job came")
		return queue.Attempt{}
	}
}

// wants checks the ids of the next jobs.
func (w *worker) wants(ids ...string) {
	w.t.Helper()
	for _, id := range ids {
		if got := w.next().Job.ID; got != id {
			w.t.Fatalf("job %s was taken, want %s", got, id)
		}
	}
}

// eventually polls until the condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); {
		if time.Now().After(deadline) {
			t.Fatalf("never happened: %s", what)
		}
		wait(5 * time.Millisecond)
	}
}

func wait(d time.Duration) { <-time.After(d) }

func size(t testing.TB, d *asynqqueue.Driver, q string) queue.Size {
	t.Helper()
	sizes, err := d.Sizes(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return sizes[q]
}

func empty(t testing.TB, d *asynqqueue.Driver) {
	t.Helper()
	eventually(t, "the queues are empty", func() bool {
		sizes, err := d.Sizes(context.Background())
		return err == nil && len(sizes) == 0
	})
}

func redisServer(t testing.TB) string {
	t.Helper()
	return services.Redis(t)
}

// silent gives the address of a server that takes connections and says nothing.
func silent(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() }) // connections wait in its queue
	return listener.Addr().String()
}
