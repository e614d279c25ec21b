package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/examples/checkins/crowd"
	"github.com/belfryhq/belfry/examples/checkins/service"
	"github.com/belfryhq/belfry/internal/config"
	"github.com/belfryhq/belfry/internal/run"
	"github.com/belfryhq/belfry/server"
	"github.com/belfryhq/belfry/webhook"
)

type demo struct {
	*Program
	listen, checkins, level string
	pace                    time.Duration
}

// demoCheckins is where the check-in service of the demo is, when it can be.
const demoCheckins = "127.0.0.1:8010"

func newDemo(p *Program) *cobra.Command {
	c := &demo{Program: p}
	cmd := newCommand("demo", "run a server with sample people, notifications and a moving dashboard", cobra.NoArgs, c.run)
	cmd.Long = `Run everything for a first look: a server on a folder that goes when the demo ends,
with sample people and notifications; the check-in service of examples/checkins with
three months of made-up check-ins; and a simulated crowd of phones, so that the
dashboard moves and the bell fills. It prints where things are and whom to sign in
as. Ctrl-C ends it.

It reads no settings, neither from files nor from the environment, so that it cannot
touch what is yours.`
	cmd.Example = "belfry demo\nbelfry demo --listen 127.0.0.1:7001 --pace 200ms"
	f := cmd.Flags()
	f.StringVar(&c.listen, "listen", "127.0.0.1:6001", "`address` of everything HTTP and WebSocket")
	f.StringVar(&c.checkins, "checkins", demoCheckins, "`address` of the check-in service; without this option another port when that is taken")
	f.DurationVar(&c.pace, "pace", 1500*time.Millisecond, "mean `time` between two doings of the crowd")
	f.StringVar(&c.level, "log-level", "warn", "debug, info, warn or error")
	return cmd
}

func (c *demo) run(cmd *cobra.Command, _ []string) (err error) {
	if c.pace < time.Millisecond {
		return &usageError{errors.New("--pace is a time of at least 1ms")}
	}
	dir, err := os.MkdirTemp("", "belfry-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	ctx, stop := untilSignal(cmd.Context(), func() { os.RemoveAll(dir) })
	defer stop()
	phones, err := c.bind(cmd.Flags().Changed("checkins"))
	if err != nil {
		return err
	}
	defer phones.Close() // closed by the service before, as a rule
	stage := &stage{dir: dir, secret: rand.Text(), phones: phones}
	if stage.Program, err = stage.program(c.Program); err != nil {
		return err
	}
	server := &serve{Program: stage.Program}
	options := stage.options(map[string]string{"listen": c.listen, "metrics-listen": metricsAddress(), "log-level": c.level})
	if stage.cfg, stage.srv, stage.log, err = server.open(options, false); err != nil {
		return err
	}
	if err := stage.srv.Listen(); err != nil {
		return err
	}
	return c.play(ctx, stage)
}

// untilSignal gives a context that ends with the first signal. The second ends
// the process after last.
func untilSignal(parent context.Context, last func()) (context.Context, func()) {
	ctx, cancel := context.WithCancel(parent)
	got, done := make(chan os.Signal, 4), make(chan struct{})
	signal.Notify(got, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		for {
			select {
			case <-got:
				if ctx.Err() != nil {
					last()
					os.Exit(exitFailed)
				}
				cancel()
			case <-done:
				return
			}
		}
	}()
	return ctx, func() {
		signal.Stop(got)
		close(done)
		cancel()
	}
}

// bind listens for the check-in service.
func (c *demo) bind(asked bool) (net.Listener, error) {
	l, err := net.Listen("tcp", c.checkins)
	if err != nil && asked {
		return nil, &belfry.Error{Code: belfry.CodeInvalid, Message: "the check-in service cannot listen on " + c.checkins, Err: err, Hint: "choose another address with --checkins"}
	}
	if err == nil {
		return l, nil
	}
	fmt.Fprintf(c.Stdout, "Something else is on %s, so the check-in service takes another port.\n", c.checkins)
	return net.Listen("tcp", "127.0.0.1:0")
}

// metricsAddress is the usual one, or any when that is taken.
func metricsAddress() string {
	const usual = "127.0.0.1:9601"
	l, err := net.Listen("tcp", usual)
	if err != nil {
		return "127.0.0.1:0"
	}
	l.Close()
	return usual
}

// stage is what the demo runs on.
type stage struct {
	*Program // whose settings are the demo's own
	dir      string
	secret   string // of the webhooks
	cfg      *config.Config
	srv      *server.Server
	log      *slog.Logger
	phones   net.Listener
}

// play runs the demo until ctx ends or a part fails, then ends the parts in the
// order in which they depend on each other.
func (c *demo) play(ctx context.Context, s *stage) error {
	serving, endServer := context.WithCancel(context.WithoutCancel(ctx))
	defer endServer()
	house := run.NewGroup(serving)
	house.Go("server", s.srv.Run)

	err := c.scene(ctx, s, house.Failed())
	endServer()
	fmt.Fprintln(c.Stdout, "The demo ends; its folder is removed.")
	return errors.Join(err, house.Wait())
}

// scene runs what is in front of the server.
func (c *demo) scene(parent context.Context, s *stage, failed <-chan struct{}) error {
	ctx, end := context.WithCancel(parent)
	defer end()
	b, err := s.openBackend(ctx, s.log)
	if err != nil {
		return err
	}
	defer b.Close()
	people, _, err := seedPeople(ctx, b.Identity)
	if err == nil {
		_, _, err = seedSamples(ctx, b, people)
	}
	if err != nil {
		return ended(parent, err)
	}
	checkins, err := service.Open(ctx, service.Config{
		Dir: filepath.Join(s.dir, "checkins"), Logger: s.log,
		Webhook: webhook.Config{URL: s.local() + "/api/dashboard/notify-update", Secrets: []string{s.secret}},
	})
	if err != nil {
		return ended(parent, err)
	}
	if err := checkins.Seed(ctx); err != nil {
		return ended(parent, errors.Join(err, checkins.Close()))
	}
	front := run.NewGroup(ctx)
	front.Go("check-in service", func(ctx context.Context) error { return checkins.Serve(ctx, s.phones) })
	front.Go("crowd", crowd.New(crowd.Config{URL: "http://" + s.phones.Addr().String(), Pause: c.pace, Logger: s.log}).Run)
	front.Go("notices", func(ctx context.Context) error { return trickle(ctx, b, people) })
	c.greet(s, people)
	select {
	case <-ctx.Done():
	case <-failed:
	case <-front.Failed():
	}
	end()
	return errors.Join(front.Wait(), checkins.Close())
}

// ended gives no error for what failed because the demo was told to end.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// program gives the program with the demo's own settings in place of the
// surroundings'.
func (s *stage) program(p *Program) (*Program, error) {
	own := *p
	own.Dir = s.dir
	own.dataDir = filepath.Join(s.dir, "data")
	own.config = filepath.Join(s.dir, "belfry.yaml")
	own.Environ = []string{
		"SERVICES_WEBHOOK_SHARED_SECRET=" + s.secret,
		"CHECKINS_DATABASE_URL=" + fileURL(filepath.Join(s.dir, "checkins", service.FileName)),
		"CHECKINS_TIMEZONE=" + localZone(),
	}
	for _, pair := range p.Environ {
		if strings.HasPrefix(pair, "NO_COLOR=") {
			own.Environ = append(own.Environ, pair)
		}
	}
	return &own, os.WriteFile(own.config, demoConfig(), 0o600)
}

// local is the server's address on this machine.
func (s *stage) local() string {
	at := s.srv.Addr().(*net.TCPAddr)
	if at.IP.IsUnspecified() {
		return fmt.Sprintf("http://127.0.0.1:%d", at.Port)
	}
	return "http://" + at.String()
}

// greet says where things are.
func (c *demo) greet(s *stage, people []added) {
	var b strings.Builder
	at := s.srv.URL()
	fmt.Fprintf(&b, "\nBelfry %s, a demo. Ctrl-C ends it and removes its folder.\n\n", c.Version)
	for _, place := range [][2]string{
		{"live dashboard", at + "/dashboard"},
		{"notifications", at + "/notifications"},
		{"to send some", at + "/admin/notifications"},
		{"realtime, snippets", at + "/"},
		{"check-ins", "http://" + s.phones.Addr().String() + "/docs"},
	} {
		fmt.Fprintf(&b, "  %-20s%s\n", place[0], place[1])
	}
	b.WriteString("\nSign in as\n")
	for _, p := range people {
		what := "notifications"
		switch {
		case slices.Contains(p.Roles, "admin"), slices.Contains(p.Roles, "manager"):
			what = "all of it"
		}
		fmt.Fprintf(&b, "  %-22s%s   %s\n", p.Email, p.Password, what)
	}
	fmt.Fprintf(&b, "\nCheck in yourself, and watch the dashboard:\n"+
		"  curl -H 'Content-Type: application/json' -d '{\"student_id\": 1, \"mood\": \"Great\", \"energy\": \"High\", \"stress\": \"No Stress\"}' http://%s/api/checkins\n"+
		"\nCommands reach the server with --data-dir %s\n\n", s.phones.Addr(), s.dataDir)
	io.WriteString(c.Stdout, b.String())
}
