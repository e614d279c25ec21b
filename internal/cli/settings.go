package cli

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/appstore"
	"github.com/belfryhq/belfry/internal/config"
	"github.com/belfryhq/belfry/internal/control"
	"github.com/belfryhq/belfry/internal/store"
	"github.com/belfryhq/belfry/server"
)

// load reads the configuration as this command line has it. flags are further
// ones by name.
func (p *Program) load(flags map[string]string) (*config.Config, error) {
	return config.Load(p.options(flags))
}

func (p *Program) options(flags map[string]string) config.Options {
	all := map[string]string{}
	for name, value := range flags {
		all[name] = value
	}
	if p.dataDir != "" {
		all["data-dir"] = p.dataDir
	}
	return config.Options{Flags: all, Environ: p.Environ, Dir: p.Dir, File: p.config}
}

// folder finds the data folder. A configuration that does not hold is in no
// command's way when the folder is named outright.
func (p *Program) folder() (string, error) {
	if p.dataDir != "" {
		return p.dataDir, nil
	}
	for _, pair := range slices.Backward(p.Environ) {
		if v, ok := strings.CutPrefix(pair, "BELFRY_DATA_DIR="); ok && v != "" {
			return v, nil
		}
	}
	cfg, err := p.load(nil)
	if err != nil {
		return "", err
	}
	return cfg.DataDir, nil
}

// dialHere reaches the server that runs on the data folder.
func (p *Program) dialHere(ctx context.Context) (*control.Client, error) {
	dir, err := p.folder()
	if err != nil {
		return nil, err
	}
	return control.Dial(ctx, dir)
}

// apps gives the list of apps: the running server's, else the database's, so
// that an app can be made before the first start. done is called after use.
func (p *Program) apps(ctx context.Context) (list control.Apps, running bool, done func(), err error) {
	c, err := p.dial(ctx)
	if err == nil {
		return c.Apps(), true, c.Close, nil
	}
	if !control.IsNotRunning(err) {
		return nil, false, nil, err
	}
	dir, err := p.folder()
	if err != nil {
		return nil, false, nil, err
	}
	cfg, err := p.load(nil)
	if err != nil {
		return nil, false, nil, err
	}
	db, err := database(ctx, cfg, dir)
	if err != nil {
		return nil, false, nil, err
	}
	roster := appstore.NewRoster(appstore.Open(db, dir), nil)
	if err := roster.SetFixed(ctx, configuredApps(cfg), origins(cfg)); err != nil {
		// A list that contradicts itself must be open to mending.
		if belfry.CodeOf(err) != belfry.CodeConflict {
			db.Close()
			return nil, false, nil, err
		}
		roster = appstore.NewRoster(appstore.Open(db, dir), nil)
	}
	return roster, false, func() { db.Close() }, nil
}

// configuredApps gives the configuration's apps, the default one first.
func configuredApps(cfg *config.Config) []*belfry.App {
	apps := cfg.Apps()
	if d := cfg.DefaultApp(); d != nil {
		i := slices.IndexFunc(apps, func(a *belfry.App) bool { return a.ID == d.ID })
		first := apps[i]
		apps = slices.Insert(slices.Delete(apps, i, i+1), 0, first)
	}
	return apps
}

// origins says where each app is configured.
func origins(cfg *config.Config) func(id string) string {
	sources := map[string]string{}
	for _, s := range cfg.Effective() {
		sources[s.Key] = s.Source
	}
	return func(id string) string {
		if s := sources["apps["+id+"].key"]; s != "" {
			return s
		}
		return sources["pusher.app_id"]
	}
}

// live is the configuration of a running server (server.Settings). What needs
// a restart stays as it was at the start.
type live struct {
	options config.Options
	dataDir string
	started *config.Config

	mu  sync.Mutex // guards now
	now *config.Config
}

func newLive(options config.Options, cfg *config.Config) *live {
	return &live{options: options, dataDir: cfg.DataDir, started: cfg, now: cfg}
}

// Effective gives what is in force.
func (l *live) Effective() []control.Setting {
	l.mu.Lock()
	defer l.mu.Unlock()
	old := map[string]config.Setting{}
	for _, s := range l.started.Effective() {
		old[s.Key] = s
	}
	waiting := map[string]bool{} // for a restart
	for _, c := range config.Diff(l.started, l.now) {
		waiting[c.Key] = c.NeedsRestart
	}
	var all []control.Setting
	for _, s := range l.now.Effective() {
		if before, ok := old[s.Key]; waiting[s.Key] {
			if !ok {
				continue
			}
			s = before
		}
		all = append(all, control.Setting{Key: s.Key, Value: s.Value, Source: s.Source})
	}
	return all
}

// Diff reads the configuration anew and compares.
func (l *live) Diff(context.Context) ([]control.Change, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	next, err := l.read()
	if err != nil {
		return nil, err
	}
	return l.diff(next), nil
}

// Reload reads the configuration anew and gives what is to be taken on.
func (l *live) Reload(ctx context.Context) (*server.Reloaded, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	next, err := l.read()
	if err != nil {
		return nil, err
	}
	rules, err := channelRules(next)
	if err != nil {
		return nil, err
	}
	boards, err := liveDashboards(next)
	if err != nil {
		return nil, err
	}
	r := &server.Reloaded{Apps: configuredApps(next), AppOrigin: origins(next), Rules: rules, Dashboards: boards, WebhookSecrets: next.WebhookSharedSecrets,
		ConsolePayloads: next.Console.Payloads, Changes: l.diff(next)}
	// Whatever would make the server refuse the apps is found here, before the
	// new settings count as those in force.
	if err := l.tryApps(ctx, r); err != nil {
		return nil, err
	}
	l.now = next
	return r, nil
}

// tryApps says whether the server will take the apps beside those of its
// database.
func (l *live) tryApps(ctx context.Context, r *server.Reloaded) error {
	db, err := store.Open(store.Config{URL: l.started.DatabaseURL, Dir: l.dataDir})
	if err != nil {
		return err
	}
	defer db.Close()
	return appstore.NewRoster(appstore.Open(db, l.dataDir), nil).SetFixed(ctx, r.Apps, r.AppOrigin)
}

// read gives the configuration as it is written now. Its faults are for the
// command that asked, as one message.
func (l *live) read() (*config.Config, error) {
	next, err := config.Load(l.options)
	if err == nil {
		err = acceptable(next)
	}
	if faults, ok := errors.AsType[*config.Error](err); ok {
		message, hint := describe(faults)
		return nil, &belfry.Error{Code: belfry.CodeInvalid, Message: message, Hint: hint}
	}
	return next, err
}

// diff compares what waits for a restart with the start's, the rest with what
// is in force.
func (l *live) diff(next *config.Config) []control.Change {
	changes := []control.Change{}
	add := func(from *config.Config, restart bool) {
		for _, c := range config.Diff(from, next) {
			if c.NeedsRestart == restart {
				changes = append(changes, control.Change(c))
			}
		}
	}
	add(l.now, false)
	add(l.started, true)
	return changes
}
