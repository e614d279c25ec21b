package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/belfryhq/belfry/internal/logs"
)

type userPasswd struct {
	*Program
	generate, json bool
}

func newUserPasswd(p *Program) *cobra.Command {
	c := &userPasswd{Program: p}
	cmd := newCommand("passwd WHO", "change a person's password", cobra.ExactArgs(1), c.run)
	cmd.Long = `Change a person's password and end their sessions. ` + whoHelp + ` The password is
asked for on a terminal, where it is not shown, and else read from the first line
of standard input; --generate makes one and prints it.`
	cmd.Example = "belfry user:passwd ann@example.com\nbelfry user:passwd ann@example.com --generate"
	cmd.Flags().BoolVar(&c.generate, "generate", false, "make a password and print it")
	jsonFlag(cmd, &c.json)
	return cmd
}

func (c *userPasswd) run(cmd *cobra.Command, args []string) error {
	people, done, err := c.people(cmd.Context())
	if err != nil {
		return err
	}
	defer done()
	user, err := findUser(cmd.Context(), people, args[0])
	if err != nil {
		return err
	}
	password := ""
	if !c.generate {
		if password, err = c.ask(user.Email); err != nil {
			return err
		}
	}
	generated, err := people.SetPassword(cmd.Context(), user.ID, password)
	if err != nil {
		return err
	}
	if c.json {
		return printJSON(c.Stdout, added{user.User, generated})
	}
	if generated != "" {
		return table(c.Stdout, [][]string{{"password", generated}})
	}
	_, err = fmt.Fprintf(c.Stdout, "the password of %s is changed, and their sessions have ended\n", printable(user.Email))
	return err
}

// ask reads a password.
func (c *userPasswd) ask(email string) (string, error) {
	if logs.IsTerminal(c.in()) {
		first, err := c.prompt("New password for " + printable(email) + ": ")
		if err != nil {
			return "", err
		}
		again, err := c.prompt("Again: ")
		if err == nil && first != again {
			err = errors.New("the two passwords differ; nothing is changed")
		}
		return first, err
	}
	line, err := bufio.NewReader(io.LimitReader(c.Stdin, 4096)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the password: %w", err)
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return "", &usageError{errors.New("no password stands on standard input; --generate makes one")}
	}
	return line, nil
}

// in gives standard input as a writer, which IsTerminal looks at; nil when it
// is no file.
func (c *userPasswd) in() io.Writer {
	f, ok := c.Stdin.(*os.File)
	if !ok {
		return nil
	}
	return f
}

func (c *userPasswd) prompt(text string) (string, error) {
	fmt.Fprint(c.Stderr, text)
	b, err := term.ReadPassword(int(c.Stdin.(*os.File).Fd()))
	fmt.Fprintln(c.Stderr)
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	if len(b) == 0 {
		return "", errors.New("no password was given; nothing is changed")
	}
	return string(b), nil
}
