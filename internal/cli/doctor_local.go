package cli

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/appstore"
	"github.com/belfryhq/belfry/internal/config"
	"github.com/belfryhq/belfry/internal/control"
	"github.com/belfryhq/belfry/internal/doctor"
	"github.com/belfryhq/belfry/internal/store"
)

// local examines the server of this folder and these settings.
func (c *doctorCommand) local(ctx context.Context) []doctor.Check {
	cfg, err := c.load(nil)
	if err == nil {
		err = acceptable(cfg)
	}
	if err != nil {
		message, _ := describe(err)
		bad := doctor.Fail(doctor.SettingsInvalid, "mend them, and try with: belfry config check", "%s", message)
		bad.Name = "settings"
		return []doctor.Check{bad}
	}
	l := doctor.Local{
		Settings: "no file; environment and defaults", Listen: cfg.Listen, DataDir: cfg.DataDir, Broadcaster: cfg.BroadcastConnection,
		WebhookSecrets: cfg.WebhookSharedSecrets, Dashboards: len(cfg.Dashboards), Weak: weakSecret, Sync: cfg.QueueConnection == "sync",
	}
	if cfg.File() != "" {
		l.Settings = cfg.File()
	}
	link, status, err := c.status(ctx)
	running := err == nil
	if running {
		defer link.Close()
		l.Running, l.Changes = runningServer(cfg, status), changes(link)
	} else if l.Holder = control.Holder(cfg.DataDir); l.Holder != 0 {
		l.Silence = err
	}
	if l.DB = existingDatabase(cfg); l.DB != nil {
		defer l.DB.Close()
		if b := c.ask(ctx, &l); b != nil {
			defer b.Close()
		}
	}
	checks := doctor.Run(ctx, l.Steps())
	if !running {
		return checks
	}
	return append(checks, c.through(ctx, cfg, l, status)...)
}

// status asks the running server who it is. The caller closes the link.
func (c *doctorCommand) status(ctx context.Context) (*control.Client, control.Status, error) {
	link, err := c.dialHere(ctx)
	if err != nil {
		return nil, control.Status{}, err
	}
	s, err := link.Status(ctx)
	if err != nil {
		link.Close()
	}
	return link, s, err
}

// changes asks a server for settings that were changed and not taken up.
func changes(link *control.Client) func(context.Context) (reload, restart []string, err error) {
	return func(ctx context.Context) (reload, restart []string, err error) {
		all, err := link.Diff(ctx)
		reload, restart = control.Keys(all)
		return reload, restart, err
	}
}

// runningServer says how this machine reaches a server.
func runningServer(cfg *config.Config, s control.Status) *doctor.Running {
	host, port := splitAddress(s.Listen)
	r := &doctor.Running{PID: s.PID, Address: s.Listen, URL: "http://" + net.JoinHostPort(host, strconv.Itoa(port))}
	if cfg.TLS.Enabled() { // the certificate is for the public name
		r.URL = strings.TrimSuffix(s.URL, "/")
	}
	if s.Metrics != "" {
		host, port := splitAddress(s.Metrics)
		r.Health = "http://" + net.JoinHostPort(host, strconv.Itoa(port)) + "/health"
	}
	return r
}

// existingDatabase opens the database, or gives nil where a first start would
// make it.
func existingDatabase(cfg *config.Config) *store.DB {
	path := ""
	if cfg.DatabaseURL == "" {
		path = filepath.Join(cfg.DataDir, store.FileName)
	}
	if path != "" {
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			return nil
		}
	}
	db, err := store.Open(store.Config{URL: cfg.DatabaseURL, Dir: cfg.DataDir, Connections: 1})
	if err != nil {
		return nil
	}
	return db
}

// ask opens the application side where that changes nothing: with a schema of
// another version it would.
func (c *doctorCommand) ask(ctx context.Context, l *doctor.Local) *backend {
	if l.DB.Check(ctx) != nil {
		return nil
	}
	if pending, err := l.DB.Pending(ctx); err != nil || pending > 0 {
		return nil
	}
	b, err := c.backend(ctx)
	if err != nil {
		l.Unopened = err
		return nil
	}
	l.Sizes, l.Workers, l.Reach = b.Queue.Sizes, b.Queue.Workers, b.Broadcast.Check
	return b
}

// through sends an event through the running server, and through its public
// address where that is another.
func (c *doctorCommand) through(ctx context.Context, cfg *config.Config, l doctor.Local, s control.Status) (all []doctor.Check) {
	app := c.defaultApp(ctx, cfg, l, s.DefaultApp)
	t := doctor.Target{Scheme: "http", Path: cfg.Server.PathPrefix, Idle: c.target.Idle, Origin: c.target.Origin}
	if app != nil && len(app.Keys) > 0 {
		t.AppID, t.Key, t.Secret = app.ID, app.Keys[0].Key, app.Keys[0].Secret
		for _, origin := range app.AllowedOrigins {
			if t.Origin == "" && !strings.Contains(origin, "*") {
				if t.Origin = origin; !strings.Contains(origin, "://") {
					t.Origin = "https://" + origin
				}
			}
		}
	}
	public, err := url.Parse(cfg.URL)
	elsewhere := err == nil && !isLocal(public.Hostname())
	if !cfg.TLS.Enabled() {
		t.Host, t.Port = splitAddress(s.Listen)
		all = runTarget(ctx, "", t)
	} else {
		elsewhere = err == nil
	}
	if elsewhere {
		t.Scheme, t.Host = public.Scheme, public.Hostname()
		if t.Port, err = strconv.Atoi(public.Port()); err != nil {
			t.Port = map[bool]int{true: 443, false: 80}[public.Scheme == "https"]
		}
		all = append(all, runTarget(ctx, "public ", t)...)
	}
	return all
}

// runTarget examines an address and puts a word before the names of the checks.
func runTarget(ctx context.Context, word string, t doctor.Target) []doctor.Check {
	steps, done := t.Steps()
	defer done()
	checks := doctor.Run(ctx, steps)
	for i := range checks {
		checks[i].Name = word + checks[i].Name
	}
	return checks
}

// defaultApp gives the running server's default app with its secrets, from the
// settings or the database.
func (c *doctorCommand) defaultApp(ctx context.Context, cfg *config.Config, l doctor.Local, id string) *belfry.App {
	for _, a := range cfg.Apps() {
		if a.ID == id {
			return a
		}
	}
	if l.DB == nil {
		return nil
	}
	records, err := appstore.Open(l.DB, cfg.DataDir).Load(ctx)
	if err != nil {
		return nil
	}
	for _, r := range records {
		if r.ID == id {
			return r.App()
		}
	}
	return nil
}

func isLocal(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.Unmap().IsLoopback()
}
