package notify_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/notify"
	"github.com/belfryhq/belfry/internal/store"
	"github.com/belfryhq/belfry/test/services"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// jobs is a queue whose jobs a test runs. It keeps those of a transaction when
// that commits.
type jobs struct {
	mu  sync.Mutex // guards all below
	all []belfry.Job
	err error
}

func (q *jobs) Enqueue(_ context.Context, tx *store.Tx, list ...belfry.Job) ([]string, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err != nil {
		return nil, q.err
	}
	keep := func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.all = append(q.all, list...)
	}
	if tx != nil {
		tx.AfterCommit(keep)
	} else {
		q.all = append(q.all, list...)
	}
	return make([]string, len(list)), nil
}

func (q *jobs) fail(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.err = err
}

// take gives the first job, of a kind or of any.
func (q *jobs) take(kind string) (job belfry.Job, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, job := range q.all {
		if kind == "" || job.Kind == kind {
			q.all = append(q.all[:i:i], q.all[i+1:]...)
			return job, true
		}
	}
	return belfry.Job{}, false
}

// pages are the open pages: they see events.
type pages struct {
	mu     sync.Mutex // guards all below
	events []belfry.Event
	calls  int
	open   map[string]bool // users with one
	err    error
}

func (p *pages) Enqueue(_ context.Context, tx *store.Tx, e belfry.Event, queue string) error {
	tx.AfterCommit(func() { p.PublishMany(context.Background(), []belfry.Event{e}) })
	return nil
}

func (p *pages) PublishMany(_ context.Context, events []belfry.Event) ([]belfry.Outcome, []error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls++
	outs, errs := make([]belfry.Outcome, len(events)), make([]error, len(events))
	for i, e := range events {
		if errs[i] = p.err; p.err != nil {
			continue
		}
		outs[i].Receipt = &belfry.Receipt{}
		if p.open[strings.TrimPrefix(e.Channels[0], "private-user.")] {
			outs[i].Receipt = &belfry.Receipt{Matched: 1, Written: 1}
		}
		p.events = append(p.events, e)
	}
	return outs, errs
}

func (p *pages) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
}

// seen gives the events of one user.
func (p *pages) seen(user string) (list []live) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.events {
		if e.Channels[0] == "private-user."+user {
			l := live{Name: e.Name, Exclude: e.ExcludeSocket}
			if err := json.Unmarshal(e.Data, &l); err != nil {
				panic(err)
			}
			list = append(list, l)
		}
	}
	return list
}

// live is an event as a page has it.
type live struct {
	Name    string `json:"-"`
	Exclude string `json:"-"`

	ID      string   `json:"id"`
	Title   string   `json:"title"`
	HTML    string   `json:"title_html"`
	Message string   `json:"message"`
	IDs     []string `json:"ids"`
	Change  string   `json:"change"`
	User    string   `json:"user_id"`
	Unread  int      `json:"unread_count"`
	State   int64    `json:"state_version"`
	Version int64    `json:"version"`
	Cut     bool     `json:"truncated"`
}

// people are users 1 to n. Users with a number that can be divided by three are
// editors, those above half of n are inactive.
type people struct {
	n    int
	fail func(after string) error
}

func (p *people) in(a notify.Audience, number int) bool {
	ok := true
	if a.IDs != nil {
		ok = false
		for _, id := range a.IDs {
			ok = ok || id == fmt.Sprint(number)
		}
	}
	if a.Roles != nil {
		ok = ok && number%3 == 0
	}
	if !a.ActiveSince.IsZero() {
		ok = ok && number <= p.n/2
	}
	if !a.InactiveSince.IsZero() {
		ok = ok && number > p.n/2
	}
	return ok
}

func (p *people) Next(_ context.Context, a notify.Audience, after string, limit int) (found []belfry.User, err error) {
	if p.fail != nil {
		if err := p.fail(after); err != nil {
			return nil, err
		}
	}
	from := 0
	fmt.Sscan(after, &from)
	for i := from + 1; i <= p.n && len(found) < limit; i++ {
		if p.in(a, i) {
			found = append(found, belfry.User{ID: fmt.Sprint(i), Name: fmt.Sprint("User ", i)})
		}
	}
	return found, nil
}

func (p *people) Count(ctx context.Context, a notify.Audience) (int, error) {
	found, err := p.Next(ctx, a, "", p.n)
	return len(found), err
}

func (p *people) Unknown(_ context.Context, ids, roles []string) (unknownIDs, unknownRoles []string, err error) {
	for _, id := range ids {
		number := 0
		if fmt.Sscan(id, &number); number < 1 || number > p.n || fmt.Sprint(number) != id {
			unknownIDs = append(unknownIDs, id)
		}
	}
	for _, role := range roles {
		if role != "editor" && role != "manager" {
			unknownRoles = append(unknownRoles, role)
		}
	}
	return unknownIDs, unknownRoles, nil
}

// fixture is an engine on a fresh database.
type fixture struct {
	*notify.Notify
	t      testing.TB
	db     *store.DB
	clock  *clock
	jobs   *jobs
	pages  *pages
	people *people
	change []func(*notify.Config)
}

func newFixture(t testing.TB, url string, change ...func(*notify.Config)) *fixture {
	t.Helper()
	db, err := store.Open(store.Config{URL: url, Dir: t.TempDir()})
	must(t, err)
	t.Cleanup(func() { db.Close() })
	_, err = db.Migrate(t.Context())
	must(t, err)
	f := &fixture{t: t, db: db, clock: &clock{now: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)},
		jobs: &jobs{}, pages: &pages{open: map[string]bool{}}, people: &people{n: 10}, change: change}
	f.Notify = f.another()
	return f
}

// another gives a second engine on the same database, as of another process.
func (f *fixture) another() *notify.Notify {
	cfg := notify.Config{DB: f.db, Jobs: f.jobs, Broadcast: f.pages, Recipients: f.people, Now: f.clock.Now, Slice: 3,
		Online: func(context.Context) (ids []string, err error) {
			for id := range f.pages.open {
				ids = append(ids, id)
			}
			return ids, nil
		}}
	for _, c := range f.change {
		c(&cfg)
	}
	return notify.New(cfg)
}

// each runs a test on SQLite and on PostgreSQL.
func each(t *testing.T, test func(t *testing.T, f *fixture), change ...func(*notify.Config)) {
	t.Run("sqlite", func(t *testing.T) { test(t, newFixture(t, "", change...)) })
	t.Run("postgres", func(t *testing.T) { test(t, newFixture(t, services.Postgres(t), change...)) })
}

// work runs jobs until there are none, each again after an error.
func (f *fixture) work() {
	f.t.Helper()
	for range 1000 {
		job, ok := f.jobs.take("")
		if !ok {
			return
		}
		must(f.t, f.Do(f.t.Context(), job))
	}
	f.t.Fatal("there is no end of jobs")
}

var manager = notify.Person{ID: "1", Name: "Manager"}

func ptr[T any](v T) *T { return &v }

func draft(title string, target notify.Target) notify.Draft {
	return notify.Draft{Title: &title, Message: ptr("Message of " + title), Target: &target}
}

var everybody = notify.Target{Type: notify.TargetAll}

func to(ids ...string) notify.Target { return notify.Target{Type: notify.TargetUsers, Users: ids} }

// create makes a notification.
func (f *fixture) create(d notify.Draft) *notify.Notification {
	f.t.Helper()
	made, _, err := f.Create(f.t.Context(), manager, d, notify.Key{})
	must(f.t, err)
	return made
}

// sent makes a notification and brings it to everybody that it is for.
func (f *fixture) sent(title string, target notify.Target) string {
	f.t.Helper()
	d := draft(title, target)
	d.Send = true
	made := f.create(d)
	f.work()
	f.clock.pass(time.Millisecond)
	return made.ID
}

// titles gives what a user's list shows.
func (f *fixture) titles(user, view string) string {
	f.t.Helper()
	page, err := f.List(f.t.Context(), user, notify.Filter{Status: view})
	must(f.t, err)
	all := make([]string, len(page.Items))
	for i, item := range page.Items {
		all[i] = item.Title
	}
	return strings.Join(all, " ")
}

// unread gives a user's count, and fails the test when rows say otherwise.
func (f *fixture) unread(user string) int {
	f.t.Helper()
	s, err := f.State(f.t.Context(), user)
	must(f.t, err)
	page, err := f.List(f.t.Context(), user, notify.Filter{Status: notify.ViewUnread, Limit: 100})
	must(f.t, err)
	if len(page.Items) != s.Unread || page.State != s {
		f.t.Errorf("user %s: %d unread rows, the count is %+v, the list's %+v", user, len(page.Items), s, page.State)
	}
	return s.Unread
}

func (f *fixture) mark(user, id, mark string) notify.Marked {
	f.t.Helper()
	m, err := f.Mark(f.t.Context(), user, id, mark, "")
	must(f.t, err)
	return m
}

func wantCode(t testing.TB, err error, code belfry.Code) {
	t.Helper()
	if belfry.CodeOf(err) != code {
		t.Errorf("error %v has the code %q, want %q", err, belfry.CodeOf(err), code)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
