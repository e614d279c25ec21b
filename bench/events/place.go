package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/bench"
	"github.com/belfryhq/belfry/test/pusherclient"
	"github.com/belfryhq/belfry/test/services"
)

// place is a data folder with a user and a token, a database and, where it is
// needed, a Redis of its own.
type place struct {
	m      *machine
	driver string
	home   *bench.Home
	url    string // of the database; empty: SQLite in the data folder
	redis  *services.Instance
	token  string
}

// newPlace makes a fresh place for a driver.
func (m *machine) newPlace(ctx context.Context, driver string) (*place, error) {
	m.places++
	home, err := bench.NewHome(filepath.Join(m.dir, fmt.Sprint(m.places)))
	if err != nil {
		return nil, err
	}
	p := &place{m: m, driver: driver, home: home}
	if err := p.furnish(ctx); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *place) furnish(ctx context.Context) (err error) {
	switch p.driver {
	case "postgres":
		if p.url, err = p.m.postgres.Database(); err != nil {
			return err
		}
		p.home.Env = append(p.home.Env, "DATABASE_URL="+p.url)
	case "redis":
		if p.redis, err = services.StartRedis("--save", "", "--appendonly", "yes", "--appendfsync", "everysec"); err != nil {
			return err
		}
		p.home.Env = append(p.home.Env, "QUEUE_CONNECTION=redis", "REDIS_URL="+p.redisURL())
	case "sync":
		p.home.Env = append(p.home.Env, "QUEUE_CONNECTION=sync")
	}
	p.token, err = p.home.Token(ctx, p.m.belfry, "admin", "events")
	return err
}

func (p *place) redisURL() string { return "redis://" + p.redis.Addr + "/0" }

// close ends what the place has of its own.
func (p *place) close() {
	if p.redis != nil {
		p.redis.Close()
	}
	os.RemoveAll(p.home.Dir)
}

// patience is how long anything may take that is not measured.
const patience = 30 * time.Second

// serve starts a server and waits until it can be reached.
func (p *place) serve(ctx context.Context, args ...string) (*bench.Process, error) {
	return p.home.Serve(ctx, patience, p.m.belfry, append([]string{"--metrics-listen", "127.0.0.1:0"}, args...)...)
}

// worker starts a worker process and waits until it works.
func (p *place) worker(ctx context.Context) (*bench.Process, error) {
	w, err := p.home.Start(ctx, nil, p.m.belfry, "broadcast:start")
	if err != nil {
		return nil, err
	}
	err = bench.Await(ctx, patience, func() (bool, error) { return strings.Contains(w.Said(), "worker started"), nil })
	if err != nil {
		err = fmt.Errorf("the worker does not start: %w\n%s", err, w.Said())
		w.End()
		return nil, err
	}
	return w, nil
}

// metricsOf is where a server listens for profiling, as it logs.
func metricsOf(s *bench.Process) string {
	_, after, _ := strings.Cut(s.Said(), "metrics=")
	address, _, _ := strings.Cut(after, " ")
	return address
}

func target(s *bench.Process) pusherclient.Target {
	return pusherclient.Target{URL: "http://" + s.Address, AppID: bench.HomeApp, Key: bench.HomeKey, Secret: bench.HomeSecret}
}
