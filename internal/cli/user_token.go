package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/identity"
)

type userToken struct {
	*Program
	token   identity.NewToken
	expires string
	revoke  string
	list    bool
	json    bool
}

func newUserToken(p *Program) *cobra.Command {
	c := &userToken{Program: p}
	cmd := newCommand("token [WHO]", "make, list or revoke API tokens", cobra.MaximumNArgs(1), c.run)
	cmd.Long = `Make an API token for a person and print it, this once. ` + whoHelp + ` A token may do
what its scopes say: ` + strings.Join(identity.Scopes(), ", ") + `. It is
good for one app and, with --channels, for publishing to channels of some names
only. It holds for a year unless --expires says otherwise.

--list shows the tokens of a person, or of all; --revoke ends one by its id.`
	cmd.Example = `belfry user:token ann@example.com --scope events,notifications
belfry user:token ann@example.com --scope events --channels "private-user.*,news" --expires 30d
belfry user:token --list
belfry user:token --revoke 3`
	f := cmd.Flags()
	f.StringSliceVar(&c.token.Scopes, "scope", nil, "`scopes`, parted by commas")
	f.StringVar(&c.token.Name, "name", "", "a `name` for people (default: token)")
	f.StringVar(&c.token.App, "app", "", "`id` of the app that it is good for (default: the default app)")
	f.StringSliceVar(&c.token.Channels, "channels", nil, "`patterns` of the channels that it may publish to, parted by commas; * stands for any characters")
	f.StringVar(&c.expires, "expires", "", "`when` it ends: a time from now as in 12h or 30d, or a date as in 2027-12-31 (default: in a year)")
	f.BoolVar(&c.list, "list", false, "list tokens")
	f.StringVar(&c.revoke, "revoke", "", "end the token with this `id`")
	jsonFlag(cmd, &c.json)
	return cmd
}

func (c *userToken) run(cmd *cobra.Command, args []string) error {
	making := !c.list && c.revoke == ""
	switch {
	case c.list && c.revoke != "":
		return &usageError{errors.New("--list and --revoke exclude each other")}
	case making && len(args) == 0:
		return &usageError{errors.New("name the person, by email or id")}
	case making && len(c.token.Scopes) == 0:
		return &usageError{errors.New("say what the token is for with --scope: " + strings.Join(identity.Scopes(), ", "))}
	}
	end, err := parseExpiry(c.expires, time.Now())
	if err != nil {
		return &usageError{err}
	}
	people, done, err := c.people(cmd.Context())
	if err != nil {
		return err
	}
	defer done()
	var user *identity.Account
	if len(args) == 1 {
		if user, err = findUser(cmd.Context(), people, args[0]); err != nil {
			return err
		}
	}
	switch {
	case c.list:
		return c.runList(cmd.Context(), people, user)
	case c.revoke != "":
		return c.runRevoke(cmd.Context(), people, user)
	}
	c.token.UserID, c.token.Expires = user.ID, end
	return c.runMake(cmd.Context(), people)
}

// madeToken is a new token in JSON.
type madeToken struct {
	*identity.Token
	User  string `json:"user_id"`
	Plain string `json:"token,omitempty"`
}

func (c *userToken) runMake(ctx context.Context, people *identity.Identity) error {
	plain, t, err := people.AddToken(ctx, c.token)
	if err != nil {
		return err
	}
	if c.json {
		return printJSON(c.Stdout, madeToken{t, t.User.ID, plain})
	}
	if err := table(c.Stdout, [][]string{
		{"token", plain},
		{"id", t.ID},
		{"scopes", strings.Join(t.Scopes, ", ")},
		{"expires", clock(t.Expires)},
	}); err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.Stderr, "The token is shown only this once; end it with: belfry user:token --revoke "+t.ID)
	return err
}

func (c *userToken) runList(ctx context.Context, people *identity.Identity, user *identity.Account) error {
	owners := []identity.Account{}
	if user != nil {
		owners = append(owners, *user)
	} else {
		var err error
		if owners, err = people.Users(ctx, identity.Query{Limit: 10_000}); err != nil {
			return err
		}
	}
	found := []madeToken{}
	rows := [][]string{{"ID", "USER", "NAME", "SCOPES", "APP", "CHANNELS", "EXPIRES", "LAST USED"}}
	for _, owner := range owners {
		tokens, err := people.Tokens(ctx, owner.ID)
		if err != nil {
			return err
		}
		for _, t := range tokens {
			found = append(found, madeToken{Token: t, User: owner.ID})
			last, app := clock(t.LastUsed), t.App
			if last == "" {
				last = "never"
			}
			if app == "" {
				app = "default"
			}
			end := clock(t.Expires)
			if t.Expires.Before(time.Now()) {
				end = "expired"
			}
			rows = append(rows, []string{t.ID, printable(owner.Email), printable(t.Name), strings.Join(t.Scopes, ", "), app,
				printable(orAll(t.Channels)), end, last})
		}
	}
	switch {
	case c.json:
		return printJSON(c.Stdout, found)
	case len(found) == 0:
		_, err := fmt.Fprintln(c.Stdout, "there is no token")
		return err
	}
	return table(c.Stdout, rows)
}

func (c *userToken) runRevoke(ctx context.Context, people *identity.Identity, user *identity.Account) error {
	if user != nil {
		tokens, err := people.Tokens(ctx, user.ID)
		if err != nil {
			return err
		}
		own := false
		for _, t := range tokens {
			own = own || t.ID == c.revoke
		}
		if !own {
			return &belfry.Error{Code: belfry.CodeNotFound, Message: fmt.Sprintf("user %s has no token %q", user.ID, c.revoke),
				Hint: "see them with: belfry user:token " + user.ID + " --list"}
		}
	}
	if err := people.RevokeToken(ctx, c.revoke); err != nil {
		return err
	}
	if c.json {
		return printJSON(c.Stdout, map[string]string{"revoked": c.revoke})
	}
	_, err := fmt.Fprintf(c.Stdout, "token %s is revoked\n", c.revoke)
	return err
}

func orAll(patterns []string) string {
	if len(patterns) == 0 {
		return "all"
	}
	return strings.Join(patterns, ", ")
}

// parseExpiry reads when a token ends; empty is the zero time.
func parseExpiry(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n > 0 && n < 1e5 {
			return now.AddDate(0, 0, n), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return now.Add(d), nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("--expires %q: write a time from now, as in 12h or 30d, or a date, as in 2027-12-31", text)
}
