package asynqqueue_test

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/queue"
	"github.com/belfryhq/belfry/internal/queue/asynqqueue"
)

func TestJobsAreTakenInOrderByManyHandlers(t *testing.T) {
	d, _ := open(t, redisServer(t))
	const n = 3000
	for list := range slices.Chunk(jobs(n/2), 10) {
		enqueue(t, d, list...)
	}
	w := start(t, d, queue.Crew{Concurrency: 8}, nil)
	for list := range slices.Chunk(jobs(n)[n/2:], 10) {
		enqueue(t, d, list...)
	}
	for i := range n {
		w.wants(fmt.Sprintf("j%05d", i))
	}
	empty(t, d)
}

func TestAJobArrivesAsItWas(t *testing.T) {
	d, _ := open(t, redisServer(t))
	sent := belfry.Job{ID: "x", Kind: "broadcast", Queue: "mail", Payload: []byte(`{"ü":"\u0000"}`), Lanes: []string{"a", "b"},
		Priority: 3, Tries: 4, Backoff: []time.Duration{time.Second}, Timeout: time.Minute, Unique: "u", UniqueFor: time.Hour,
		Enqueued: time.Now().UTC().Truncate(time.Millisecond)}
	enqueue(t, d, sent)
	w := start(t, d, queue.Crew{Queues: []string{"mail"}}, nil)
	got := w.next()
	if !reflect.DeepEqual(got.Job, sent) {
		t.Errorf("sent %+v\n got %+v", sent, got.Job)
	}
	if got.Delivery != 1 || got.Waited < 0 || got.Waited > patience {
		t.Errorf("delivery %d, waited %v", got.Delivery, got.Waited)
	}
}

func TestAnIDThatIsKeptIsLeftAsItIs(t *testing.T) {
	d, _ := open(t, redisServer(t))
	enqueue(t, d, job("a"), job("b"))
	again := job("a")
	again.Payload = []byte(`{"n":2}`)
	enqueue(t, d, again)
	if got := size(t, d, "default").Waiting; got != 2 {
		t.Errorf("%d jobs wait, want 2", got)
	}
	w := start(t, d, queue.Crew{}, nil)
	if got := w.next(); got.Job.ID != "a" || string(got.Job.Payload) != `{"n":1}` {
		t.Errorf("%+v", got.Job)
	}
	w.wants("b")
	empty(t, d)
	enqueue(t, d, job("a")) // it is no longer kept
	w.wants("a")
}

func TestImportanceOfQueuesAndPriorities(t *testing.T) {
	d, _ := open(t, redisServer(t))
	put := func(id, q string, priority int) {
		j := job(id)
		j.Queue, j.Priority = q, priority
		enqueue(t, d, j)
	}
	put("low", "low", 1)
	put("last", "default", 4)
	put("usual", "default", 0)
	put("third", "default", 3)
	put("first", "default", 1)
	put("high", "high", 4)
	put("usual2", "default", 2)
	put("other", "other", 1)
	w := start(t, d, queue.Crew{Queues: []string{"high", "default", "low"}}, nil)
	w.wants("high", "first", "usual", "usual2", "third", "last", "low")
	eventually(t, "only the other queue has jobs", func() bool {
		sizes, err := d.Sizes(t.Context())
		return err == nil && len(sizes) == 1 && sizes["other"].Waiting == 1
	})
}

func TestKeptJobsComeAgainAfterThePause(t *testing.T) {
	d, _ := open(t, redisServer(t))
	var mu sync.Mutex
	times := map[string][]time.Time{}
	enqueue(t, d, job("slow"), job("again"), job("plain"))
	w := start(t, d, queue.Crew{}, func(_ context.Context, a queue.Attempt) queue.Verdict {
		mu.Lock()
		defer mu.Unlock()
		times[a.Job.ID] = append(times[a.Job.ID], time.Now())
		switch {
		case a.Delivery != 1:
			t.Errorf("a kept job counts as delivery %d", a.Delivery)
		case len(times[a.Job.ID]) > 1:
		case a.Job.ID == "slow":
			return queue.Verdict{Keep: true, After: 300 * time.Millisecond}
		case a.Job.ID == "again":
			return queue.Verdict{Keep: true}
		}
		return queue.Verdict{}
	})
	w.wants("slow", "again", "again", "plain")
	if s := size(t, d, "default"); s.Waiting != 1 {
		t.Errorf("%+v", s)
	}
	if state, err := d.State(t.Context(), "slow"); state != queue.Waiting {
		t.Errorf("%q %v", state, err)
	}
	w.wants("slow")
	empty(t, d)
	mu.Lock()
	defer mu.Unlock()
	if pause := times["slow"][1].Sub(times["slow"][0]); pause < 299*time.Millisecond {
		t.Errorf("the job came after %v", pause)
	}
}

// A worker that stops keeps jobs that had not begun, in whatever order.
func TestKeptJobsComeAgainInTheirOrder(t *testing.T) {
	d, _ := open(t, redisServer(t))
	const n, took = 50, 40
	enqueue(t, d, jobs(n)...)
	var gates [took]chan struct{}
	for i := range gates {
		gates[i] = make(chan struct{})
	}
	w := start(t, d, queue.Crew{Concurrency: took, Grace: patience}, func(_ context.Context, a queue.Attempt) queue.Verdict {
		i, _ := strconv.Atoi(a.Job.ID[1:])
		<-gates[i]
		return queue.Verdict{Keep: true}
	})
	for range took {
		w.next()
	}
	w.quit()
	for i, gate := range slices.Backward(gates[:]) {
		close(gate)
		if i%7 == 0 { // let some reach Redis
			eventually(t, "the results reach Redis", func() bool { return size(t, d, "default").Running == i })
		}
	}
	w.stop()
	again := start(t, d, queue.Crew{Worker: "w2"}, nil)
	for i := range n {
		if a := again.next(); a.Job.ID != fmt.Sprintf("j%05d", i) || a.Delivery != 1 {
			t.Fatalf("%s came as number %d, delivery %d", a.Job.ID, i, a.Delivery)
		}
	}
	empty(t, d)
}

func TestManyAndLargeJobs(t *testing.T) {
	d, _ := open(t, redisServer(t))
	list := jobs(1700)
	for i := range 6 {
		list[i*100].Payload = []byte(`"` + strings.Repeat("x", 700_000) + `"`)
	}
	enqueue(t, d, list...)
	if got := size(t, d, "default").Waiting; got != len(list) {
		t.Fatalf("%d jobs wait", got)
	}
	w := start(t, d, queue.Crew{Concurrency: 300}, nil)
	for i, j := range list {
		if a := w.next(); a.Job.ID != j.ID || len(a.Job.Payload) != len(j.Payload) {
			t.Fatalf("%s came as number %d with %d bytes", a.Job.ID, i, len(a.Job.Payload))
		}
	}
	empty(t, d)
}

// asynq's tools must see what its own client would have written.
func TestATaskIsAsAsynqWritesIt(t *testing.T) {
	addr := redisServer(t)
	d, _ := open(t, addr)
	enqueue(t, d, job("a"))
	inspector := asynq.NewInspector(asynq.RedisClientOpt{Addr: addr})
	defer inspector.Close()
	ours, err := inspector.GetTaskInfo("belfry.default", "a")
	if err != nil {
		t.Fatal(err)
	}
	client := asynq.NewClient(asynq.RedisClientOpt{Addr: addr})
	defer client.Close()
	if _, err := client.Enqueue(asynq.NewTask("test", ours.Payload), asynq.Queue("belfry.copy"), asynq.TaskID("a"), asynq.MaxRetry(0)); err != nil {
		t.Fatal(err)
	}
	theirs, err := inspector.GetTaskInfo("belfry.copy", "a")
	if err != nil {
		t.Fatal(err)
	}
	theirs.Queue = "belfry.default"
	ours.NextProcessAt, theirs.NextProcessAt = time.Time{}, time.Time{} // the time of asking
	if !reflect.DeepEqual(ours, theirs) {
		t.Errorf("asynq reads\n%+v, of its own client\n%+v", ours, theirs)
	}
	// And the other way round, byte for byte.
	raw := redis.NewClient(&redis.Options{Addr: addr})
	defer raw.Close()
	one, err1 := raw.HGetAll(t.Context(), "asynq:{belfry.default}:t:a").Result()
	two, err2 := raw.HGetAll(t.Context(), "asynq:{belfry.copy}:t:a").Result()
	if err1 != nil || err2 != nil || len(one) != len(two) || strings.Replace(two["msg"], "\x0bbelfry.copy", "\x0ebelfry.default", 1) != one["msg"] {
		t.Errorf("%v %v\n%q\n%q", err1, err2, one, two)
	}
}

func TestJobsOfALostWorkerComeFirstAgain(t *testing.T) {
	addr := redisServer(t)
	d, _ := open(t, addr)
	enqueue(t, d, jobs(6)...)
	release := make(chan struct{})
	stuck := func(context.Context, queue.Attempt) queue.Verdict {
		<-release
		return queue.Verdict{}
	}
	lost := start(t, d, queue.Crew{Worker: "lost", Concurrency: 3}, stuck)
	t.Cleanup(func() { close(release) })
	lost.wants("j00000", "j00001", "j00002")
	lost.stop() // it leaves them

	other, _ := open(t, addr)
	if n, err := other.GiveBack(t.Context(), []string{"nobody"}); n != 0 || err != nil {
		t.Errorf("%d given back of nobody, %v", n, err)
	}
	if state, err := other.State(t.Context(), "j00001"); state != queue.Running || err != nil {
		t.Errorf("%q %v", state, err)
	}
	if n, err := other.GiveBack(t.Context(), []string{"nobody", "lost"}); n != 3 || err != nil {
		t.Errorf("%d given back, %v; want 3", n, err)
	}
	w := start(t, other, queue.Crew{Worker: "w2", Concurrency: 2}, nil)
	for i := range 6 {
		a := w.next()
		if want := fmt.Sprintf("j%05d", i); a.Job.ID != want {
			t.Fatalf("%s came, want %s", a.Job.ID, want)
		}
		if want := 1 + (5-i)/3; a.Delivery != want {
			t.Errorf("%s is delivery %d, want %d", a.Job.ID, a.Delivery, want)
		}
	}
	empty(t, d)
}

// A worker that was taken for dead and is not must not finish what is another's.
func TestAResultThatComesTooLateChangesNothing(t *testing.T) {
	d, _ := open(t, redisServer(t))
	enqueue(t, d, job("a"))
	release := map[string]chan struct{}{"w1": make(chan struct{}), "w2": make(chan struct{})}
	waits := func(worker string) func(context.Context, queue.Attempt) queue.Verdict {
		return func(context.Context, queue.Attempt) queue.Verdict {
			<-release[worker]
			return queue.Verdict{}
		}
	}
	w1 := start(t, d, queue.Crew{Worker: "w1", Grace: patience}, waits("w1"))
	w1.wants("a")
	w2 := start(t, d, queue.Crew{Worker: "w2", Grace: patience}, waits("w2"))
	if n, err := d.GiveBack(t.Context(), []string{"w1"}); n != 1 || err != nil {
		t.Fatalf("%d %v", n, err)
	}
	taker, other := w2, w1
	select { // either may take it: w1 has no free hand, so it is w2
	case a := <-w2.taken:
		if a.Delivery != 2 {
			t.Errorf("delivery %d", a.Delivery)
		}
	case <-time.After(patience):
		t.Fatal("no job came")
	}
	close(release["w1"])
	other.stop()
	if state, err := d.State(t.Context(), "a"); state != queue.Running || err != nil {
		t.Errorf("the job of another is %q, %v", state, err)
	}
	close(release["w2"])
	taker.stop()
	empty(t, d)
}

func TestPauseClearSizesAndState(t *testing.T) {
	d, _ := open(t, redisServer(t))
	if sizes, err := d.Sizes(t.Context()); len(sizes) != 0 || err != nil {
		t.Errorf("%v %v", sizes, err)
	}
	if state, err := d.State(t.Context(), "a"); state != "" || err != nil {
		t.Errorf("%q %v", state, err)
	}
	if n, err := d.Clear(t.Context(), "nothing"); n != 0 || err != nil {
		t.Errorf("%d %v", n, err)
	}
	pause := func(yes bool) {
		t.Helper()
		for range 2 { // again changes nothing
			if err := d.Pause(t.Context(), "default", yes); err != nil {
				t.Fatal(err)
			}
		}
	}
	pause(true)
	if s := size(t, d, "default"); s != (queue.Size{Paused: true}) {
		t.Errorf("%+v", s)
	}
	urgent, elsewhere := job("urgent"), job("elsewhere")
	urgent.Priority, elsewhere.Queue = 1, "mail"
	enqueue(t, d, job("a"), urgent, elsewhere)
	w := start(t, d, queue.Crew{Queues: []string{"default", "mail"}}, nil)
	w.wants("elsewhere") // and nothing of the paused one, which is more important
	eventually(t, "the oldest job ages", func() bool { return size(t, d, "default").Oldest > 0 })
	s := size(t, d, "default")
	if s.Oldest = 0; s != (queue.Size{Waiting: 2, Paused: true}) {
		t.Errorf("%+v", s)
	}
	if state, err := d.State(t.Context(), "a"); state != queue.Waiting || err != nil {
		t.Errorf("%q %v", state, err)
	}
	pause(false)
	w.wants("urgent", "a")
	empty(t, d)

	pause(true)
	enqueue(t, d, job("b"), job("c"), urgent)
	if n, err := d.Clear(t.Context(), "default"); n != 3 || err != nil {
		t.Errorf("%d cleared, %v; want 3", n, err)
	}
	if state, err := d.State(t.Context(), "b"); state != "" || err != nil {
		t.Errorf("%q %v", state, err)
	}
	pause(false)
	enqueue(t, d, job("b"))
	w.wants("b")
}

func TestClearLeavesARunningJob(t *testing.T) {
	d, _ := open(t, redisServer(t))
	release := make(chan struct{})
	enqueue(t, d, jobs(3)...)
	w := start(t, d, queue.Crew{Grace: patience}, func(context.Context, queue.Attempt) queue.Verdict {
		<-release
		return queue.Verdict{}
	})
	w.wants("j00000")
	if n, err := d.Clear(t.Context(), "default"); n != 2 || err != nil {
		t.Errorf("%d cleared, %v; want 2", n, err)
	}
	if s := size(t, d, "default"); s.Running != 1 {
		t.Errorf("%+v", s)
	}
	w.quit()
	close(release)
	w.stop()
	empty(t, d)
}

func TestAWorkerIsWokenByAnotherProcess(t *testing.T) {
	addr := redisServer(t)
	there, _ := open(t, addr)
	here, _ := open(t, addr)
	w := start(t, here, queue.Crew{}, nil)
	enqueue(t, there, job("warm"))
	w.wants("warm")
	var waits []time.Duration
	for i := range 21 {
		begin := time.Now()
		enqueue(t, there, job(fmt.Sprint(i)))
		w.wants(fmt.Sprint(i))
		waits = append(waits, time.Since(begin))
	}
	slices.Sort(waits)
	if waits[10] > 100*time.Millisecond { // by looking only it would be 125 ms more
		t.Errorf("the median wait is %v", waits[10])
	}
	t.Logf("median %v", waits[10])
}

func TestSeveralWorkersRunEachJobOnce(t *testing.T) {
	addr := redisServer(t)
	var mu sync.Mutex
	ran := map[string]int{}
	for i := range 4 {
		d, _ := open(t, addr)
		start(t, d, queue.Crew{Worker: fmt.Sprint("w", i), Concurrency: 3}, func(_ context.Context, a queue.Attempt) queue.Verdict {
			mu.Lock()
			defer mu.Unlock()
			ran[a.Job.ID]++
			return queue.Verdict{}
		})
	}
	d, _ := open(t, addr)
	for list := range slices.Chunk(jobs(1000), 50) {
		enqueue(t, d, list...)
	}
	empty(t, d)
	mu.Lock()
	defer mu.Unlock()
	if len(ran) != 1000 {
		t.Errorf("%d jobs ran", len(ran))
	}
	for id, n := range ran {
		if n != 1 {
			t.Errorf("%s ran %d times", id, n)
		}
	}
}

func TestATaskThatIsNoJobIsPutAside(t *testing.T) {
	addr := redisServer(t)
	d, log := open(t, addr)
	foreign := asynq.NewClient(asynq.RedisClientOpt{Addr: addr})
	defer foreign.Close()
	for _, q := range []string{"belfry.default", "default"} { // the second is none of ours
		if _, err := foreign.Enqueue(asynq.NewTask("x", []byte("not JSON")), asynq.Queue(q), asynq.TaskID("odd")); err != nil {
			t.Fatal(err)
		}
	}
	enqueue(t, d, job("a"))
	w := start(t, d, queue.Crew{}, nil)
	w.wants("a")
	empty(t, d)
	if state, err := d.State(t.Context(), "odd"); state != queue.Failed || err != nil {
		t.Errorf("%q %v", state, err)
	}
	if got := log.String(); !contains(got, "not a job of ours") {
		t.Errorf("log: %s", got)
	}
	inspector := asynq.NewInspector(asynq.RedisClientOpt{Addr: addr})
	defer inspector.Close()
	if info, err := inspector.GetQueueInfo("default"); err != nil || info.Pending != 1 {
		t.Errorf("another's queue: %+v %v", info, err)
	}
	if info, err := inspector.GetQueueInfo("belfry.default"); err != nil || info.Archived != 1 || info.Active != 0 {
		t.Errorf("asynq's tools see %+v %v", info, err)
	}
}

func FuzzMessage(f *testing.F) {
	f.Add([]byte{0x0a, 1, 'x', 0x12, 2, '{', '}'})
	f.Fuzz(func(t *testing.T, message []byte) {
		if value, err := asynqqueue.Field(message, 2); err == nil && len(value) > len(message) {
			t.Error("more came out than went in")
		}
	})
}
