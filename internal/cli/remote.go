package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/internal/broadcast"
	"github.com/belfryhq/belfry/internal/control"
)

// The variables that name a server on another machine. They count from the
// environment alone: a server's .env has its own address under the first.
const (
	urlVariable   = "BELFRY_URL"
	tokenVariable = "BELFRY_TOKEN"
)

// elsewhere are the options that name a server on another machine.
type elsewhere struct {
	url       string // --url
	tokenFile string // --token-file
	allowHTTP bool   // --allow-http

	line []byte // of standard input, with the token
}

func (e *elsewhere) register(root *cobra.Command) {
	f := root.PersistentFlags()
	f.StringVar(&e.url, "url", "", "`address` of a server on another machine that is to carry the command out, with an API token of an administrator in BELFRY_TOKEN (default: the server of the data folder, then BELFRY_URL where BELFRY_TOKEN is set)")
	f.StringVar(&e.tokenFile, "token-file", "", "`file` with the API token, - for the first line of standard input (default: BELFRY_TOKEN; others on the machine can see options, so there is none for the token itself)")
	f.BoolVar(&e.allowHTTP, "allow-http", false, "send the token to another machine over http, which everybody on the way can read")
}

// The reasons for which a command is carried out on the server's machine alone.
const (
	whyHere      = "it works on this machine and asks no server"
	whyProcess   = "it starts or stops processes on the server's machine"
	whyDatabase  = "it works on the database itself; run it on a machine that has the server's settings"
	whyPeople    = "people, passwords and tokens are kept on the server's machine, so that a token that was stolen cannot make another"
	whySettings  = "it reads settings, files and the data folder of this machine"
	whyWorker    = "a worker runs jobs out of the database; give it the server's DATABASE_URL or REDIS_URL"
	whyAddresses = "it has options of its own for the server"
)

// carriedOut says of each command whether a server on another machine carries it
// out: "" that it does, or why not. A test holds it to the commands.
var carriedOut = map[string]string{
	"serve": whyProcess, "demo": whyProcess, "version": whyHere,
	"worker start": whyProcess, "worker stop": whyProcess, "worker restart": whyProcess, "worker status": whyProcess, "worker monitor": whyProcess,
	"broadcast:start": whyWorker, "queue:work": whyWorker,

	"queue:monitor": "", "queue:failed": "", "queue:retry": "", "queue:forget": "", "queue:flush": "", "queue:clear": "",
	"queue:prune-failed": "", "queue:restart": "", "queue:pause": "", "queue:continue": "",
	"event:send": "", "subscribe": "", "channels": "", "explain": "", "auth:explain": "", "doctor": "",
	"app:list": "", "app:add": "", "app:remove": "", "app:rotate-secret": "",
	"config": "", "config diff": "", "config reload": "", "config check": whySettings, "lint": whySettings,

	"notifications:send":              "POST /api/notifications does it from elsewhere, with a token of the scope notifications:manage",
	"notifications:stats":             "GET /api/notifications/stats does it from elsewhere, with a token of the scope notifications:manage",
	"notifications:process-scheduled": "a running server does so by itself",
	"notifications:cleanup-expired":   "a running server does so by itself",

	"user:add": whyPeople, "user:list": whyPeople, "user:role": whyPeople, "user:token": whyPeople,
	"user:passwd": whyPeople, "user:disable": whyPeople, "user:remove": whyPeople,
	"db:migrate": whyDatabase, "db:seed": whyDatabase,
	"bench": whyAddresses, "webhook:send": whyHere, "webhook:sign": whyHere,
}

// mayGo refuses to carry a command out elsewhere that cannot be, where that was
// asked for.
func (p *Program) mayGo(cmd *cobra.Command) error {
	if !p.toldElsewhere() {
		if p.elsewhere.allowHTTP && p.environ(urlVariable) == "" {
			return &usageError{errors.New("--allow-http goes with --url or BELFRY_URL")}
		}
		return nil
	}
	if why, known := carriedOut[commandName(cmd)]; known && why != "" {
		return &usageError{fmt.Errorf("no server on another machine carries out %s: %s", commandName(cmd), why)}
	}
	if p.dataDir != "" || p.config != "" {
		return &usageError{errors.New("--data-dir and --config name this machine's own, --url and --token-file a server on another: give one or the other")}
	}
	if p.elsewhere.tokenFile == "-" { // before the command reads what is its own
		var err error
		if p.elsewhere.line, err = firstLine(p.Stdin); err != nil {
			return fmt.Errorf("read the API token: %w", err)
		}
	}
	return nil
}

// toldElsewhere reports whether the command line names another machine outright.
func (p *Program) toldElsewhere() bool { return p.elsewhere.url != "" || p.elsewhere.tokenFile != "" }

// environElsewhere reports whether the environment names a server on another
// machine, and the command line no folder or file of this one.
func (p *Program) environElsewhere() bool {
	return p.dataDir == "" && p.config == "" && p.environ(urlVariable) != "" && p.environ(tokenVariable) != ""
}

// environ gives a variable of the environment, "" for none.
func (p *Program) environ(name string) string {
	for _, pair := range slices.Backward(p.Environ) {
		if v, ok := strings.CutPrefix(pair, name+"="); ok {
			return v
		}
	}
	return ""
}

// dial reaches the server that a command is for: the one that the command line
// names, else the one that runs on the data folder, else the one that the
// environment names.
func (p *Program) dial(ctx context.Context) (*control.Client, error) {
	if p.toldElsewhere() {
		return p.dialElsewhere(ctx)
	}
	link, err := p.dialHere(ctx)
	if control.IsNotRunning(err) && p.environElsewhere() {
		if u, err := url.Parse(p.environ(urlVariable)); err == nil && u.User == nil { // else it is refused
			fmt.Fprintf(p.Stderr, "no server runs on the data folder here: the command goes to %s\n", shorten(u.String(), 200))
		}
		return p.dialElsewhere(ctx)
	}
	return link, err
}

// address gives that of the server on another machine, "" when none is named.
func (p *Program) address() string { return cmp.Or(p.elsewhere.url, p.environ(urlVariable)) }

// dialElsewhere reaches the server on another machine.
func (p *Program) dialElsewhere(ctx context.Context) (*control.Client, error) {
	e := control.Elsewhere{URL: p.address(), AllowHTTP: p.elsewhere.allowHTTP, Version: p.Version}
	if e.URL == "" {
		return nil, &usageError{errors.New("--token-file wants the address of the server: --url or BELFRY_URL")}
	}
	var err error
	if e.Token, err = p.token(); err != nil {
		return nil, err
	}
	return control.DialElsewhere(ctx, e)
}

// maxTokenFile bounds what is read for a token.
const maxTokenFile = 4 << 10

// token reads the API token. No error holds it.
func (p *Program) token() (string, error) {
	var text []byte
	var err error
	switch file := p.elsewhere.tokenFile; file {
	case "":
		if text = []byte(p.environ(tokenVariable)); len(text) == 0 {
			return "", &usageError{errors.New("--url wants an API token of an administrator: set BELFRY_TOKEN, or give --token-file")}
		}
	case "-":
		text = p.elsewhere.line
	default:
		if !filepath.IsAbs(file) {
			file = filepath.Join(p.Dir, file)
		}
		var f *os.File
		if f, err = os.Open(file); err == nil {
			text, err = io.ReadAll(io.LimitReader(f, maxTokenFile))
			f.Close()
		}
	}
	if err != nil {
		return "", fmt.Errorf("read the API token: %w", err)
	}
	token := string(bytes.TrimSpace(text))
	return token, control.CheckToken(token)
}

// firstLine reads one line and nothing behind it, which is the command's.
func firstLine(r io.Reader) ([]byte, error) {
	var line []byte
	for one := make([]byte, 1); len(line) < maxTokenFile; {
		n, err := r.Read(one)
		if n == 1 && one[0] == '\n' || errors.Is(err, io.EOF) {
			return line, nil
		}
		if err != nil {
			return nil, err
		}
		line = append(line, one[:n]...)
	}
	return line, nil
}

// side is the application side as commands use it: opened by this process, or a
// server's on another machine.
type side struct {
	Jobs control.Jobs
	// Accept takes an event from outside.
	Accept func(ctx context.Context, r broadcast.Request) (broadcast.Accepted, error)
	// tell tells others at once of jobs that were enqueued.
	tell func(ctx context.Context)
	// Close ends it.
	Close func() error
}

// side opens the application side that a command is for, by the rule of dial.
func (p *Program) side(ctx context.Context) (*side, error) {
	link, err := p.linkElsewhere(ctx)
	if err != nil {
		return nil, err
	}
	if link != nil {
		return &side{Jobs: link.Jobs(), tell: func(context.Context) {}, Close: func() error { link.Close(); return nil },
			Accept: func(ctx context.Context, r broadcast.Request) (broadcast.Accepted, error) {
				return link.Send(ctx, control.Sending{Event: r.Event, How: r.How, Now: r.Now})
			}}, nil
	}
	b, err := p.backend(ctx)
	if err != nil {
		return nil, err
	}
	return &side{Jobs: b.Queue, Accept: b.Broadcast.Accept, tell: b.tell, Close: b.Close}, nil
}

// linkElsewhere reaches the server on another machine if that is the one that a
// command is for, and gives nil when it is this machine's.
func (p *Program) linkElsewhere(ctx context.Context) (*control.Client, error) {
	if p.toldElsewhere() {
		return p.dialElsewhere(ctx)
	}
	if !p.environElsewhere() {
		return nil, nil
	}
	here, err := p.dialHere(ctx)
	if err == nil {
		here.Close()
		return nil, nil
	}
	if !control.IsNotRunning(err) {
		return nil, err
	}
	return p.dial(ctx)
}
