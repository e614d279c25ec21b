package asynqqueue_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/queue"
	"github.com/belfryhq/belfry/internal/queue/asynqqueue"
	"github.com/belfryhq/belfry/test/services"
)

func contains(text, part string) bool { return strings.Contains(text, part) }

// unavailable checks that a call says at once that Redis is away.
func unavailable(t *testing.T, what string, call func() error) {
	t.Helper()
	begin := time.Now()
	err := call()
	if belfry.CodeOf(err) != belfry.CodeUnavailable {
		t.Errorf("%s without Redis: %v", what, err)
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("%s took %v to say that Redis is away", what, took)
	}
}

func TestRedisIsAwayAtStart(t *testing.T) {
	server := services.OwnRedis(t)
	server.Stop()
	d, log := open(t, server.Addr)
	ctx := t.Context()
	unavailable(t, "Prepare", func() error { return d.Prepare(ctx) })
	unavailable(t, "Enqueue", func() error { return d.Enqueue(ctx, nil, jobs(1)) })
	unavailable(t, "Sizes", func() error { _, err := d.Sizes(ctx); return err })
	unavailable(t, "Pause", func() error { return d.Pause(ctx, "default", true) })
	unavailable(t, "Clear", func() error { _, err := d.Clear(ctx, "default"); return err })
	unavailable(t, "GiveBack", func() error { _, err := d.GiveBack(ctx, []string{"w"}); return err })
	unavailable(t, "State", func() error { _, err := d.State(ctx, "x"); return err })
	w := start(t, d, queue.Crew{}, nil)
	eventually(t, "the worker says that it waits", func() bool { return contains(log.String(), "the worker waits for Redis") })
	server.Start()
	enqueue(t, d, jobs(3)...)
	w.wants("j00000", "j00001", "j00002")
	empty(t, d)
	if err := d.Prepare(ctx); err != nil {
		t.Error(err)
	}
	if n := strings.Count(log.String(), "the worker waits for Redis"); n != 1 {
		t.Errorf("said %d times:\n%s", n, log)
	}
	if !contains(log.String(), "Redis is back") {
		t.Errorf("the log does not say that Redis is back:\n%s", log)
	}
}

// What was acknowledged runs through kills of Redis under load.
func TestRedisIsKilledUnderLoad(t *testing.T) {
	server := services.OwnRedis(t)
	d, _ := open(t, server.Addr)
	var mu sync.Mutex
	ran := map[string]int{}
	start(t, d, queue.Crew{Concurrency: 4}, func(_ context.Context, a queue.Attempt) queue.Verdict {
		mu.Lock()
		defer mu.Unlock()
		ran[a.Job.ID]++
		return queue.Verdict{}
	})
	ctx, cancel := context.WithCancel(t.Context())
	var acknowledged []string
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for i := 0; ctx.Err() == nil; i++ {
			id := fmt.Sprint("j", i)
			if d.Enqueue(ctx, nil, []belfry.Job{job(id)}) == nil {
				mu.Lock()
				acknowledged = append(acknowledged, id)
				mu.Unlock()
			}
		}
	}()
	count := func() int { mu.Lock(); defer mu.Unlock(); return len(ran) }
	const kills = 4
	for range kills {
		before := count()
		eventually(t, "jobs run", func() bool { return count() > before+100 })
		server.Kill()
		server.Start()
	}
	cancel()
	<-ended
	empty(t, d)
	mu.Lock()
	defer mu.Unlock()
	for _, id := range acknowledged {
		if ran[id] == 0 {
			t.Errorf("%s was acknowledged and did not run", id)
		}
	}
	repeats := 0
	for _, n := range ran {
		repeats += n - 1
	}
	t.Logf("%d acknowledged, %d ran, %d repeats", len(acknowledged), len(ran), repeats)
	// A kill may take the answer to the one Enqueue under way, which then tries
	// again. Nothing else may repeat, since the worker lived.
	if repeats > kills {
		t.Errorf("%d jobs ran again", repeats)
	}
}

// Jobs that end while Redis is away are not run again when it is back.
func TestResultsOutliveAnOutage(t *testing.T) {
	server := services.OwnRedis(t)
	d, log := open(t, server.Addr)
	enqueue(t, d, jobs(3)...)
	release := make(chan struct{})
	w := start(t, d, queue.Crew{Concurrency: 2}, func(_ context.Context, a queue.Attempt) queue.Verdict {
		if a.Delivery != 1 {
			t.Errorf("%s came again", a.Job.ID)
		}
		<-release
		return queue.Verdict{}
	})
	w.wants("j00000", "j00001")
	server.Stop()
	close(release)
	eventually(t, "the worker notices", func() bool { return contains(log.String(), "the worker waits for Redis") })
	server.Start()
	w.wants("j00002")
	empty(t, d)
}

// Redis may have handed out a job in an answer that never came.
func TestAJobInALostAnswerIsNotLost(t *testing.T) {
	server := services.OwnRedis(t)
	d, log := open(t, server.Addr)
	enqueue(t, d, jobs(2)...)
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	first := start(t, d, queue.Crew{Worker: "w"}, func(context.Context, queue.Attempt) queue.Verdict {
		<-release
		return queue.Verdict{}
	})
	first.wants("j00000")
	first.stop() // now Redis has given a job to w that w does not know of
	server.Stop()
	w := start(t, d, queue.Crew{Worker: "w"}, nil)
	eventually(t, "the worker notices", func() bool { return contains(log.String(), "the worker waits for Redis") })
	server.Start()
	w.wants("j00000", "j00001")
	empty(t, d)
}

func TestPrepareTellsWhatRedisWouldLose(t *testing.T) {
	for _, c := range []struct {
		args  []string
		warns string // empty: nothing
	}{
		{[]string{"--save", "", "--appendonly", "no"}, "keeps nothing on disk"},
		{[]string{"--save", "3600 1", "--appendonly", "no"}, "only now and then"},
		{[]string{"--appendonly", "yes"}, ""},
		{[]string{"--appendonly", "yes", "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"}, "may throw jobs away"},
		{[]string{"--appendonly", "yes", "--maxmemory-policy", "allkeys-lru"}, "would throw jobs away"},
		{[]string{"--appendonly", "yes", "--maxmemory", "100mb", "--maxmemory-policy", "volatile-lru"}, ""},
		{[]string{"--rename-command", "CONFIG", ""}, "it is unknown"},
	} {
		d, log := open(t, services.OwnRedis(t, c.args...).Addr)
		for range 2 {
			if err := d.Prepare(t.Context()); err != nil {
				t.Errorf("%v: %v", c.args, err)
			}
		}
		if got := log.String(); (got == "") != (c.warns == "") || !contains(got, c.warns) {
			t.Errorf("%v: log %q, want %q", c.args, got, c.warns)
		}
	}
}

func TestPasswords(t *testing.T) {
	guarded := services.OwnRedis(t, "--requirepass", "s3cret-word").Addr
	free := redisServer(t)
	for _, c := range []struct {
		cfg  asynqqueue.Config
		fine bool
	}{
		{asynqqueue.Config{Addr: guarded, Password: "s3cret-word"}, true},
		{asynqqueue.Config{URL: "redis://:s3cret-word@" + guarded + "/1"}, true},
		{asynqqueue.Config{Addr: guarded, Password: "wr0ng-word"}, false},
		{asynqqueue.Config{Addr: guarded}, false},
		{asynqqueue.Config{Addr: free, Password: "null"}, true},
		{asynqqueue.Config{URL: "redis://:null@" + free}, true},
	} {
		d, err := asynqqueue.New(c.cfg)
		if err != nil {
			t.Fatal(err)
		}
		err = d.Enqueue(t.Context(), nil, jobs(1))
		if (err == nil) != c.fine || err != nil && belfry.CodeOf(err) != belfry.CodeUnavailable {
			t.Errorf("%+v: %v", c.cfg, err)
		}
		if err != nil && (contains(err.Error(), "-word") || !contains(err.Error(), "refuses")) {
			t.Errorf("the error reads %q", err)
		}
		d.Close()
	}
	for _, url := range []string{"redis://:s3cret-word@[::1", "http://:s3cret-word@localhost", "%"} {
		if _, err := asynqqueue.New(asynqqueue.Config{URL: url}); belfry.CodeOf(err) != belfry.CodeInvalid || contains(err.Error(), "-word") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// A Redis that is full refuses jobs, and workers make room.
func TestRedisIsFull(t *testing.T) {
	addr := services.OwnRedis(t, "--save", "", "--appendonly", "yes", "--maxmemory", "8mb", "--maxmemory-policy", "noeviction").Addr
	d, log := open(t, addr)
	kept := 0
	large := job("")
	large.Payload = []byte(`"` + strings.Repeat("x", 10_000) + `"`)
	put := func(n int) error {
		large.ID = fmt.Sprint("j", n)
		return d.Enqueue(t.Context(), nil, []belfry.Job{large})
	}
	for ; kept < 2000; kept++ {
		if err := put(kept); err != nil {
			if belfry.CodeOf(err) != belfry.CodeUnavailable || !contains(err.Error(), "refuses") {
				t.Errorf("a full Redis: %v", err)
			}
			break
		}
	}
	if kept == 0 || kept == 2000 {
		t.Fatalf("%d jobs were kept", kept)
	}
	w := start(t, d, queue.Crew{Concurrency: 4}, nil)
	for n := range kept {
		w.wants(fmt.Sprint("j", n))
	}
	empty(t, d)
	if err := put(kept); err != nil {
		t.Errorf("after room was made: %v", err)
	}
	if contains(log.String(), "waits for Redis") {
		t.Errorf("the worker had to wait:\n%s", log)
	}
}

// A Redis that accepts and does not answer is away too.
func TestRedisHangs(t *testing.T) {
	addr := silent(t)
	d, _ := open(t, addr)
	unavailable(t, "Enqueue", func() error { return d.Enqueue(t.Context(), nil, jobs(1)) })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.Enqueue(ctx, nil, jobs(1)); err == nil {
		t.Error("a call that was given up succeeded")
	}
}
