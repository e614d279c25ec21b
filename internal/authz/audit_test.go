package authz_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/authz"
	"github.com/belfryhq/belfry/internal/store"
	"github.com/belfryhq/belfry/test/services"
)

// onEach runs a test on SQLite and on PostgreSQL.
func onEach(t *testing.T, test func(t *testing.T, db *store.DB)) {
	for name, url := range map[string]func(t *testing.T) string{
		"sqlite":   func(*testing.T) string { return "" },
		"postgres": func(t *testing.T) string { return services.Postgres(t) },
	} {
		t.Run(name, func(t *testing.T) {
			db, err := store.Open(store.Config{URL: url(t), Dir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { db.Close() })
			if _, err := db.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			test(t, db)
		})
	}
}

// run runs the writer; the function that it gives ends it and waits.
func run(t *testing.T, a *authz.Authorizer) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return stop
}

// denials waits until the log has n lines that fit.
func denials(t *testing.T, a *authz.Authorizer, f authz.DenialFilter, n int) []authz.Denial {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		list, err := a.Denials(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == n {
			return list
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d denials, want %d: %+v", len(list), n, list)
		}
		<-time.After(5 * time.Millisecond)
	}
}

func TestAuditLog(t *testing.T) {
	onEach(t, func(t *testing.T, db *store.DB) {
		now := time.UnixMilli(1767225600123).UTC()
		a := newAuthorizer(t, authz.Config{DB: db, Now: func() time.Time { return now }})
		stop := run(t, a)
		ask := authz.Ask{App: app(), SocketID: socket, Channel: "private-user.8", User: user("7"), Address: "192.0.2.1"}
		a.Channel(t.Context(), ask)
		one := denials(t, a, authz.DenialFilter{}, 1)[0]
		want := authz.Denial{ID: one.ID, At: now, Action: "channel.auth", App: "730041", Channel: "private-user.8", Socket: socket,
			UserID: "7", UserName: "User 7", Address: "192.0.2.1", Result: authz.Refused, Rule: "user.{userId}", Reason: "the rule says no"}
		if one != want || one.ID == "" {
			t.Errorf("got  %+v\nwant %+v", one, want)
		}
		now = now.Add(time.Second)
		ask.User = nil
		a.Channel(t.Context(), ask)
		a.User(t.Context(), ask)
		ask.User, ask.Channel = user("9\x00\xff"), "private-nothing" // what a database would refuse
		a.Channel(t.Context(), ask)
		ask.Channel, ask.User = "private-user.7", user("7")
		a.Channel(t.Context(), ask) // allowed: not in the log
		denials(t, a, authz.DenialFilter{}, 4)
		for _, c := range []struct {
			filter authz.DenialFilter
			n      int
		}{
			{authz.DenialFilter{User: "7"}, 1}, {authz.DenialFilter{User: "9��"}, 1}, {authz.DenialFilter{Channel: "private-user.8"}, 2},
			{authz.DenialFilter{Socket: socket}, 4}, {authz.DenialFilter{Socket: "1.2"}, 0},
			{authz.DenialFilter{App: "730041", Result: authz.NotSignedIn}, 2}, {authz.DenialFilter{Action: authz.ActionUser}, 1},
			{authz.DenialFilter{App: "other"}, 0}, {authz.DenialFilter{Since: now}, 3}, {authz.DenialFilter{Until: now}, 1}, {authz.DenialFilter{Limit: 3}, 3},
		} {
			denials(t, a, c.filter, c.n)
		}
		var ids []string
		for f := (authz.DenialFilter{Limit: 1}); ; {
			page, err := a.Denials(t.Context(), f)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			f.Before = page[0].ID
			ids = append(ids, page[0].ID)
		}
		if len(ids) != 4 || !slices.IsSortedFunc(ids, func(a, b string) int { return -cmpText(a, b) }) || ids[3] != one.ID {
			t.Errorf("pages give %q", ids)
		}
		stop()
		if s := a.Stats(); s.AuditWritten != 4 || s.AuditDropped != 0 || s.AuditWaiting != 0 {
			t.Errorf("%+v", s)
		}

		// A start removes what is older than 90 days.
		now = now.Add(90*24*time.Hour - 500*time.Millisecond)
		b := newAuthorizer(t, authz.Config{DB: db, Now: func() time.Time { return now }})
		run(t, b)
		denials(t, b, authz.DenialFilter{}, 3)
	})
}

func cmpText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func TestAuditLogNeverBlocks(t *testing.T) {
	onEach(t, func(t *testing.T, db *store.DB) {
		a := newAuthorizer(t, authz.Config{DB: db, AuditQueue: 300}) // more than a batch
		for i := range 310 {                                         // nothing writes yet
			a.Record(authz.Denial{Action: "door", Channel: fmt.Sprint(i), Result: authz.Refused})
		}
		s := a.Stats()
		if s.AuditWaiting != 300 || s.AuditDropped != 10 {
			t.Errorf("%+v", s)
		}
		stop := run(t, a)
		denials(t, a, authz.DenialFilter{Channel: "299"}, 1)
		a.Record(authz.Denial{Action: "door", Channel: "last"})
		stop() // writes what is left
		denials(t, a, authz.DenialFilter{Channel: "last"}, 1)
		if s := a.Stats(); s.AuditWritten != 301 || s.AuditWaiting != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestAuditLogWaitsForTheDatabase(t *testing.T) {
	server := services.OwnPostgres(t)
	db, err := store.Open(store.Config{URL: server.Database(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	a := newAuthorizer(t, authz.Config{DB: db})
	run(t, a)
	a.Record(authz.Denial{Channel: "before"})
	denials(t, a, authz.DenialFilter{}, 1)
	server.Stop()
	a.Record(authz.Denial{Channel: "meanwhile"})
	if _, err := a.Denials(t.Context(), authz.DenialFilter{}); err == nil {
		t.Error("the database answers although it is stopped")
	}
	server.Start()
	for deadline := time.Now().Add(30 * time.Second); a.Stats().AuditWritten < 2; {
		if time.Now().After(deadline) {
			t.Fatalf("%+v", a.Stats())
		}
		<-time.After(10 * time.Millisecond)
	}
	denials(t, a, authz.DenialFilter{Channel: "meanwhile"}, 1)
}

func TestWithoutADatabaseThereIsNoLog(t *testing.T) {
	a := newAuthorizer(t, authz.Config{})
	stop := run(t, a)
	a.Record(authz.Denial{Channel: "x"})
	if list, err := a.Denials(t.Context(), authz.DenialFilter{}); err != nil || list != nil || a.Stats().AuditWaiting != 0 {
		t.Errorf("%v %v", list, err)
	}
	stop()
}
