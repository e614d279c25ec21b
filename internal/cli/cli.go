package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// Program is the command with what it takes from its surroundings, so that a
// test can give others.
type Program struct {
	Version string
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
	Environ []string // as os.Environ gives it
	Dir     string   // working directory; empty means the process's

	config  string   // --config
	dataDir string   // --data-dir
	args    []string // of the command line, for a process that takes this one's place

	elsewhere elsewhere
}

// Main runs the command of this process and gives its exit code. An empty
// version is taken from the build's own record.
func Main(version string) int {
	if version == "" {
		version = buildVersion()
	}
	p := &Program{Version: version, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Environ: os.Environ()}
	return p.Run(context.Background(), os.Args[1:])
}

func buildVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "dev"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "dev-" + s.Value[:12]
		}
	}
	return "dev"
}

// Run carries out one command line and gives the exit code.
func (p *Program) Run(ctx context.Context, args []string) int {
	p.args = args
	root := p.command()
	root.SetArgs(unifySpelling(root, args))
	cmd, err := root.ExecuteContextC(ctx)
	return p.report(cmd, err)
}

// command builds the tree of commands.
func (p *Program) command() *cobra.Command {
	root := &cobra.Command{
		Use:   "belfry",
		Short: "Realtime broadcasting in one program",
		Long: `Belfry is realtime broadcasting in one program: a server that every Pusher
Channels client and SDK can talk to unchanged.`,
		Example: `belfry serve                        # start the server, by default on port 6001
belfry subscribe my-channel         # watch events as they arrive
belfry app:add --name shop          # another app with its own key and secret`,
		Args:          noSuchCommand,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(p.Stdin)
	root.SetOut(p.Stdout)
	root.SetErr(p.Stderr)
	root.PersistentFlags().StringVar(&p.config, "config", "", "configuration `file` (default belfry.yaml, if there is one)")
	root.PersistentFlags().StringVar(&p.dataDir, "data-dir", "", "data `folder` (default ./data)")
	p.elsewhere.register(root)
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return p.mayGo(cmd) }
	root.PersistentFlags().BoolP("help", "h", false, "show this help")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { io.WriteString(cmd.OutOrStdout(), helpText(cmd)) })
	root.SetUsageFunc(func(cmd *cobra.Command) error { _, err := io.WriteString(cmd.ErrOrStderr(), helpText(cmd)); return err })
	root.ValidArgsFunction = colonNames(root)

	root.AddCommand(
		newServe(p), newDemo(p), newBroadcast(p), newWorker(p), newQueue(p), newEvent(p), newNotifications(p), newConfig(p), newApp(p), newUser(p), newDB(p),
		newSubscribe(p), newChannels(p), newExplain(p), newAuth(p), newLint(p), newDoctor(p), newBench(p), newWebhook(p), newVersion(p),
	)
	return root
}

// group makes a command that only holds others. colon says that their names
// are written with one.
func group(use, short string, colon bool, commands ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cmd.SetOut(cmd.ErrOrStderr())
			cmd.Help()
			return &usageError{}
		},
	}
	g.Annotations = map[string]string{groupKey: "yes"}
	if colon {
		g.Annotations[colonKey] = "yes"
	}
	g.AddCommand(commands...)
	return g
}

// newCommand gives a command its common form. run's arguments have passed args.
func newCommand(use, short string, args cobra.PositionalArgs, run func(cmd *cobra.Command, args []string) error) *cobra.Command {
	return &cobra.Command{
		Use:               use,
		Short:             short,
		Args:              usage(args),
		RunE:              run,
		ValidArgsFunction: cobra.NoFileCompletions,
		// What may be given is in the usage line already.
		DisableFlagsInUseLine: true,
	}
}

// usage turns the complaint of args into wrong use.
func usage(args cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, given []string) error {
		if err := args(cmd, given); err != nil {
			return &usageError{err}
		}
		return nil
	}
}

// noSuchCommand refuses arguments of a command that only holds others.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	// The nearest is looked for among the siblings of what was meant.
	wanted, parent := append(nameParts(cmd), strings.Split(args[0], ":")...), cmd.Root()
	for len(wanted) > 1 {
		next, _, err := parent.Find(wanted[:1])
		if err != nil || next == parent {
			break
		}
		parent, wanted = next, wanted[1:]
	}
	text := "there is no command \"" + strings.Join(append(nameParts(cmd), args[0]), separator(cmd)) + "\""
	parent.SuggestionsMinimumDistance = 2
	if near := parent.SuggestionsFor(wanted[0]); len(near) > 0 {
		text += "; did you mean \"" + strings.Join(append(nameParts(parent), near[0]), separator(parent)) + "\"?"
	}
	return &usageError{errors.New(text)}
}

// interruptible gives a context that ends with Ctrl-C.
func interruptible(cmd *cobra.Command) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(cmd.Context(), os.Interrupt)
}
