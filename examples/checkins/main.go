// The check-in service: what students' phones talk to. It keeps check-ins in
// SQLite or PostgreSQL and tells Belfry's dashboard of each change.
//
//	go run ./examples/checkins --help
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/belfryhq/belfry/examples/checkins/service"
	"github.com/belfryhq/belfry/webhook"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "checkins:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("wrong use")

const help = `The check-in service: check-ins of students, with an HTTP API, a page that
describes it at /docs, and a signed webhook to Belfry after each change.

Usage: checkins [options]

`

const variables = `
Environment:
  DATABASE_URL                    sqlite:///path or postgres://…
  LARAVEL_WEBHOOK_URL             where Belfry takes webhooks, such as
    (or BELFRY_WEBHOOK_URL)       http://127.0.0.1:6001/api/dashboard/notify-update
  SERVICES_WEBHOOK_SHARED_SECRET  what they are signed with: the same as Belfry's
`

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("checkins", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), help)
		flags.PrintDefaults()
		fmt.Fprint(flags.Output(), variables)
	}
	listen := flags.String("listen", "127.0.0.1:8010", "`address` to listen on; the API asks nobody who they are, so keep it on this machine")
	dir := flags.String("data-dir", "checkins-data", "`folder` of the SQLite file, and of changes that Belfry was not told of yet")
	database := flags.String("database", os.Getenv("DATABASE_URL"), "`address` of the database; SQLite in the data folder if there is none")
	seed := flags.Bool("seed", false, "fill an empty database with made-up students and three months of check-ins")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return errUsage
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(stderr, "checkins: %q is no option\n", flags.Arg(0))
		return errUsage
	}
	log := slog.New(slog.NewTextHandler(stderr, nil))
	// Listen first: a taken port is then the first thing said.
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	defer l.Close()
	if at, ok := l.Addr().(*net.TCPAddr); ok && !at.IP.IsLoopback() {
		log.Warn("everyone who reaches this address can read and change the check-ins", "address", l.Addr().String())
	}
	s, err := service.Open(ctx, service.Config{Database: *database, Dir: *dir, Webhook: webhook.FromEnv(), Logger: log})
	if err != nil {
		return err
	}
	if *seed {
		if err := s.Seed(ctx); err != nil {
			return errors.Join(err, s.Close())
		}
	}
	fmt.Fprintf(stdout, "Check-ins on http://%s (what there is: http://%s/docs)\n", l.Addr(), l.Addr())
	return errors.Join(s.Serve(ctx, l), s.Close())
}
