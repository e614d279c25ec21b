package notify_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/notify"
)

func TestTargetsAreMet(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		for want, target := range map[string]notify.Target{
			"1 2 3 4 5 6 7 8 9 10": everybody,
			"2 7":                  to("7", "2", "7"),
			"3 6 9":                {Type: notify.TargetRoles, Roles: []string{"editor"}},
			"1 2 3 4 5":            {Type: notify.TargetActive},
			"6 7 8 9 10":           {Type: notify.TargetInactive, Days: 7},
		} {
			title := "to " + want + "."
			preview, err := f.Preview(t.Context(), target)
			must(t, err)
			id := f.sent(title, target)
			var got []string
			for i := 1; i <= f.people.n; i++ {
				if strings.Contains(f.titles(fmt.Sprint(i), ""), title) {
					got = append(got, fmt.Sprint(i))
				}
			}
			m, err := f.Get(t.Context(), id)
			must(t, err)
			if strings.Join(got, " ") != want || m.Stats.Recipients != len(got) || preview.Recipients != len(got) || m.Status != notify.StatusSent {
				t.Errorf("%+v went to %q; %+v; preview %+v", target, got, m, preview)
			}
		}
	})
}

func TestLiveDeliveriesAreCounted(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.pages.open["2"], f.pages.open["9"] = true, true
		id := f.sent("<b>Tom & Jerry</b>", everybody)
		f.mark("2", id, notify.MarkRead)
		f.mark("3", id, notify.MarkDismiss)
		m, err := f.Get(t.Context(), id)
		must(t, err)
		if want := (notify.Counts{Recipients: 10, Live: 2, Read: 1, Dismissed: 1}); m.Stats != want {
			t.Errorf("stats %+v", m.Stats)
		}
		one, err := f.StatisticsOf(t.Context(), id)
		must(t, err)
		if len(one.ByHour) != 1 || one.ByHour[0].Counts != m.Stats || one.ByHour[0].Hour != "2026-11-20T12:00:00Z" {
			t.Errorf("by hour %+v", one)
		}
		all, err := f.Statistics(t.Context(), 30, nil)
		must(t, err)
		if last := all.ByDay[29]; all.Sent != 1 || all.Counts != m.Stats || len(all.ByDay) != 30 || last.Day != "2026-11-20" || last.Counts != m.Stats {
			t.Errorf("by day %+v", all)
		}
		p, err := f.Preview(t.Context(), notify.Target{Type: notify.TargetActive})
		must(t, err)
		if p.Online != 1 || p.Recipients != 5 || len(p.Sample) != 5 || p.Sample[0].Name != "User 1" {
			t.Errorf("preview %+v", p)
		}
		mine, err := f.StatisticsFor(t.Context(), "2")
		must(t, err)
		if mine != (notify.Mine{Received: 1, Read: 1}) {
			t.Errorf("one user's %+v", mine)
		}
		e := f.pages.seen("2")[0]
		if e.Name != "notification.sent" || e.HTML != "&lt;b&gt;Tom &amp; Jerry&lt;/b&gt;" || e.Title != "<b>Tom & Jerry</b>" || e.Unread != 1 || e.State != 1 || e.Version != 1 {
			t.Errorf("event %+v", e)
		}
		if f.pages.calls > 4+2 { // four slices, two marks
			t.Errorf("%d calls for ten users", f.pages.calls)
		}
	})
}

// However a send is broken off, going on gives every user one row and one
// count.
func TestSlicesGoOnWhereTheyStopped(t *testing.T) {
	broken := errors.New("broken off")
	for _, at := range []string{"", "3", "6", "9"} {
		each(t, func(t *testing.T, f *fixture) {
			d := draft("once", everybody)
			d.Send = true
			id := f.create(d).ID
			job, _ := f.jobs.take(notify.JobSend)
			f.people.fail = func(after string) error { // between two slices
				if after == at {
					return broken
				}
				return nil
			}
			if err := f.Do(t.Context(), job); !errors.Is(err, broken) {
				t.Fatal(err)
			}
			f.people.fail = func(after string) error { // inside the next slice's transaction
				if after == at {
					f.jobs.fail(broken)
				}
				return nil
			}
			if err := f.Do(t.Context(), job); !errors.Is(err, broken) && at != "" {
				t.Error(err)
			}
			f.jobs.fail(nil)
			f.people.fail = nil
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if f.Do(ctx, job) == nil {
				t.Error("a cancelled job said that it was done")
			}
			must(t, f.Do(t.Context(), job))
			must(t, f.Do(t.Context(), job)) // and once more, as after a lost acknowledgement
			f.work()
			for i := 1; i <= f.people.n; i++ {
				user := fmt.Sprint(i)
				if f.unread(user) != 1 || f.titles(user, "") != "once" || len(f.pages.seen(user)) != 1 {
					t.Errorf("user %s: %q, %d events", user, f.titles(user, ""), len(f.pages.seen(user)))
				}
			}
			if m, err := f.Get(t.Context(), id); err != nil || m.Stats.Recipients != f.people.n || m.Status != notify.StatusSent {
				t.Errorf("%+v, %v", m, err)
			}
		})
	}
}

func TestTwoWorkersSendOnce(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.people.n = 60
		d := draft("once", everybody)
		d.Send = true
		f.create(d)
		job, _ := f.jobs.take(notify.JobSend)
		done := make(chan error)
		for range 3 {
			go func() { done <- f.Do(t.Context(), job) }()
		}
		for range 3 {
			must(t, <-done)
		}
		f.work()
		for i := 1; i <= f.people.n; i++ {
			if user := fmt.Sprint(i); f.unread(user) != 1 || len(f.pages.seen(user)) != 1 {
				t.Errorf("user %s: %d unread, %d events", user, f.unread(user), len(f.pages.seen(user)))
			}
		}
	})
}

func TestALongSendTakesTurns(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		d := draft("long", everybody)
		d.Send = true
		f.create(d)
		f.work()
		if f.unread("1") != 1 || f.unread("10") != 1 {
			t.Error("not everybody has it")
		}
	}, func(c *notify.Config) { c.Turn = -1 })
}

func TestWhatGotNowhereIsBegunAgain(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		d := draft("lost", everybody)
		d.Send = true
		f.create(d)
		f.jobs.take(notify.JobSend) // and lost
		f.clock.pass(2 * time.Minute)
		ctx, cancel := context.WithCancel(t.Context())
		stopped := make(chan error)
		go func() { stopped <- f.Run(ctx) }()
		job := f.await(notify.JobSend)
		cancel()
		<-stopped
		must(t, f.Do(t.Context(), job))
		f.work()
		if f.unread("7") != 1 {
			t.Error("it was not sent")
		}
	}, func(c *notify.Config) { c.Stalled = 20 * time.Millisecond })
}

// await waits for a job.
func (f *fixture) await(kind string) belfry.Job {
	f.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		if job, ok := f.jobs.take(kind); ok {
			return job
		}
		<-time.After(5 * time.Millisecond)
	}
	f.t.Fatalf("no job %s comes", kind)
	return belfry.Job{}
}

func TestScheduledOnesGoOutOnce(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		for i := range 5 {
			d := draft(fmt.Sprint("n", i), everybody)
			d.Scheduled = ptr(f.clock.Now().Add(time.Hour))
			if m := f.create(d); m.Status != notify.StatusScheduled {
				t.Errorf("%+v", m)
			}
		}
		late := draft("late", everybody)
		late.Scheduled, late.Expires = ptr(f.clock.Now().Add(time.Hour)), ptr(f.clock.Now().Add(90*time.Minute))
		f.create(late)
		ctx, cancel := context.WithCancel(t.Context())
		stopped := make(chan error)
		for _, engine := range []*notify.Notify{f.Notify, f.another()} { // two processes
			go func() { stopped <- engine.Run(ctx) }()
		}
		if p, err := f.Process(t.Context()); err != nil || len(p.Sent) > 0 {
			t.Errorf("too early: %+v, %v", p, err)
		}
		f.clock.pass(2 * time.Hour)
		var all []belfry.Job
		for range 5 {
			all = append(all, f.await(notify.JobSend))
		}
		cancel()
		<-stopped
		<-stopped
		if job, ok := f.jobs.take(""); ok {
			t.Errorf("one more: %+v", job)
		}
		for _, job := range all {
			must(t, f.Do(t.Context(), job))
		}
		f.work()
		if got := strings.Fields(f.titles("4", "")); len(got) != 5 {
			t.Errorf("list %q", got)
		}
		page, err := f.Search(t.Context(), notify.Filter{Status: notify.StatusCancelled})
		must(t, err)
		if len(page.Notifications) != 1 || page.Notifications[0].Title != "late" {
			t.Errorf("lapsed: %+v", page)
		}
	})
}

func TestADueOneGoesOutWithinASecond(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx, cancel := context.WithCancel(t.Context())
		stopped := make(chan error)
		go func() { stopped <- f.Run(ctx) }()
		d := draft("soon", everybody)
		at := time.Now().Add(300 * time.Millisecond)
		d.Scheduled = &at
		f.create(d)
		f.await(notify.JobSend)
		if late := time.Since(at); late < -time.Millisecond || late > time.Second {
			t.Errorf("it went out %s after its time", late)
		}
		cancel()
		<-stopped
	}, func(c *notify.Config) { c.Now = time.Now })
}

func TestCancelAndDeleteTakeBack(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		kept, cancelled, deleted := f.sent("kept", everybody), f.sent("cancelled", everybody), f.sent("deleted", everybody)
		m, err := f.Cancel(t.Context(), cancelled, 0)
		must(t, err)
		if m.Status != notify.StatusCancelled || m.Stats.Recipients != 10 {
			t.Errorf("%+v", m)
		}
		must(t, f.Delete(t.Context(), deleted, 0))
		_, err = f.Get(t.Context(), deleted)
		wantCode(t, err, belfry.CodeNotFound)
		if f.titles("2", "") != "kept" || f.unread("2") != 1 { // at once
			t.Errorf("list %q", f.titles("2", ""))
		}
		f.work()
		if f.titles("2", "") != "kept" || f.unread("2") != 1 {
			t.Errorf("list %q", f.titles("2", ""))
		}
		events := f.pages.seen("2")[3:]
		if len(events) != 2 || events[0].Name != "notification.expired" || events[1].Unread != 1 || events[1].State != 5 {
			t.Errorf("events %+v", events)
		}
		wantCode(t, f.Delete(t.Context(), deleted, 0), belfry.CodeNotFound)
		_, err = f.Send(t.Context(), cancelled, 0)
		wantCode(t, err, belfry.CodeConflict)
		_, err = f.Send(t.Context(), kept, 0)
		wantCode(t, err, belfry.CodeConflict)

		d := draft("stopped", everybody) // half-way
		d.Send = true
		id := f.create(d).ID
		job, _ := f.jobs.take(notify.JobSend)
		f.people.fail = func(after string) error {
			if after == "6" {
				_, err := f.Cancel(t.Context(), id, 0)
				return err
			}
			return nil
		}
		must(t, f.Do(t.Context(), job))
		f.work()
		for _, user := range []string{"2", "6", "8"} {
			if f.titles(user, "") != "kept" || f.unread(user) != 1 {
				t.Errorf("user %s has %q", user, f.titles(user, ""))
			}
		}
	})
}

func TestABroadcasterThatIsAwayIsTriedAgain(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		d := draft("n", to("2"))
		d.Send = true
		f.create(d)
		job, _ := f.jobs.take(notify.JobSend)
		must(t, f.Do(t.Context(), job))
		job, _ = f.jobs.take(notify.JobPublish)
		f.pages.fail(errors.New("away"))
		if f.Do(t.Context(), job) == nil {
			t.Error("the job is done")
		}
		f.pages.fail(belfry.Errorf(belfry.CodeTooLarge, "too large"))
		must(t, f.Do(t.Context(), job)) // of no use to try again
		f.pages.fail(nil)
		must(t, f.Do(t.Context(), job))
		if len(f.pages.seen("2")) != 1 {
			t.Error("it did not go out")
		}
	})
}

func TestALongMessageFitsIntoAnEvent(t *testing.T) {
	f := newFixture(t, "")
	d := draft("long", to("2"))
	d.Message, d.Send = ptr(strings.Repeat("<ü>", 3333)), true
	d.Data = json.RawMessage(`{"note":"` + strings.Repeat("x", 8000) + `"}`)
	f.create(d)
	f.work()
	e := f.pages.events[0]
	if len(e.Data) > 10<<10 || len(e.Data) < 3000 {
		t.Errorf("the event has %d bytes", len(e.Data))
	}
	if got := f.pages.seen("2")[0]; !got.Cut || !strings.HasSuffix(got.Message, "…") || got.Version != 1 {
		t.Errorf("event %+v", got)
	}
	page, err := f.List(t.Context(), "2", notify.Filter{})
	must(t, err)
	if page.Items[0].Message != *d.Message {
		t.Error("the list has it cut too")
	}
}

func wantFields(t testing.TB, err error, fields ...string) {
	t.Helper()
	invalid, ok := errors.AsType[*notify.Invalid](err)
	if !ok {
		t.Errorf("error %v, want faults of %q", err, fields)
		return
	}
	wantCode(t, err, belfry.CodeInvalid)
	if got := slices.Sorted(maps.Keys(invalid.Fields)); !slices.Equal(got, fields) {
		t.Errorf("faults %v, want of %q", invalid.Fields, fields)
	}
}
