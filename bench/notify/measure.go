package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/belfryhq/belfry/internal/bench"
	"github.com/belfryhq/belfry/test/pusherclient"
)

// settle is how long a server is left alone before its idle memory is read.
const settle = 5 * time.Second

// start sends a notification to everybody, and gives its id.
func (p *place) start(ctx context.Context, client *http.Client) (id string, err error) {
	var made struct{ ID string }
	err = p.ask(ctx, client, http.MethodPost, "/api/notifications", `{"title":"To everybody","message":"A message of some words, as people write them.","target":{"type":"all"},"send":true}`, &made)
	return made.ID, err
}

// sent reports whether everybody has a row.
func (p *place) sent(ctx context.Context, id string) (bool, error) {
	n, err := p.number(ctx, `SELECT COUNT(*) FROM notifications WHERE id = $1 AND status = 'sent'`, id)
	return n == 1, err
}

// send measures one sending.
func (p *place) send(ctx context.Context, f *figures, title string) error {
	if err := p.serve(ctx); err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{}, Timeout: patience}
	defer client.CloseIdleConnections()
	page, err := pusherclient.Dial(ctx, p.target(), nil) // of the user who is notified last
	if err != nil {
		return err
	}
	defer page.Cut()
	channel := "private-user." + p.last
	if err := page.Join(ctx, channel, ""); err != nil {
		return err
	}
	if err := bench.Pause(ctx, settle); err != nil {
		return err
	}
	idle, err := p.memory()
	if err != nil {
		return err
	}
	watch := p.watch(ctx)
	began := time.Now()
	id, err := p.start(ctx, client)
	if err == nil {
		err = p.await(ctx, "the notification is not sent", func() (bool, error) { return p.sent(ctx, id) })
	}
	rows := time.Since(began)
	if err == nil {
		_, err = page.Await(ctx, "notification.sent", channel)
	}
	told := time.Since(began)
	seen, fault := watch()
	if err := errors.Join(err, fault); err != nil {
		return err
	}
	if err := p.check(ctx, id); err != nil {
		return err
	}
	users := float64(p.m.users)
	f.rows, f.rate, f.told = append(f.rows, rows.Seconds()), append(f.rate, users/rows.Seconds()), append(f.told, told.Seconds())
	f.idle, f.above = append(f.idle, idle), append(f.above, seen.memory-idle)
	read, write := bench.Quantile(seen.reads, 0.99), bench.Quantile(seen.writes, 0.99)
	f.read, f.write = append(f.read, read), append(f.write, write)
	fmt.Fprintf(os.Stderr, "%s  rows after %.1f s, the last page told after %.1f s; %.0f MB idle, %.0f MB at most; p99 of %d reads %.1f ms, of %d writes %.1f ms\n",
		title, rows.Seconds(), told.Seconds(), idle, seen.memory, len(seen.reads), read, len(seen.writes), write)
	return nil
}

// seen is what was seen while a notification was sent.
type seen struct {
	memory        float64   // at most, in MB
	reads, writes []float64 // how long requests took, in ms, sorted
}

// watch has a user read a count 50 times a second and mark all as read ten
// times a second, and reads the server's memory, until stop is called.
func (p *place) watch(ctx context.Context) (stop func() (seen, error)) {
	ctx, cancel := context.WithCancel(ctx)
	var s seen
	var all sync.WaitGroup
	errs := make([]error, 3)
	every := func(at int, d time.Duration, f func() error) {
		all.Go(func() {
			tick := time.NewTicker(d)
			defer tick.Stop()
			for errs[at] == nil {
				select {
				case <-tick.C:
					errs[at] = f()
				case <-ctx.Done():
					return
				}
			}
		})
	}
	timed := func(into *[]float64, method, path string) func() error {
		client := &http.Client{Transport: &http.Transport{}, Timeout: patience}
		context.AfterFunc(ctx, client.CloseIdleConnections)
		return func() error {
			began := time.Now()
			err := p.ask(context.WithoutCancel(ctx), client, method, path, "", nil) // what is under way is seen through
			*into = append(*into, time.Since(began).Seconds()*1000)
			return err
		}
	}
	every(0, 20*time.Millisecond, timed(&s.reads, http.MethodGet, "/api/user/notifications/unread-count"))
	every(1, 100*time.Millisecond, timed(&s.writes, http.MethodPost, "/api/user/notifications/read-all"))
	every(2, 50*time.Millisecond, func() error {
		mb, err := p.memory()
		s.memory = max(s.memory, mb)
		return err
	})
	return func() (seen, error) {
		cancel()
		all.Wait()
		slices.Sort(s.reads)
		slices.Sort(s.writes)
		return s, errors.Join(errs...)
	}
}

// kill kills the server when half of the users have their rows, starts it
// again, and measures how long it takes from the kill until all have theirs.
func (p *place) kill(ctx context.Context, f *figures, title string) error {
	if err := p.serve(ctx); err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{}, Timeout: patience}
	defer client.CloseIdleConnections()
	id, err := p.start(ctx, client)
	if err != nil {
		return err
	}
	err = p.await(ctx, "half of the users are not reached", func() (bool, error) {
		n, err := p.number(ctx, `SELECT recipients FROM notifications WHERE id = $1`, id)
		return n >= p.m.users/2, err
	})
	if err != nil {
		return err
	}
	p.server.End()
	killed := time.Now()
	half, err := p.number(ctx, `SELECT recipients FROM notifications WHERE id = $1`, id)
	if err != nil {
		return err
	}
	if err := p.serve(ctx); err != nil {
		return err
	}
	if err := p.await(ctx, "the notification is not sent after the kill", func() (bool, error) { return p.sent(ctx, id) }); err != nil {
		return err
	}
	took := time.Since(killed)
	if err := p.check(ctx, id); err != nil {
		return err
	}
	f.killed = append(f.killed, float64(half))
	f.again = append(f.again, took.Seconds())
	fmt.Fprintf(os.Stderr, "%s  killed at %d users; all have one row %.1f s later\n", title, half, took.Seconds())
	return nil
}

// check gives an error unless everybody has the notification once.
func (p *place) check(ctx context.Context, id string) error {
	for what, query := range map[string]string{
		"rows":           `SELECT COUNT(*) FROM user_notifications WHERE notification_id = $1`,
		"users with one": `SELECT COUNT(DISTINCT user_id) FROM user_notifications WHERE notification_id = $1`,
		"recipients":     `SELECT recipients FROM notifications WHERE id = $1`,
	} {
		n, err := p.number(ctx, query, id)
		if err != nil {
			return err
		}
		if n != p.m.users {
			return fmt.Errorf("%s: %d of %d", what, n, p.m.users)
		}
	}
	return nil
}
