package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/internal/config"
	"github.com/belfryhq/belfry/internal/doctor"
	"github.com/belfryhq/belfry/internal/ingest"
)

type doctorCommand struct {
	*Program
	target doctor.Target
	env    string
	idle   seconds
	json   bool
}

func newDoctor(p *Program) *cobra.Command {
	c := &doctorCommand{Program: p}
	cmd := newCommand("doctor", "test every link from a publisher to a page and name the broken one", cobra.NoArgs, c.run)
	cmd.Long = `Test every link from a publisher to a page and name the broken one: settings, data
folder, port, limits of the machine, database, queue, workers, broadcaster, webhooks,
and on the running server, and on its public address, TLS, clock, signature,
authorization, a WebSocket, and one real event through all of it.

With --url the server on another machine examines itself, and is then reached from
here. With --host or --key it examines any Pusher-compatible server instead, and with
--env it reads the .env of a Laravel or front-end project. Nothing is changed: the event
goes to a channel of its own that nobody else is on. The exit code is 1 when a check
failed.`
	cmd.Example = `belfry doctor
belfry doctor --idle 90    # also leave a connection alone for 90 seconds
belfry doctor --scheme https --host ws.example.com --port 443 --app-id 1001 --key analytics --secret "$SECRET"
belfry doctor --env ../shop/.env --json`
	f := cmd.Flags()
	f.StringVar(&c.target.Scheme, "scheme", "", "`http or https` of another server (default: https with port 443 or none, else http)")
	f.StringVar(&c.target.Host, "host", "", "its `host` (default: localhost)")
	f.IntVar(&c.target.Port, "port", 0, "its `port` (default: 443, or 6001 on localhost)")
	f.StringVar(&c.target.Path, "path", "", "`path` before /app and /apps")
	f.StringVar(&c.target.AppID, "app-id", "", "`id` of an app there")
	f.StringVar(&c.target.Key, "key", "", "its `key`")
	f.StringVar(&c.target.Secret, "secret", "", "its `secret` (default: PUSHER_APP_SECRET)")
	f.StringVar(&c.target.Origin, "origin", "", "`origin` to send, as a page's browser does")
	f.StringVar(&c.env, "env", "", "`file` .env of a project to examine")
	f.Var(&c.idle, "idle", "`seconds` to leave a connection alone, to find the idle limit of proxies (default: not measured)")
	jsonFlag(cmd, &c.json)
	return cmd
}

// doctorReport is the answer in JSON.
type doctorReport struct {
	OK     bool           `json:"ok"`
	Checks []doctor.Check `json:"checks"`
}

func (c *doctorCommand) run(cmd *cobra.Command, _ []string) error {
	ctx, stop := interruptible(cmd)
	defer stop()
	c.target.Idle = time.Duration(c.idle)
	var checks []doctor.Check
	var err error
	switch other := c.target.Host != "" || c.target.Key != "" || c.target.AppID != "" || c.target.Port != 0 || c.target.Scheme != ""; {
	case c.env != "" && other:
		return &usageError{errors.New("give --env or a server, not both")}
	case c.env != "":
		checks, err = c.project()
	case other:
		if checks, err = c.remote(ctx); err != nil {
			return &usageError{err}
		}
	default:
		checks, err = c.running(ctx)
	}
	if err != nil {
		return err
	}
	if err := c.print(doctorReport{OK: !doctor.AnyFailed(checks), Checks: checks}); err != nil {
		return err
	}
	if doctor.AnyFailed(checks) {
		return errSaid
	}
	return nil
}

func (c *doctorCommand) print(r doctorReport) error {
	if c.json {
		return printJSON(c.Stdout, r)
	}
	count := map[doctor.Status]int{}
	for _, check := range r.Checks {
		count[check.Status]++
		mark := map[doctor.Status]string{doctor.Passed: "ok", doctor.Failed: "FAILED", doctor.Skipped: "skipped"}[check.Status]
		fmt.Fprintf(c.Stdout, "%-8s%s: %s\n", mark, printable(check.Name), printable(check.Seen))
		if check.Status == doctor.Failed {
			fmt.Fprintf(c.Stdout, "        (%s)\n        to do: %s\n", check.Cause, printable(check.Fix))
		}
	}
	_, err := fmt.Fprintf(c.Stdout, "passed: %d, failed: %d, skipped: %d\n", count[doctor.Passed], count[doctor.Failed], count[doctor.Skipped])
	return err
}

// remote examines the server that the flags name.
func (c *doctorCommand) remote(ctx context.Context) ([]doctor.Check, error) {
	t := c.target
	if strings.Contains(t.Host, "://") {
		u, err := url.Parse(t.Host)
		if err != nil || u.Hostname() == "" {
			return nil, errors.New("--host is a name alone, such as ws.example.com")
		}
		return nil, fmt.Errorf("--host is a name alone: --scheme %s --host %s", u.Scheme, u.Hostname())
	}
	t.Host = cmp.Or(t.Host, "localhost")
	if t.Scheme == "" {
		t.Scheme = "http"
		if t.Port == 443 || t.Port == 0 && t.Host != "localhost" && t.Host != "127.0.0.1" {
			t.Scheme = "https"
		}
	}
	if t.Scheme != "http" && t.Scheme != "https" {
		return nil, errors.New("--scheme is http or https")
	}
	if t.Port == 0 {
		t.Port = map[bool]int{true: 443, false: 6001}[t.Scheme == "https"]
	}
	if t.Port < 0 || t.Port > 65535 {
		return nil, errors.New("--port is a number up to 65535")
	}
	t.Path = strings.TrimSuffix(t.Path, "/")
	if t.Secret == "" {
		for _, pair := range c.Environ {
			if secret, ok := strings.CutPrefix(pair, "PUSHER_APP_SECRET="); ok {
				t.Secret = secret
			}
		}
	}
	steps, done := t.Steps()
	defer done()
	return doctor.Run(ctx, steps), nil
}

// maxProjectFile bounds what is read of a file of a project.
const maxProjectFile = 256 << 10

// project reads a project's .env with what stands beside it.
func (c *doctorCommand) project() ([]doctor.Check, error) {
	path := c.env
	if !filepath.IsAbs(path) {
		path = filepath.Join(c.Dir, path)
	}
	name := c.env
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path, name = filepath.Join(path, ".env"), filepath.Join(name, ".env")
	}
	text, err := readSome(path)
	if err != nil {
		return nil, fmt.Errorf("read the project's settings: %w", err)
	}
	p := doctor.Project{Env: text, File: name, Weak: weakSecret}
	dir := filepath.Dir(path)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		p.Files = append(p.Files, e.Name())
	}
	for _, name := range []string{"bootstrap/providers.php", "config/horizon.php"} {
		if _, err := os.Stat(filepath.Join(dir, filepath.FromSlash(name))); err == nil {
			p.Files = append(p.Files, name)
		}
	}
	for _, name := range []string{"package.json", "composer.json", "Procfile", "compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"} {
		if text, err := readSome(filepath.Join(dir, name)); err == nil {
			p.Package += text + "\n"
		}
	}
	return doctor.Env(p), nil
}

func readSome(path string) (string, error) {
	text, err := os.ReadFile(path)
	if len(text) > maxProjectFile {
		return "", fmt.Errorf("%s has more than 256 KB", filepath.Base(path))
	}
	return string(text), err
}

// weakSecret says why a secret is easily guessed.
func weakSecret(secret string) string {
	if config.IsExample(secret) {
		return "it is an example from public documents"
	}
	return ingest.Weak(secret)
}

// splitAddress gives host and port of an address that a server listens on, as
// this machine reaches it.
func splitAddress(address string) (host string, port int) {
	host, text, _ := net.SplitHostPort(address)
	port, _ = strconv.Atoi(text)
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return host, port
}
