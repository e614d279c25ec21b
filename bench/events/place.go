package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/bench"
	"github.com/belfryhq/belfry/internal/control"
	"github.com/belfryhq/belfry/test/pusherclient"
	"github.com/belfryhq/belfry/test/services"
)

// The app that events are for.
const (
	appID     = "1"
	appKey    = "bench-key"
	appSecret = "bench-secret"
)

// place is a data folder with a user and a token, a database and, where it is
// needed, a Redis of its own.
type place struct {
	m      *machine
	driver string
	dir    string
	env    []string
	url    string // of the database; empty: SQLite in the data folder
	redis  *services.Instance
	token  string
}

// newPlace makes a fresh place for a driver.
func (m *machine) newPlace(ctx context.Context, driver string) (*place, error) {
	m.places++
	p := &place{m: m, driver: driver, dir: filepath.Join(m.dir, fmt.Sprint(m.places))}
	if err := os.Mkdir(p.dir, 0o700); err != nil {
		return nil, err
	}
	p.env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.dir, "BELFRY_DATA_DIR=" + p.data(),
		"PUSHER_APP_ID=" + appID, "PUSHER_APP_KEY=" + appKey, "PUSHER_APP_SECRET=" + appSecret}
	err := p.furnish(ctx)
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *place) data() string { return filepath.Join(p.dir, "data") }

func (p *place) furnish(ctx context.Context) (err error) {
	switch p.driver {
	case "postgres":
		if p.url, err = p.m.postgres.Database(); err != nil {
			return err
		}
		p.env = append(p.env, "DATABASE_URL="+p.url)
	case "redis":
		if p.redis, err = services.StartRedis("--save", "", "--appendonly", "yes", "--appendfsync", "everysec"); err != nil {
			return err
		}
		p.env = append(p.env, "QUEUE_CONNECTION=redis", "REDIS_URL="+p.redisURL())
	case "sync":
		p.env = append(p.env, "QUEUE_CONNECTION=sync")
	}
	if _, err := p.run(ctx, "user:add", "bench@example.test", "--role", "admin", "--password", "correct horse battery"); err != nil {
		return err
	}
	out, err := p.run(ctx, "user:token", "bench@example.test", "--scope", "events", "--json")
	if err != nil {
		return err
	}
	var made struct{ Token string }
	err = json.Unmarshal(out, &made)
	p.token = made.Token
	return err
}

func (p *place) redisURL() string { return "redis://" + p.redis.Addr + "/0" }

// close ends what the place has of its own.
func (p *place) close() {
	if p.redis != nil {
		p.redis.Close()
	}
	os.RemoveAll(p.dir)
}

// run runs a command to its end and gives what it prints.
func (p *place) run(ctx context.Context, args ...string) ([]byte, error) {
	cmd := p.command(ctx, args...)
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil, fmt.Errorf("belfry %s: %w\n%s", args[0], err, exit.Stderr)
	}
	return out, err
}

func (p *place) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, p.m.belfry, args...)
	cmd.Dir, cmd.Env = p.dir, p.env
	return cmd
}

// process is a belfry that runs.
type process struct {
	cmd *exec.Cmd
	log string // the file of its log
	// address is where a server listens for everything, metrics where for
	// profiling.
	address, metrics string
}

// patience is how long anything may take that is not measured.
const patience = 30 * time.Second

// serve starts a server and waits until it can be reached.
func (p *place) serve(ctx context.Context, args ...string) (*process, error) {
	s, err := p.start(ctx, append([]string{"serve", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", "--log-format", "text"}, args...)...)
	if err != nil {
		return nil, err
	}
	err = s.await(ctx, func() bool {
		link, err := control.Dial(ctx, p.data())
		if err != nil {
			return false
		}
		defer link.Close()
		st, err := link.Status(ctx)
		s.address = st.Listen
		return err == nil && st.Listen != ""
	})
	if err != nil {
		s.end()
		return nil, err
	}
	if _, after, ok := strings.Cut(s.said(), "metrics="); ok {
		s.metrics, _, _ = strings.Cut(after, " ")
	}
	return s, nil
}

// worker starts a worker process and waits until it works.
func (p *place) worker(ctx context.Context) (*process, error) {
	w, err := p.start(ctx, "broadcast:start")
	if err != nil {
		return nil, err
	}
	if err := w.await(ctx, func() bool { return strings.Contains(w.said(), "worker started") }); err != nil {
		w.end()
		return nil, err
	}
	return w, nil
}

func (p *place) start(ctx context.Context, args ...string) (*process, error) {
	file, err := os.CreateTemp(p.dir, "log-")
	if err != nil {
		return nil, err
	}
	defer file.Close()
	s := &process{cmd: p.command(ctx, args...), log: file.Name()}
	s.cmd.Stdout, s.cmd.Stderr = file, file
	return s, s.cmd.Start()
}

func (s *process) said() string {
	text, _ := os.ReadFile(s.log)
	return string(text)
}

// await polls until something is so.
func (s *process) await(ctx context.Context, so func() bool) error {
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for over := time.Now().Add(patience); !so(); {
		select {
		case <-again.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if time.Now().After(over) {
			return fmt.Errorf("belfry %s does not start:\n%s", s.cmd.Args[1], s.said())
		}
	}
	return nil
}

// cpu is what the process has used so far.
func (s *process) cpu() (time.Duration, error) { return bench.ProcessCPU(s.cmd.Process.Pid) }

// end kills the process and waits for it.
func (s *process) end() {
	s.cmd.Process.Kill()
	s.cmd.Wait()
}

func (s *process) target() pusherclient.Target {
	return pusherclient.Target{URL: "http://" + s.address, AppID: appID, Key: appKey, Secret: appSecret}
}
