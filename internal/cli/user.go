package cli

import (
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/internal/identity"
)

func newUser(p *Program) *cobra.Command {
	return group("user", "people and their API tokens", true,
		newUserAdd(p), newUserList(p), newUserRole(p), newUserToken(p), newUserPasswd(p), newUserDisable(p), newUserRemove(p))
}

// findUser finds a person by email or id.
func findUser(ctx context.Context, people *identity.Identity, who string) (*identity.Account, error) {
	if strings.Contains(who, "@") {
		return people.ByEmail(ctx, who)
	}
	return people.Account(ctx, who)
}

// whoHelp says how a person is named.
const whoHelp = "WHO is an email or an id."

func userState(a identity.Account) string {
	if a.Disabled {
		return "disabled"
	}
	return "enabled"
}

func printUser(w io.Writer, a identity.Account, more ...[]string) error {
	rows := [][]string{
		{"user id", a.ID},
		{"email", printable(a.Email)},
		{"name", printable(a.Name)},
		{"roles", orNone(strings.Join(a.Roles, ", "))},
	}
	return table(w, append(rows, more...))
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
