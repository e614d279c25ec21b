package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/appstore"
	"github.com/belfryhq/belfry/internal/bench"
	"github.com/belfryhq/belfry/internal/logs"
)

type benchmark struct {
	*Program
	preset string
	target bench.Target
	shape  bench.Shape
	host   string
	port   int
	mode   string
	json   bool
}

func newBench(p *Program) *cobra.Command {
	c := &benchmark{Program: p}
	cmd := newCommand("bench", "put load on a server and measure what it costs", cobra.NoArgs, c.run)
	cmd.Long = `Put load on a server and measure: connections and their memory, handshakes,
deliveries, the server's CPU for each (user and system apart), the time from
publish to receive, and what was lost, duplicated, reordered or closed. Exit code
1 when anything was.

Without an address it takes the server that runs on the data folder. Any other
Pusher-compatible server is given by --url (or --host and --port) with --app-id,
--key and --secret; --pid, its process on this machine, is where CPU and memory
are read. Only servers on this machine are loaded unless --allow-remote is given.

A preset is a shape with a name; the other options change it. Without one the
options alone say what is done.

` + presetList()
	cmd.Example = `belfry bench --preset flat-out
belfry bench --preset idle10k --connections 5000 --json
belfry bench --connections 500 --channels 50 --mode rate --rate 100 --duration 10s
belfry bench --url ws://127.0.0.1:8080 --app-id 1 --key k --secret s --pid 4242 --preset one-by-one`
	f := cmd.Flags()
	f.StringVar(&c.preset, "preset", "", "`name` of a shape, see above")
	f.StringVar(&c.target.URL, "url", "", "`address` of the server, such as ws://127.0.0.1:6001 (default: the data folder's)")
	f.StringVar(&c.host, "host", "", "`name` of the server's host, instead of --url")
	f.IntVar(&c.port, "port", 0, "its `port` (default 6001)")
	f.StringVar(&c.target.AppID, "app-id", "", "`id` of the app (default: the server's default app)")
	f.StringVar(&c.target.Key, "key", "", "the app's `key`")
	f.StringVar(&c.target.Secret, "secret", "", "the app's `secret` (better: PUSHER_APP_SECRET, which other users of the machine do not see)")
	f.IntVar(&c.target.PID, "pid", 0, "`id` of the server's process (default: of the data folder's server)")
	f.BoolVar(&c.target.AllowRemote, "allow-remote", false, "load a server on another machine")
	f.BoolVar(&c.target.Insecure, "insecure", false, "accept any certificate")
	f.IntVar(&c.shape.Connections, "connections", 100, "`number` of subscribed connections")
	f.IntVar(&c.shape.Channels, "channels", 1, "`number` of channels that they subscribe to in turn")
	f.StringVar(&c.mode, "mode", "", "when the next event goes out: one-by-one, rate or flat-out (default: none does)")
	f.Float64Var(&c.shape.Rate, "rate", 100, "events a second of all publishers, with --mode rate")
	f.IntVar(&c.shape.Publishers, "publishers", 1, "`number` of publishers")
	f.IntVar(&c.shape.Batch, "batch", 1, "`number` of events in a request")
	f.IntVar(&c.shape.Size, "size", 245, "`bytes` of a message as it arrives")
	f.DurationVar(&c.shape.Duration, "duration", 5*time.Second, "`time` of publishing, or of watching idle connections")
	f.DurationVar(&c.shape.Warmup, "warmup", 500*time.Millisecond, "`time` of publishing before that, not counted")
	f.DurationVar(&c.shape.Settle, "settle", 3*time.Second, "`time` of rest before memory is measured")
	f.IntVar(&c.shape.AtOnce, "connect-at-once", 128, "`number` of handshakes under way at most")
	f.Float64Var(&c.shape.ReadLimit, "read-limit", 0, "deliveries a second that are read at most (default: as many as come)")
	f.IntVar(&c.shape.Windows, "windows", 1, "`number` of windows in which idle CPU is measured")
	jsonFlag(cmd, &c.json)
	return cmd
}

func presetList() string {
	var b strings.Builder
	b.WriteString("Presets:\n")
	for _, s := range bench.Presets() {
		fmt.Fprintf(&b, "\n  %-14s %s", s.Name, s.About)
	}
	return b.String()
}

func (c *benchmark) run(cmd *cobra.Command, _ []string) error {
	shape, err := c.chosen(cmd)
	if err != nil {
		return &usageError{err}
	}
	ctx, stop := interruptible(cmd)
	defer stop()
	if err := c.find(ctx); err != nil {
		return err
	}
	report, err := bench.Run(ctx, bench.Config{Target: c.target, Shape: shape, Progress: c.progress()})
	if err != nil {
		return err
	}
	if c.json {
		err = printJSON(c.Stdout, report)
	} else {
		err = table(c.Stdout, report.Rows())
	}
	if err == nil && len(report.Faults) > 0 {
		err = errSaid
	}
	return err
}

// chosen gives the preset with what the options change.
func (c *benchmark) chosen(cmd *cobra.Command) (bench.Shape, error) {
	given := cmd.Flags().Changed
	if c.host != "" || c.port != 0 {
		if c.target.URL != "" {
			return bench.Shape{}, errors.New("give --url, or --host and --port, not both")
		}
		if c.port == 0 {
			c.port = 6001
		}
		if c.host == "" {
			c.host = "127.0.0.1"
		}
		c.target.URL = "ws://" + net.JoinHostPort(c.host, strconv.Itoa(c.port))
	}
	c.shape.Mode = bench.Mode(c.mode)
	if c.preset == "" {
		if c.mode == "" && (given("rate") || given("publishers") || given("batch")) {
			return bench.Shape{}, errors.New("say when to publish with --mode: one-by-one, rate or flat-out")
		}
		return c.shape, nil
	}
	s, err := bench.Preset(c.preset)
	if err != nil {
		return s, err
	}
	for name, change := range map[string]func(){
		"connections":     func() { s.Connections = c.shape.Connections },
		"channels":        func() { s.Channels = c.shape.Channels },
		"mode":            func() { s.Mode = c.shape.Mode },
		"rate":            func() { s.Rate = c.shape.Rate },
		"publishers":      func() { s.Publishers = c.shape.Publishers },
		"batch":           func() { s.Batch = c.shape.Batch },
		"size":            func() { s.Size = c.shape.Size },
		"duration":        func() { s.Duration = c.shape.Duration },
		"warmup":          func() { s.Warmup = c.shape.Warmup },
		"settle":          func() { s.Settle = c.shape.Settle },
		"connect-at-once": func() { s.AtOnce = c.shape.AtOnce },
		"read-limit":      func() { s.ReadLimit = c.shape.ReadLimit },
		"windows":         func() { s.Windows = c.shape.Windows },
	} {
		if given(name) {
			change()
		}
	}
	if given("connections") {
		s.Fit()
	}
	return s, nil
}

// find fills in what was left out of the target from the server that runs on
// the data folder.
func (c *benchmark) find(ctx context.Context) error {
	t := &c.target
	if t.URL == "" {
		link, err := c.dialHere(ctx)
		if err != nil {
			return err
		}
		defer link.Close()
		st, err := link.Status(ctx)
		if err != nil {
			return err
		}
		if t.URL, err = c.localURL(st.Listen); err != nil {
			return err
		}
		if t.PID == 0 && bench.MeasuresProcesses {
			t.PID = st.PID
		}
		if t.AppID == "" {
			t.AppID = st.DefaultApp
		}
	}
	if t.Key != "" && t.Secret != "" && t.AppID != "" {
		return nil
	}
	return c.credentials(ctx)
}

// localURL gives the address of the data folder's server on this machine.
func (c *benchmark) localURL(listen string) (string, error) {
	cfg, err := c.load(nil)
	if err != nil {
		return "", err
	}
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", fmt.Errorf("the server listens on %q: %w", listen, err)
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	u := url.URL{Scheme: "ws", Host: net.JoinHostPort(host, port), Path: cfg.Server.PathPrefix}
	if cfg.TLS.Enabled() {
		u.Scheme = "wss"
		c.target.Insecure = true // its certificate is for its public name
	}
	return u.String(), nil
}

// credentials finds the app among those of the settings and the database.
func (c *benchmark) credentials(ctx context.Context) error {
	cfg, err := c.load(nil)
	if err != nil {
		return err
	}
	dir, err := c.folder()
	if err != nil {
		return err
	}
	db, err := database(ctx, cfg, dir)
	if err != nil {
		return err
	}
	defer db.Close()
	kept, err := appstore.Open(db, dir).Load(ctx)
	if err != nil {
		return err
	}
	apps := configuredApps(cfg)
	for _, r := range kept {
		apps = append(apps, r.App())
	}
	t := &c.target
	i := slices.IndexFunc(apps, func(a *belfry.App) bool {
		return (t.AppID == "" || a.ID == t.AppID) && (t.Key == "" || len(a.Secrets(t.Key)) > 0) && len(a.Keys) > 0
	})
	if i < 0 {
		return &belfry.Error{Code: belfry.CodeInvalid, Message: "the app's credentials are in neither the settings nor the database",
			Hint: "give --app-id, --key and --secret"}
	}
	t.AppID = apps[i].ID
	if t.Key == "" {
		t.Key = apps[i].Keys[0].Key
	}
	if t.Secret == "" {
		t.Secret = apps[i].Secrets(t.Key)[0]
	}
	return nil
}

// progress shows how far it is: in one line on a terminal, else now and then.
func (c *benchmark) progress() func(bench.Progress) {
	terminal := logs.IsTerminal(c.Stderr)
	n := 0
	return func(p bench.Progress) {
		if n++; !terminal && n%5 != 0 {
			return
		}
		line := fmt.Sprintf("%3.0f s  %-22s connected %d, published %d, delivered %d", p.Elapsed.Seconds(), p.Stage, p.Connected, p.Published, p.Delivered)
		if terminal {
			fmt.Fprintf(c.Stderr, "\r\x1b[K%s", line)
			return
		}
		fmt.Fprintln(c.Stderr, line)
	}
}
