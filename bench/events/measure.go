package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/bench"
	"github.com/belfryhq/belfry/internal/queue"
	"github.com/belfryhq/belfry/server"
)

// scene is a server, perhaps a worker, and a subscriber.
type scene struct {
	p        *place
	server   *bench.Process
	worker   *bench.Process // nil: in the server
	listener *listener
}

// open starts what a measurement needs.
func (p *place) open(ctx context.Context, apart bool) (s *scene, err error) {
	s = &scene{p: p}
	defer func() {
		if err != nil {
			s.close()
			s = nil
		}
	}()
	var args []string
	if apart {
		args = append(args, "--no-workers")
	}
	if s.server, err = p.serve(ctx, args...); err != nil {
		return s, err
	}
	if apart {
		if s.worker, err = p.worker(ctx); err != nil {
			return s, err
		}
	}
	if s.listener, err = listen(ctx, target(s.server)); err != nil {
		return s, err
	}
	return s, p.warm(ctx, s.server, s.listener)
}

func (s *scene) close() {
	if s.listener != nil {
		s.listener.close()
	}
	s.worker.End()
	s.server.End()
}

// latency posts 50 events a second and measures the time from just before each
// post to the subscriber's read.
func (p *place) latency(ctx context.Context, apart bool) (latency, error) {
	s, err := p.open(ctx, apart)
	if err != nil {
		return latency{}, err
	}
	defer s.close()
	const pause = time.Second / 50
	n, first := p.m.seconds*50, 100
	s.listener.expect(first, n)
	// Several connections, so that a slow answer does not hold the next event up.
	posters, end, err := p.posters(s.server, 8)
	if err != nil {
		return latency{}, err
	}
	defer end()
	sent, fault, numbers := make([]time.Time, n), make(chan error, len(posters)), make(chan int)
	var all sync.WaitGroup
	for _, one := range posters {
		all.Go(func() {
			for i := range numbers {
				before, _, err := one.post(first + i)
				if sent[i] = before; err != nil {
					fault <- err
					return
				}
			}
		})
	}
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for i := 0; i < n && err == nil; i++ {
		select {
		case <-tick.C:
			select {
			case numbers <- i:
			case err = <-fault:
			}
		case err = <-fault:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	}
	close(numbers)
	all.Wait()
	if err == nil && len(fault) > 0 {
		err = <-fault
	}
	if err != nil {
		return latency{}, err
	}
	came, err := s.listener.await(ctx)
	if err != nil {
		return latency{}, err
	}
	waits := make([]float64, n)
	for i := range waits {
		waits[i] = came[i].Sub(sent[i]).Seconds() * 1000
	}
	slices.Sort(waits)
	return latency{p50: bench.Quantile(waits, 0.50), p99: bench.Quantile(waits, 0.99), max: waits[n-1]}, nil
}

// rates posts as fast as one, some and many posters can.
func (p *place) rates(ctx context.Context, f *figures, tell func(string, ...any)) error {
	s, err := p.open(ctx, false)
	if err != nil {
		return err
	}
	defer s.close()
	first := 100
	for _, n := range postersOf {
		events := p.m.events
		if n == 1 {
			events /= 5
		}
		finish := s.profile(ctx, n)
		accepted, delivered, err := s.rate(ctx, n, first, events)
		if err := errors.Join(err, finish()); err != nil {
			return fmt.Errorf("%d posters: %w", n, err)
		}
		f.accepted[n], f.delivered[n] = append(f.accepted[n], accepted), append(f.delivered[n], delivered)
		tell("rate, %d posters: %.0f events/s accepted, %.0f delivered", n, accepted, delivered)
		first += events
	}
	return nil
}

// rate posts events from the number first on by n posters, and gives the
// events a second until the last answer and until the last has come.
func (s *scene) rate(ctx context.Context, n, first, events int) (accepted, delivered float64, err error) {
	posters, end, err := s.p.posters(s.server, n)
	if err != nil {
		return 0, 0, err
	}
	defer end()
	s.listener.expect(first, events)
	errs, ends := make([]error, n), make([]time.Time, n)
	var all sync.WaitGroup
	began := time.Now()
	for who, one := range posters {
		all.Go(func() {
			for i := who; i < events && errs[who] == nil && ctx.Err() == nil; i += n {
				_, ends[who], errs[who] = one.post(first + i)
			}
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return 0, 0, err
	}
	came, err := s.listener.await(ctx)
	if err != nil {
		return 0, 0, err
	}
	perSecond := func(until time.Time) float64 { return float64(events) / until.Sub(began).Seconds() }
	return perSecond(slices.MaxFunc(ends, time.Time.Compare)), perSecond(slices.MaxFunc(came, time.Time.Compare)), nil
}

// profile takes a CPU profile of the server while n posters post, if that is
// wanted; finish waits for its end.
func (s *scene) profile(ctx context.Context, n int) (finish func() error) {
	if s.p.m.options.profile == "" {
		return func() error { return nil }
	}
	file := filepath.Join(s.p.m.options.profile, fmt.Sprintf("%s-%d.pprof", s.p.driver, n))
	done := make(chan error, 1)
	go func() {
		done <- func() error {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+metricsOf(s.server)+"/debug/pprof/profile?seconds=2", nil)
			if err != nil {
				return err
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				return fmt.Errorf("profile: %w", err)
			}
			defer resp.Body.Close()
			text, err := io.ReadAll(resp.Body)
			if err == nil && resp.StatusCode != http.StatusOK {
				err = fmt.Errorf("profile: the server answered %s", resp.Status)
			}
			return cmp.Or(err, os.WriteFile(file, text, 0o644))
		}()
	}()
	return func() error { return <-done }
}

// jobKind is that of jobs in bulk, which do nothing.
const jobKind = "bench"

// bulk enqueues jobs in slices of a thousand, without a worker, and then works
// them with as many at once as the server does. It does so in this process.
func (p *place) bulk(ctx context.Context) (enqueued, worked float64, err error) {
	cfg := server.BackendConfig{DataDir: p.home.Data(), DatabaseURL: p.url}
	if p.driver == "redis" {
		cfg.Queue, cfg.Redis = "redis", server.Redis{URL: p.redisURL()}
	}
	b, err := server.OpenBackend(cfg, server.Links{})
	if err != nil {
		return 0, 0, err
	}
	defer b.Close()
	if err := b.Prepare(ctx); err != nil {
		return 0, 0, err
	}
	n := p.m.jobs
	jobs := make([]belfry.Job, n)
	for i := range jobs {
		jobs[i] = belfry.Job{Kind: jobKind, Lanes: []string{channels[i%len(channels)]},
			Payload: []byte(`{"event":"` + eventName + `","channels":["` + channels[i%len(channels)] + `"],"data":"` + dataAfter[len(dataAfter)-152:len(dataAfter)-2] + `"}`)}
	}
	done, left := make(chan struct{}), n
	var mu sync.Mutex // guards left
	b.Queue.Handle(jobKind, func(context.Context, belfry.Job) error {
		mu.Lock()
		defer mu.Unlock()
		if left--; left == 0 {
			close(done)
		}
		return nil
	})
	began := time.Now()
	for part := range slices.Chunk(jobs, 1000) {
		if _, err := b.Queue.Enqueue(ctx, nil, part...); err != nil {
			return 0, 0, err
		}
	}
	enqueued = float64(n) / time.Since(began).Seconds()

	working, stop := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer stop()
	began = time.Now()
	all.Go(func() { b.Queue.Run(working) })
	all.Go(func() { b.Queue.Work(working, queue.Worker{Concurrency: 16}) })
	over := time.NewTimer(2 * patience)
	defer over.Stop()
	select {
	case <-done:
	case <-over.C:
		return 0, 0, errors.New("the jobs are not done in time")
	case <-ctx.Done():
		return 0, 0, context.Cause(ctx)
	}
	return enqueued, float64(n) / time.Since(began).Seconds(), nil
}
