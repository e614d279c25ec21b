package services

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// shared is the PostgreSQL of this test process: initialising one for each test
// would take seconds of each. It ends with the process.
var shared struct {
	sync.Mutex
	p *process
}

// Postgres gives the address of a new, empty database on a PostgreSQL that all
// tests of this process share. It is dropped at the end of the test.
func Postgres(t testing.TB) (url string) {
	t.Helper()
	shared.Lock()
	if shared.p == nil {
		p, err := newPostgres(cached, testSettings...)
		if err == nil {
			err = p.launch()
		}
		if err != nil {
			shared.Unlock()
			t.Fatal(err)
		}
		shared.p = p
	}
	p := shared.p
	shared.Unlock()
	return database(t, p)
}

// OwnPostgres gives a PostgreSQL that lives until the end of the test; see
// Database.
func OwnPostgres(t testing.TB) *Server {
	t.Helper()
	p, err := newPostgres(cached, testSettings...)
	if err != nil {
		t.Fatal(err)
	}
	return own(t, p)
}

// OwnPostgresOff gives a PostgreSQL whose clock is off by so much, ahead or, below
// zero, behind; see OwnPostgres.
func OwnPostgresOff(t testing.TB, off time.Duration) *Server {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/*/faketime/libfaketime.so.1")
	if len(found) == 0 {
		t.Fatal("there is no libfaketime: run scripts/test-deps.sh")
	}
	p, err := newPostgres(cached, testSettings...)
	if err != nil {
		t.Fatal(err)
	}
	command := p.command
	p.command = func(port int) []string {
		// Its waits go by the monotonic clock, which stays as it is.
		return append([]string{"/usr/bin/env", "LD_PRELOAD=" + found[0], "FAKETIME_DONT_FAKE_MONOTONIC=1",
			fmt.Sprintf("FAKETIME=%+.0f", off.Seconds())}, command(port)...)
	}
	return own(t, p)
}

// Database gives the address of a new, empty database on a PostgreSQL.
func (s *Server) Database(t testing.TB) (url string) {
	t.Helper()
	return database(t, s.p)
}

// superuser is the only role of the test servers. It needs no password.
const superuser = "belfry"

func address(p *process, name string) string {
	return fmt.Sprintf("postgres://%s@127.0.0.1:%d/%s?sslmode=disable", superuser, p.port, name)
}

func database(t testing.TB, p *process) string {
	t.Helper()
	name, err := create(p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.keeper == nil { // stopped by the test
			return
		}
		if err := execute(p, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	return address(p, name)
}

// create makes a new, empty database and gives its name.
func create(p *process) (name string, err error) {
	name = "test_" + strings.ToLower(rand.Text())
	return name, execute(p, "CREATE DATABASE "+name+" TEMPLATE template0")
}

// execute runs one statement outside of the tests' databases.
func execute(p *process, statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, address(p, "postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement)
	return err
}

// testSettings are those of servers for tests: a test ends processes, not the
// machine.
var testSettings = []string{"fsync=off", "full_page_writes=off", "shared_buffers=32MB"}

// newPostgres prepares a server in a folder of its own, whose files the given
// function makes.
func newPostgres(files func(bin, data, person string) error, settings ...string) (*process, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	person := ""
	if os.Geteuid() == 0 {
		person = "postgres" // PostgreSQL refuses to run as root
	}
	dir, err := folder(person)
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	if err := files(bin, data, person); err != nil {
		return nil, err
	}
	if err := give(dir, person); err != nil {
		return nil, err
	}
	p := &process{dir: dir, ready: "database system is ready to accept connections", stop: "INT", kill: "QUIT", asPerson: person}
	p.command = func(port int) []string {
		words := []string{filepath.Join(bin, "postgres"), "-D", data, "-p", strconv.Itoa(port)}
		always := []string{"listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=200", "timezone=UTC"}
		for _, setting := range append(always, settings...) {
			words = append(words, "-c", setting)
		}
		return words
	}
	return p, nil
}

// programs finds the folder of PostgreSQL's programs, which Debian keeps out of
// the path.
func programs() (string, error) {
	if initdb, err := exec.LookPath("initdb"); err == nil {
		if initdb, err = filepath.EvalSymlinks(initdb); err == nil {
			return filepath.Dir(initdb), nil
		}
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return "", fmt.Errorf("there is no PostgreSQL: run scripts/test-deps.sh")
	}
	newest := slices.MaxFunc(found, func(a, b string) int { return major(a) - major(b) })
	return filepath.Dir(newest), nil
}

func major(initdb string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(initdb))))
	return n
}

// cached makes the files of a server. Initialising takes a second or two of a
// processor, so a copy is kept in the user's cache, by version.
func cached(bin, data, person string) error {
	version, err := exec.Command(filepath.Join(bin, "initdb"), "--version").Output()
	if err != nil {
		return fmt.Errorf("initdb --version: %w", err)
	}
	caches, err := os.UserCacheDir()
	if err != nil {
		return initialise(bin, data, person, smallLog...) // no home
	}
	words := strings.Fields(string(version))
	kept := filepath.Join(caches, "belfry-test", "postgres-"+words[2]+"-1")
	if err := copyTree(kept, data); err == nil {
		return nil
	}
	if err := os.RemoveAll(data); err != nil {
		return err
	}
	if err := initialise(bin, data, person, smallLog...); err != nil {
		return err
	}
	// Another process may do the same: whoever renames first has made the cache.
	// A cache that cannot be written costs time, no more.
	if err := os.MkdirAll(filepath.Dir(kept), 0o700); err != nil {
		return nil
	}
	half, err := os.MkdirTemp(filepath.Dir(kept), "half-")
	if err != nil {
		return nil
	}
	defer os.RemoveAll(half)
	if copyTree(data, filepath.Join(half, "data")) == nil {
		_ = os.Rename(filepath.Join(half, "data"), kept)
	}
	return nil
}

// smallLog keeps the folder of a test's server small.
var smallLog = []string{"--wal-segsize=1"}

// ordinary makes the files of a server as Debian would.
func ordinary(bin, data, person string) error { return initialise(bin, data, person) }

func initialise(bin, data, person string, options ...string) error {
	if err := os.Mkdir(data, 0o700); err != nil {
		return err
	}
	if err := give(filepath.Dir(data), person); err != nil {
		return err
	}
	words := []string{"-D", data, "-U", superuser, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"}
	cmd := exec.Command(filepath.Join(bin, "initdb"), append(words, options...)...)
	cmd.Dir = filepath.Dir(data)
	if err := runAs(cmd, person); err != nil {
		return err
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

// copyTree copies a folder with its permissions. A folder that is not complete
// has no PG_VERSION, which the copy would then lack too.
func copyTree(from, to string) error {
	if _, err := os.Stat(filepath.Join(from, "PG_VERSION")); err != nil {
		return err
	}
	if out, err := exec.Command("cp", "-R", "-p", from, to).CombinedOutput(); err != nil {
		return fmt.Errorf("cp: %w\n%s", err, out)
	}
	return nil
}
