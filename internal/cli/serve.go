package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/internal/config"
	"github.com/belfryhq/belfry/internal/logs"
	"github.com/belfryhq/belfry/server"
)

type serve struct {
	*Program
	showSecret bool
}

func newServe(p *Program) *cobra.Command {
	c := &serve{Program: p}
	cmd := newCommand("serve", "run the server", cobra.NoArgs, c.run)
	cmd.Long = `Run the server until it gets SIGTERM or Ctrl-C: it then tells its clients to
reconnect elsewhere, finishes what is under way, and exits within the grace
period; a second signal ends it at once. SIGHUP makes it read its settings anew.

With no app in the settings it makes one at the first start and prints its key
and secret. Every setting is listed by "belfry config"; the options here come
before everything else.`
	cmd.Example = `belfry serve
belfry serve --listen 127.0.0.1:6001 --log-level debug
belfry serve --config /etc/belfry.yaml --data-dir /var/lib/belfry`
	f := cmd.Flags()
	f.String("listen", "", "`address` of everything HTTP and WebSocket (default :6001)")
	f.String("metrics-listen", "", "`address` of metrics and profiling, off for none (default 127.0.0.1:9601)")
	f.String("log-level", "", "debug, info, warn or error (default info)")
	f.String("log-format", "", "text, json, or auto: text on a terminal (default auto)")
	f.Bool("no-workers", false, "leave out the embedded workers: others do the jobs, such as belfry broadcast:start")
	f.BoolVar(&c.showSecret, "show-secret", false, "print the default app's secret at every start, for demonstrations")
	return cmd
}

// given collects the options that are settings.
func (c *serve) given(cmd *cobra.Command) map[string]string {
	flags := map[string]string{}
	for _, f := range config.Flags() {
		if v := cmd.Flags().Lookup(f.Name); v != nil && v.Changed {
			flags[f.Name] = v.Value.String()
		}
	}
	return flags
}

func (c *serve) run(cmd *cobra.Command, _ []string) error {
	noWorkers, _ := cmd.Flags().GetBool("no-workers")
	cfg, srv, log, err := c.open(c.options(c.given(cmd)), noWorkers)
	if err != nil {
		return err
	}
	if err := srv.Listen(); err != nil {
		return err
	}
	if err := c.greet(cfg, srv); err != nil {
		return err
	}
	ctx, stop := c.signals(cmd.Context(), log, srv)
	defer stop()
	freeStart()
	return srv.Run(ctx)
}

// open makes the server of a configuration. It does not listen yet.
func (c *serve) open(options config.Options, noWorkers bool) (*config.Config, *server.Server, *slog.Logger, error) {
	cfg, err := config.Load(options)
	if err == nil {
		err = acceptable(cfg)
	}
	if err != nil {
		return nil, nil, nil, err
	}
	log, err := c.logger(cfg)
	if err != nil {
		return nil, nil, nil, err
	}
	for _, w := range cfg.Warnings() {
		log.Warn(w)
	}
	settings := serverConfig(cfg)
	if settings.Rules, err = channelRules(cfg); err != nil {
		return nil, nil, nil, err
	}
	if settings.Dashboards, err = liveDashboards(cfg); err != nil {
		return nil, nil, nil, err
	}
	settings.Settings = newLive(options, cfg)
	settings.NoWorkers = noWorkers
	settings.Version = c.Version
	settings.Logger = log
	srv, err := server.New(settings)
	return cfg, srv, log, err
}

// freeStart gives the system back what only starting needed. The migrations leave
// 12 MB in a pool, which is empty after the second collection; and while the heap is
// small it is collected before it grows.
func freeStart() {
	runtime.GC()
	debug.FreeOSMemory()
}

func (c *serve) logger(cfg *config.Config) (*slog.Logger, error) {
	terminal := logs.IsTerminal(c.Stderr)
	noColor := slices.ContainsFunc(c.Environ, func(v string) bool { return strings.HasPrefix(v, "NO_COLOR=") && v != "NO_COLOR=" })
	log, _, err := logs.New(c.Stderr, logs.Config{
		Level:    cfg.Log.Level,
		Format:   cfg.Log.Format,
		Terminal: terminal,
		Color:    terminal && !noColor && runtime.GOOS != "windows",
	})
	return log, err
}

// greet says where the server is and which app it has. A secret is shown when
// it was just made, and when that is asked for.
func (c *serve) greet(cfg *config.Config, srv *server.Server) error {
	app, created := srv.DefaultApp()
	text := fmt.Sprintf("Belfry %s on %s\n", c.Version, srv.URL())
	if app == nil {
		_, err := fmt.Fprint(c.Stdout, text+"There is no app until the database can be reached.\n")
		return err
	}
	text += fmt.Sprintf("  app id  %s\n  key     %s\n", app.ID, app.Keys[0].Key)
	if created || c.showSecret {
		text += "  secret  " + app.Keys[0].Secret + "\n"
	}
	if created {
		text += "The app was made just now and is kept in the database (" + databaseName(cfg) + "); its secret is shown only this once.\n"
	}
	setup, err := srv.SetupURL(context.Background())
	if err != nil {
		return err
	}
	if setup != "" {
		text += "There is no administrator yet. Make one at " + setup + "\n(this link works once, for an hour), or with: belfry user:add EMAIL --role admin\n"
	}
	_, err = fmt.Fprint(c.Stdout, text)
	return err
}

// signals gives a context that ends with the first SIGTERM or Ctrl-C. The
// second ends the process; SIGHUP reloads.
func (c *serve) signals(parent context.Context, log *slog.Logger, srv *server.Server) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	got := make(chan os.Signal, 8)
	signal.Notify(got, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case s := <-got:
				switch {
				case s == syscall.SIGHUP:
					_, _ = srv.Reload(ctx) // it logs what became of it
				case ctx.Err() == nil:
					cancel(fmt.Errorf("got the signal %q", s))
				default:
					log.Warn("ending at once, at a second signal", "signal", s.String())
					os.Exit(exitFailed)
				}
			case <-done:
				return
			}
		}
	}()
	return ctx, func() {
		signal.Stop(got)
		close(done)
		cancel(errors.New("the server has ended"))
	}
}

// serverConfig maps settings to the server's own.
func serverConfig(cfg *config.Config) server.Config {
	s := server.Config{
		Listen:              cfg.Listen,
		MetricsListen:       cfg.MetricsListen,
		DataDir:             cfg.DataDir,
		PathPrefix:          cfg.Server.PathPrefix,
		TrustedProxies:      cfg.TrustedProxies,
		Apps:                configuredApps(cfg),
		AppOrigin:           origins(cfg),
		PortableEngine:      cfg.Server.Engine == "portable",
		NoIOUring:           cfg.Server.Engine == "epoll",
		MaxConnections:      cfg.Server.MaxConnections,
		HandshakesPerSecond: cfg.Server.HandshakesPerSecond,
		MaxMessage:          cfg.Server.MaxMessageSize,
		SendBuffer:          cfg.Server.SendBuffer,
		PingAfter:           cfg.Server.PingAfter,
		PingTimeout:         cfg.Server.PingTimeout,
		HandshakeTimeout:    cfg.Server.HandshakeTimeout,
		DrainWindow:         cfg.Server.DrainWindow,
		ShutdownGrace:       cfg.Server.ShutdownGrace,
		WebhookSecrets:      cfg.WebhookSharedSecrets,
		WebhookAllow:        cfg.Webhooks.AllowPrivateAddresses,
		WebhooksFor:         cfg.Webhooks.Keep,
		WebhooksFailed:      cfg.Webhooks.KeepFailed,
		ConsolePayloads:     cfg.Console.Payloads,
		ConfigFile:          cfg.File(),
		Backend:             backendConfig(cfg),
		Concurrency:         cfg.Workers.Concurrency,
		Trace: server.Trace{Off: !cfg.Trace.Enabled, Bytes: cfg.Trace.Memory, For: cfg.Trace.Keep, Rate: cfg.Trace.EventsPerSecond,
			FailuresFor: cfg.Trace.Failures},
		ProbeEvery:  cfg.Health.ProbeEvery,
		CORSOrigins: cfg.CORSOrigins,
		Authorization: server.Authorization{
			ChannelURL: cfg.Authorization.URL,
			UserURL:    cfg.Authorization.UserURL,
			PerMinute:  cfg.Authorization.PerMinute,
		},
	}
	if s.MetricsListen == "" {
		s.MetricsListen = "off"
	}
	if s.DrainWindow == 0 {
		s.DrainWindow = -1 // the server's zero is its default
	}
	for _, setting := range cfg.Effective() {
		if setting.Key == "url" && !setting.Default {
			s.URL = cfg.URL
		}
	}
	if cfg.TLS.Enabled() {
		s.TLS = &server.TLS{
			CertFile:  cfg.TLS.CertFile,
			KeyFile:   cfg.TLS.KeyFile,
			Domains:   cfg.TLS.Auto.Domains,
			Email:     cfg.TLS.Auto.Email,
			Directory: cfg.TLS.Auto.Directory,
			CARoot:    cfg.TLS.Auto.CARoot,
		}
	}
	return s
}
