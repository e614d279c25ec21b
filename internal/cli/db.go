package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/identity"
)

func newDB(p *Program) *cobra.Command {
	return group("db", "the database", true, newDBMigrate(p), newDBSeed(p))
}

type dbSeed struct {
	*Program
	class string
	json  bool
}

func newDBSeed(p *Program) *cobra.Command {
	c := &dbSeed{Program: p}
	cmd := newCommand("seed", "add sample people and notifications", cobra.NoArgs, c.run)
	cmd.Long = `Add sample people, for a first look and for tests: admin@example.com,
manager@example.com and editor@example.com with the role that their name says, and
user@example.com with none. Each gets a password that is made up and printed once;
those who are there already stay as they are. NotificationTestSeeder also adds
notifications of every type, priority, status and target, sends those that are to be
sent, and has user@example.com read, dismiss and archive some. What is there already
is not added again.`
	cmd.Example = "belfry db:seed\nbelfry db:seed --json\nbelfry db:seed --class=NotificationTestSeeder"
	cmd.Flags().StringVar(&c.class, "class", "DatabaseSeeder", "what to add: `name` DatabaseSeeder or NotificationTestSeeder")
	jsonFlag(cmd, &c.json)
	return cmd
}

func (c *dbSeed) run(cmd *cobra.Command, _ []string) error {
	class := c.class[strings.LastIndexByte(c.class, '\\')+1:] // Laravel takes a namespace too
	if class != "DatabaseSeeder" && class != "NotificationTestSeeder" {
		return &usageError{fmt.Errorf("there is no sample data %q: it is one of DatabaseSeeder, NotificationTestSeeder", c.class)}
	}
	if class == "NotificationTestSeeder" {
		return c.seedNotifications(cmd.Context())
	}
	people, done, err := c.people(cmd.Context())
	if err != nil {
		return err
	}
	defer done()
	made, rows, err := seedPeople(cmd.Context(), people)
	if err != nil {
		return err
	}
	if c.json {
		return printJSON(c.Stdout, made)
	}
	return table(c.Stdout, rows)
}

// seedPeople adds the sample people that are not there, and gives all of them.
func seedPeople(ctx context.Context, people *identity.Identity) (made []added, rows [][]string, err error) {
	made, rows = []added{}, [][]string{{"ID", "EMAIL", "ROLES", "PASSWORD"}}
	for _, name := range []string{belfry.RoleAdmin, belfry.RoleManager, "editor", "user"} {
		n := identity.NewUser{Email: name + "@example.com", Name: strings.ToUpper(name[:1]) + name[1:]}
		if name != "user" {
			n.Roles = []string{name}
		}
		user, password, err := people.Add(ctx, n)
		if belfry.CodeOf(err) == belfry.CodeConflict {
			there, err := people.ByEmail(ctx, n.Email)
			if err != nil {
				return nil, nil, err
			}
			user, password = &there.User, ""
		} else if err != nil {
			return nil, nil, err
		}
		made = append(made, added{*user, password})
		if password == "" {
			password = "(was there already)"
		}
		rows = append(rows, []string{user.ID, user.Email, strings.Join(user.Roles, ", "), password})
	}
	return made, rows, nil
}

type dbMigrate struct {
	*Program
	pretend, status, json bool
}

func newDBMigrate(p *Program) *cobra.Command {
	c := &dbMigrate{Program: p}
	cmd := newCommand("migrate", "bring the database's schema up to this program's", cobra.NoArgs, c.run)
	cmd.Long = `Bring the database's schema up to this program's. The server does so at its start;
this is for those who want it done before. Several may run at once. --pretend says
what would be done and does nothing; --status lists every step.`
	cmd.Example = "belfry db:migrate\nbelfry db:migrate --pretend\nbelfry db:migrate --status --json"
	cmd.Flags().BoolVar(&c.pretend, "pretend", false, "say what would be done, and do nothing")
	cmd.Flags().BoolVar(&c.status, "status", false, "list every step and when it was taken; exit with 1 when one is not")
	jsonFlag(cmd, &c.json)
	return cmd
}

// step is a step of the schema in JSON.
type step struct {
	Name  string `json:"name"`
	Taken string `json:"taken,omitempty"` // when
}

func (c *dbMigrate) run(cmd *cobra.Command, _ []string) error {
	if c.pretend && c.status {
		return &usageError{errors.New("--pretend and --status exclude each other")}
	}
	cfg, err := c.load(nil)
	if err != nil {
		return err
	}
	db, err := openDatabase(cfg)
	if err != nil {
		return err
	}
	defer db.Close()
	if !c.pretend && !c.status {
		taken, err := db.Migrate(cmd.Context())
		if err != nil {
			return err
		}
		return c.print(taken, "took", "nothing to do: the schema of "+db.String()+" is this program's")
	}
	all, err := db.Steps(cmd.Context())
	if err != nil {
		return err
	}
	var pending []string
	list, rows := []step{}, [][]string{{"STEP", "TAKEN"}}
	for _, s := range all {
		one := step{Name: s.Name, Taken: clock(s.Taken)}
		if s.Taken.IsZero() {
			pending = append(pending, s.Name)
			rows = append(rows, []string{s.Name, "not yet"})
		} else {
			rows = append(rows, []string{s.Name, one.Taken})
		}
		list = append(list, one)
	}
	if c.pretend {
		return c.print(pending, "would take", "nothing to do: the schema of "+db.String()+" is this program's")
	}
	if c.json {
		err = printJSON(c.Stdout, list)
	} else {
		err = table(c.Stdout, rows)
	}
	if err == nil && len(pending) > 0 {
		return errSaid
	}
	return err
}

// print lists steps.
func (c *dbMigrate) print(names []string, verb, none string) error {
	if c.json {
		list := []step{}
		for _, name := range names {
			list = append(list, step{Name: name})
		}
		return printJSON(c.Stdout, list)
	}
	if len(names) == 0 {
		_, err := fmt.Fprintln(c.Stdout, none)
		return err
	}
	for _, name := range names {
		if _, err := fmt.Fprintln(c.Stdout, verb, name); err != nil {
			return err
		}
	}
	return nil
}
