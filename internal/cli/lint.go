package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/appstore"
	"github.com/belfryhq/belfry/internal/authz"
	"github.com/belfryhq/belfry/internal/config"
	"github.com/belfryhq/belfry/internal/lint"
	"github.com/belfryhq/belfry/internal/store"
	"github.com/belfryhq/belfry/internal/trace"
)

type lintCommand struct {
	*Program
	json bool
}

func newLint(p *Program) *cobra.Command {
	c := &lintCommand{Program: p}
	cmd := newCommand("lint", "say what is unsafe, or has no effect, in the settings", cobra.NoArgs, c.run)
	cmd.Long = `Say what is unsafe, or has no effect, in the settings as a server started here and
now would have them: rules that let everyone in or never match, secrets that are
short or from an example, personal data on public channels and dashboards, database
roles that may write, and more. When a server runs on the data folder, its apps and
the events that it saw in the last hour are looked at too; of events only the keys at
the top of their data are known. The exit code is 1 when there is a warning or an
error, and 0 when there are notes at most.`
	cmd.Example = "belfry lint\nbelfry lint --config /etc/belfry.yaml --json"
	jsonFlag(cmd, &c.json)
	return cmd
}

// lintReport is the answer in JSON.
type lintReport struct {
	OK       bool           `json:"ok"`
	Running  bool           `json:"server_running"`
	Findings []lint.Finding `json:"findings"`
}

func (c *lintCommand) run(cmd *cobra.Command, _ []string) error {
	ctx := cmd.Context()
	cfg, err := c.load(nil)
	if err != nil {
		return err
	}
	if _, err := channelRules(cfg); err != nil {
		return err
	}
	if _, err := liveDashboards(cfg); err != nil {
		return err
	}
	settings := lintSettings(cfg)
	seen, running := c.seen(ctx)
	if running {
		settings.Apps = append(settings.Apps, keptApps(ctx, cfg)...)
		settings.Where = func(path string) string {
			if strings.HasPrefix(path, keptPath) {
				return appstore.Kept
			}
			return cfg.Where(path)
		}
	}
	r := lintReport{Running: running, Findings: lint.Check(ctx, settings, seen)}
	r.OK = !lint.Failed(r.Findings)
	if err := c.print(r); err != nil {
		return err
	}
	if !r.OK {
		return errSaid
	}
	return nil
}

func (c *lintCommand) print(r lintReport) error {
	if c.json {
		return printJSON(c.Stdout, r)
	}
	for _, f := range r.Findings {
		fmt.Fprintf(c.Stdout, "%s: %s: %s\n  (%s)", printable(f.Where), f.Severity, printable(f.What), f.Code)
		fmt.Fprintf(c.Stdout, "\n  to do: %s\n\n", printable(f.Fix))
	}
	count := map[lint.Severity]int{}
	for _, f := range r.Findings {
		count[f.Severity]++
	}
	if len(r.Findings) == 0 {
		fmt.Fprintln(c.Stdout, "nothing found")
	} else {
		fmt.Fprintf(c.Stdout, "errors: %d, warnings: %d, notes: %d\n", count[lint.Error], count[lint.Warning], count[lint.Note])
	}
	if !r.Running {
		fmt.Fprintln(c.Stdout, "No server runs on the data folder, so no events were looked at.")
	}
	return nil
}

// seen gives the events that the running server remembers, as many as one answer
// holds.
func (c *lintCommand) seen(ctx context.Context) (all []lint.Event, running bool) {
	link, err := c.dialHere(ctx)
	if err != nil {
		return nil, false
	}
	defer link.Close()
	events, err := link.Events(ctx, trace.Filter{Limit: 1000})
	if err != nil { // it traces nothing
		return nil, true
	}
	for i := range events {
		for _, channel := range events[i].Channels {
			all = append(all, lint.Event{App: events[i].App, Channel: channel, Name: events[i].Event, Keys: events[i].Keys})
		}
	}
	return all, true
}

// keptPath begins the path of what is in the database.
const keptPath = "database.apps["

// keptApps gives the apps that commands made. Their secrets are made up there,
// so none of them is judged.
func keptApps(ctx context.Context, cfg *config.Config) (all []lint.App) {
	db, err := store.Open(store.Config{URL: cfg.DatabaseURL, Dir: cfg.DataDir, Connections: 1})
	if err != nil {
		return nil
	}
	defer db.Close()
	records, err := appstore.Open(db, cfg.DataDir).Load(ctx)
	if err != nil {
		return nil
	}
	for _, r := range records {
		all = append(all, lint.App{App: r.App(), Path: keptPath + r.ID + "]"})
	}
	return all
}

// lintSettings gives lint what it looks at.
func lintSettings(cfg *config.Config) lint.Settings {
	s := lint.Settings{
		Where: cfg.Where, Listen: cfg.Listen, URL: cfg.URL, Metrics: cfg.MetricsListen, Forwards: cfg.Authorization.URL != "",
		WebhookSecrets: len(cfg.WebhookSharedSecrets), TrustedProxies: cfg.TrustedProxies, Queue: cfg.QueueConnection, Broadcaster: cfg.BroadcastConnection,
		Boards: dashboardSpecs(cfg),
	}
	for _, r := range cfg.Channels {
		s.Rules = append(s.Rules, authz.Rule(r))
	}
	for _, app := range cfg.Apps() {
		l := lint.App{App: app, Path: appPath(cfg, app.ID)}
		s.Apps = append(s.Apps, l)
		for i, k := range app.Keys {
			path := l.Path + ".secret"
			if l.Path == "pusher" {
				path = "pusher.app_secret"
			} else if i > 0 {
				path = fmt.Sprintf("%s.secrets", l.Path)
			}
			s.Secrets = append(s.Secrets, lint.Secret{Path: path, Of: "app \"" + app.ID + "\"", Value: k.Secret, Example: config.IsExample(k.Secret), Known: []string{k.Key, app.ID}})
		}
	}
	for _, secret := range cfg.WebhookSharedSecrets {
		s.Secrets = append(s.Secrets, lint.Secret{Path: "webhook_shared_secret", Of: "webhooks", Value: secret, Example: config.IsExample(secret), Known: publicTexts(cfg.Apps())})
	}
	const cookies = "cookies, tokens and answers on who may listen"
	s.Plain = append(s.Plain, lint.Address{Path: "authorization.url", URL: cfg.Authorization.URL, Carries: cookies},
		lint.Address{Path: "authorization.user_url", URL: cfg.Authorization.UserURL, Carries: cookies})
	for i, j := range cfg.JWT {
		path := fmt.Sprintf("jwt[%d].", i)
		s.Secrets = append(s.Secrets, lint.Secret{Path: path + "secret", Of: "the issuer " + j.Issuer, Value: j.Secret, Example: config.IsExample(j.Secret)})
		s.Plain = append(s.Plain, lint.Address{Path: path + "jwks", URL: j.JWKS, Carries: "the keys that tokens are checked with"})
		if j.TrustRoles {
			s.TrustedIssuers = append(s.TrustedIssuers, path+"trust_roles")
		}
	}
	return s
}

// appPath gives where an app's settings are in the file; "pusher" for the app of
// PUSHER_APP_*.
func appPath(cfg *config.Config, id string) string {
	for i := range cfg.AppList {
		if cfg.AppList[i].ID == id {
			return fmt.Sprintf("apps[%d]", i)
		}
	}
	return "pusher"
}

// publicTexts are the keys and ids of apps.
func publicTexts(apps []*belfry.App) (all []string) {
	for _, a := range apps {
		all = append(all, a.ID)
		for _, k := range a.Keys {
			all = append(all, k.Key)
		}
	}
	return all
}
