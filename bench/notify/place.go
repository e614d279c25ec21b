package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/control"
	"github.com/belfryhq/belfry/internal/store"
	"github.com/belfryhq/belfry/test/pusherclient"
)

// The app of the open page.
const (
	appID     = "1"
	appKey    = "bench-key"
	appSecret = "bench-secret"
)

// patience is how long anything may take that is not measured.
const patience = time.Minute

// place is a data folder with a database and its users, and the server that
// runs on it.
type place struct {
	m     *machine
	dir   string
	env   []string
	url   string // of the database; empty: SQLite in the data folder
	token string
	last  string // the id of the last user
	db    *store.DB

	server  *exec.Cmd
	log     string // the file of its log
	address string
}

// newPlace makes a fresh place with as many users as are notified.
func (m *machine) newPlace(ctx context.Context, driver string) (p *place, err error) {
	m.places++
	p = &place{m: m, dir: filepath.Join(m.dir, fmt.Sprint(m.places))}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	if err := os.Mkdir(p.dir, 0o700); err != nil {
		return p, err
	}
	p.env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.dir, "BELFRY_DATA_DIR=" + p.data(),
		"PUSHER_APP_ID=" + appID, "PUSHER_APP_KEY=" + appKey, "PUSHER_APP_SECRET=" + appSecret}
	if driver == "postgres" {
		if p.url, err = m.postgres.Database(); err != nil {
			return p, err
		}
		p.env = append(p.env, "DATABASE_URL="+p.url)
	}
	if _, err := p.run(ctx, "user:add", "bench@example.test", "--role", "manager", "--password", "correct horse battery"); err != nil {
		return p, err
	}
	out, err := p.run(ctx, "user:token", "bench@example.test", "--scope", "notifications,notifications:manage", "--json")
	if err != nil {
		return p, err
	}
	var made struct{ Token string }
	if err := json.Unmarshal(out, &made); err != nil {
		return p, err
	}
	p.token = made.Token
	if p.db, err = store.Open(store.Config{URL: p.url, Dir: p.data(), Connections: 2}); err != nil {
		return p, err
	}
	if err := p.addUsers(ctx, m.users-1); err != nil {
		return p, err
	}
	last, err := p.number(ctx, `SELECT MAX(id) FROM users`)
	p.last = strconv.Itoa(last)
	return p, err
}

// addUsers adds users who cannot sign in: hashing so many passwords would take
// hours.
func (p *place) addUsers(ctx context.Context, n int) error {
	for from := 0; from < n; from += 1000 {
		var rows []string
		for i := from; i < min(n, from+1000); i++ {
			rows = append(rows, fmt.Sprintf("('u%d@example.test', 'u%[1]d@example.test', 'User %[1]d', '-', $1, 1, 0)", i))
		}
		_, err := p.db.Exec(ctx, `INSERT INTO users (email, email_key, name, password, disabled, created, last_login) VALUES `+strings.Join(rows, ", "), false)
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *place) number(ctx context.Context, query string, args ...any) (n int, err error) {
	err = p.db.QueryRow(ctx, query, args...).Scan(&n)
	return n, err
}

func (p *place) data() string { return filepath.Join(p.dir, "data") }

// close ends the server and removes the folder.
func (p *place) close() {
	p.end()
	if p.db != nil {
		p.db.Close()
	}
	os.RemoveAll(p.dir)
}

// run runs a command to its end and gives what it prints.
func (p *place) run(ctx context.Context, args ...string) ([]byte, error) {
	out, err := p.command(ctx, args...).Output()
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

// serve starts the server and waits until it can be reached.
func (p *place) serve(ctx context.Context) error {
	file, err := os.CreateTemp(p.dir, "log-")
	if err != nil {
		return err
	}
	defer file.Close()
	cmd := p.command(ctx, "serve", "--listen", "127.0.0.1:0", "--metrics-listen", "off", "--log-format", "text")
	cmd.Stdout, cmd.Stderr = file, file
	if err := cmd.Start(); err != nil {
		return err
	}
	p.server, p.log, p.address = cmd, file.Name(), ""
	return p.await(ctx, "the server does not start", func() (bool, error) {
		link, err := control.Dial(ctx, p.data())
		if err != nil {
			return false, nil
		}
		defer link.Close()
		st, err := link.Status(ctx)
		if err == nil {
			p.address = st.Listen
		}
		return p.address != "", nil
	})
}

// end kills the server, if there is one, and waits for it.
func (p *place) end() {
	if p.server != nil {
		p.server.Process.Kill()
		p.server.Wait()
		p.server = nil
	}
}

// await polls until something is so.
func (p *place) await(ctx context.Context, otherwise string, so func() (bool, error)) error {
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for over := time.Now().Add(patience + time.Duration(p.m.users)*time.Millisecond); ; {
		if is, err := so(); is || err != nil {
			return err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if time.Now().After(over) {
			text, _ := os.ReadFile(p.log)
			return fmt.Errorf("%s:\n%s", otherwise, text)
		}
	}
}

func (p *place) target() pusherclient.Target {
	return pusherclient.Target{URL: "http://" + p.address, AppID: appID, Key: appKey, Secret: appSecret}
}

// ask makes a request as the manager, and reads the answer into v, which may
// be nil.
func (p *place) ask(ctx context.Context, client *http.Client, method, path, body string, v any) error {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+p.address+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+p.token)
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s", method, path, resp.Status)
	}
	if v == nil {
		v = &struct{}{}
	}
	return json.NewDecoder(resp.Body).Decode(v)
}

// memory is what the server has resident, in MB.
func (p *place) memory() (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.server.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(text), "VmRSS:")
	kb, err := strconv.ParseFloat(strings.TrimSpace(strings.SplitN(after, "kB", 2)[0]), 64)
	return kb / 1024, err
}
