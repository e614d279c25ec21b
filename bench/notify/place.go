package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/bench"
	"github.com/belfryhq/belfry/internal/store"
	"github.com/belfryhq/belfry/test/pusherclient"
)

// patience is how long anything may take that is not measured.
const patience = time.Minute

// place is a data folder with a database and its users, and the server that
// runs on it.
type place struct {
	m      *machine
	home   *bench.Home
	token  string
	last   string // the id of the last user
	db     *store.DB
	server *bench.Process // nil: none was started yet
}

// newPlace makes a fresh place with as many users as are notified.
func (m *machine) newPlace(ctx context.Context, driver string) (p *place, err error) {
	m.places++
	home, err := bench.NewHome(filepath.Join(m.dir, fmt.Sprint(m.places)))
	if err != nil {
		return nil, err
	}
	p = &place{m: m, home: home}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	url := "" // SQLite in the data folder
	if driver == "postgres" {
		if url, err = m.postgres.Database(); err != nil {
			return p, err
		}
		home.Env = append(home.Env, "DATABASE_URL="+url)
	}
	if p.token, err = home.Token(ctx, m.belfry, "manager", "notifications,notifications:manage"); err != nil {
		return p, err
	}
	if p.db, err = store.Open(store.Config{URL: url, Dir: home.Data(), Connections: 2}); err != nil {
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

// close ends the server and removes the folder.
func (p *place) close() {
	p.server.End()
	if p.db != nil {
		p.db.Close()
	}
	os.RemoveAll(p.home.Dir)
}

// patience is how long anything may take: longer the more users there are.
func (p *place) patience() time.Duration {
	return patience + time.Duration(p.m.users)*time.Millisecond
}

// serve starts the server and waits until it can be reached.
func (p *place) serve(ctx context.Context) (err error) {
	p.server, err = p.home.Serve(ctx, p.patience(), p.m.belfry, "--metrics-listen", "off")
	return err
}

// await polls until something is so.
func (p *place) await(ctx context.Context, otherwise string, so func() (bool, error)) error {
	if err := bench.Await(ctx, p.patience(), so); err != nil {
		return fmt.Errorf("%s: %w\n%s", otherwise, err, p.server.Said())
	}
	return nil
}

func (p *place) target() pusherclient.Target {
	return pusherclient.Target{URL: "http://" + p.server.Address, AppID: bench.HomeApp, Key: bench.HomeKey, Secret: bench.HomeSecret}
}

// ask makes a request as the manager, and reads the answer into v, which may
// be nil.
func (p *place) ask(ctx context.Context, client *http.Client, method, path, body string, v any) error {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+p.server.Address+path, strings.NewReader(body))
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
	bytes, err := p.server.Memory()
	return float64(bytes) / (1 << 20), err
}
