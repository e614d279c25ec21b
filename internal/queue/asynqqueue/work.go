package asynqqueue

import (
	"cmp"
	"context"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/belfryhq/belfry/internal/queue"
)

const (
	// fallback is how often a worker looks for jobs that nothing told it of.
	fallback = 250 * time.Millisecond
	// lease is how long asynq itself would wait for a job; see turn.
	lease = 30 * 24 * time.Hour
	// batch is how many results go to Redis at once, and how many jobs come; room
	// is how many bytes of them.
	batch = 200
	room  = 1 << 20
	// lastWords is how long runs have to return once they are cancelled, and
	// results to reach Redis, when the grace is over.
	lastWords = time.Second
	// shortest and longest are the pauses between tries while Redis is away.
	shortest, longest = 50 * time.Millisecond, time.Second
)

// hand is a job in the hands of a worker.
type hand struct{ name, id string }

// result is what became of one.
type result struct {
	hand
	verb  string // of the script
	after time.Duration
}

// work is one call of Work. One goroutine owns it.
type work struct {
	*Driver
	crew    queue.Crew
	names   []string // of the queues in Redis, the most important first
	held    map[hand]bool
	running int
	results chan result   // from runs; has room for all
	pending []result      // not in Redis yet
	look    bool          // there may be jobs to take
	due     time.Duration // until a kept job is due, if that is soon
	away    bool          // the last turn failed
	pause   time.Duration // the last one of this outage
}

// Work implements queue.Driver. While Redis is away it waits, and keeps the
// results of jobs until Redis has them.
func (d *Driver) Work(ctx context.Context, crew queue.Crew) error {
	crew.Concurrency = max(crew.Concurrency, 1)
	w := &work{Driver: d, crew: crew, held: map[hand]bool{}, results: make(chan result, crew.Concurrency), look: true}
	for _, q := range crew.Queues {
		w.names = append(w.names, d.names(q)...)
	}
	background := context.WithoutCancel(ctx)
	woken := d.client.Subscribe(background, d.prefix+wakes)
	defer woken.Close()
	runs, cancel := context.WithCancel(background)
	defer cancel()
	w.loop(ctx, runs, woken.Channel(redis.WithChannelHealthCheckInterval(15*time.Second)))
	w.stop(runs, cancel)
	return nil
}

// loop takes and finishes jobs until ctx ends.
func (w *work) loop(ctx, runs context.Context, told <-chan *redis.Message) {
	timer := time.NewTimer(fallback)
	defer timer.Stop()
	for ctx.Err() == nil {
		w.collect()
		free := w.crew.Concurrency - w.running
		if len(w.pending) > 0 || w.look && free > 0 {
			if err := w.turn(runs, free); err != nil {
				w.rest(ctx, err)
				continue
			}
			if len(w.pending) > 0 {
				continue
			}
		}
		timer.Reset(cmp.Or(w.due, fallback))
		select {
		case <-ctx.Done():
		case r := <-w.results:
			w.finish(r)
		case <-w.crew.Woken:
			w.look = true
		case <-told:
			for len(told) > 0 {
				<-told
			}
			w.look = true
		case <-timer.C:
			w.look = true
		}
	}
}

// collect takes the results that are there, so that they go to Redis together.
func (w *work) collect() {
	for len(w.results) > 0 {
		w.finish(<-w.results)
	}
}

func (w *work) finish(r result) {
	w.running--
	w.pending = append(w.pending, r)
}

// rest waits before the next try. It says once that Redis is away.
func (w *work) rest(ctx context.Context, err error) {
	if w.pause == 0 {
		w.log.Error("the worker waits for Redis", "error", err)
	}
	w.pause = min(max(2*w.pause, shortest), longest)
	select {
	case <-ctx.Done():
	case <-time.After(w.pause):
	}
}

// turn brings results to Redis, takes up to want jobs and starts them. After a
// turn that failed it first puts back what Redis has handed out in an answer
// that was lost.
func (w *work) turn(runs context.Context, want int) error {
	// A turn that was begun is finished: only Redis's own time limits it.
	ctx := context.WithoutCancel(runs)
	if w.away {
		held := make([]hand, 0, len(w.held))
		for h := range w.held {
			held = append(held, h)
		}
		if _, err := w.giveBack(ctx, []string{w.crew.Worker}, w.names, held); err != nil {
			return err
		}
	}
	if want = min(want, batch); want > 0 {
		// What several workers of this process fetch is taken in the order in which
		// it was fetched.
		w.taking.Lock()
		defer w.taking.Unlock()
	}
	sent := w.pending[:min(len(w.pending), batch)]
	answer, err := w.run(ctx, turn, w.arguments(sent, want)...).Slice()
	if err != nil {
		w.away = true
		return w.wrap(err)
	}
	if w.pause > 0 {
		w.log.Info("Redis is back, the worker goes on")
	}
	w.away, w.pause = false, 0
	for _, r := range sent {
		delete(w.held, r.hand)
	}
	w.pending = append([]result(nil), w.pending[len(sent):]...)
	due, tasks := answer[0].(int64), answer[1:]
	w.look, w.due = want > 0 && len(tasks)/5 == want, 0
	if due >= 0 {
		w.due = min(time.Duration(due+1)*time.Millisecond, fallback)
	}
	for size := 0; len(tasks) >= 5; tasks = tasks[5:] {
		size += len(tasks[2].(string))
		w.look = w.look || size >= room
		w.start(runs, tasks)
	}
	return nil
}

func (w *work) arguments(sent []result, want int) []any {
	args := []any{w.crew.Worker, strconv.Itoa(want), strconv.Itoa(room), strconv.FormatInt(lease.Milliseconds(), 10), strconv.Itoa(len(sent))}
	for _, r := range sent {
		args = append(args, r.name, r.id, r.verb, strconv.FormatInt(r.after.Milliseconds(), 10))
	}
	args = append(args, strconv.Itoa(len(w.names)))
	for _, name := range w.names {
		q, _ := w.queueOf(name)
		args = append(args, name, w.name(q, usual))
	}
	return args
}

// start runs one job of a turn's answer.
func (w *work) start(runs context.Context, task []any) {
	h := hand{task[0].(string), task[1].(string)}
	w.held[h] = true
	job, err := decode([]byte(task[2].(string)))
	if err != nil {
		w.log.Error("a task in Redis is not a job of ours; it is kept among asynq's archived tasks", "queue", h.name, "task", h.id, "error", err)
		w.pending = append(w.pending, result{hand: h, verb: "bury"})
		return
	}
	attempt := queue.Attempt{Job: job, Delivery: int(task[4].(int64))}
	if since, err := strconv.ParseInt(task[3].(string), 10, 64); err == nil && since > 0 {
		attempt.Waited = max(0, time.Since(time.Unix(0, since)))
	}
	run := w.crew.Take(attempt)
	w.running++
	go func() {
		r := result{hand: h, verb: "done"}
		if verdict := run(runs); verdict.Keep {
			r.verb, r.after = "keep", max(0, verdict.After)
		}
		w.results <- r
	}()
}

// stop waits for what is under way and brings its results to Redis, until the
// grace is over and the last words are said.
func (w *work) stop(runs context.Context, cancel func()) {
	grace := time.After(w.crew.Grace)
	var end <-chan time.Time
	for w.collect(); w.running > 0 || len(w.pending) > 0; w.collect() {
		var again <-chan time.Time
		if len(w.pending) > 0 {
			if w.turn(runs, 0) == nil {
				continue
			}
			again = time.After(shortest)
		}
		select {
		case r := <-w.results:
			w.finish(r)
		case <-again:
		case <-grace:
			grace, end = nil, time.After(lastWords)
			cancel()
		case <-end:
			w.log.Warn("a worker stops and leaves jobs to others", "running", w.running, "unreported", len(w.pending))
			return
		}
	}
}
