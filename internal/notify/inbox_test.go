package notify_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/notify"
)

func TestAReceiverReadsAndPutsAway(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		a, b, c := f.sent("a", everybody), f.sent("b", everybody), f.sent("c", to("2", "2"))
		if got := f.titles("2", ""); got != "c b a" || f.unread("2") != 3 || f.unread("3") != 2 {
			t.Fatalf("list %q, unread %d and %d", got, f.unread("2"), f.unread("3"))
		}
		m := f.mark("2", a, notify.MarkRead)
		if m.Item.ID != a || m.Item.Read.IsZero() || m.Unread != 2 || m.Version != 4 || m.Item.Version != 4 {
			t.Errorf("read: %+v", m)
		}
		if again := f.mark("2", a, notify.MarkRead); again.Version != 4 || again.Unread != 2 {
			t.Errorf("read again: %+v", again.State)
		}
		f.mark("2", b, notify.MarkDismiss)
		f.mark("2", c, notify.MarkArchive)
		for view, want := range map[string]string{"": "a", "all": "a", "unread": "", "read": "a", "dismissed": "b", "archived": "c"} {
			if got := f.titles("2", view); got != want {
				t.Errorf("%s: %q, want %q", view, got, want)
			}
		}
		if m := f.mark("2", a, notify.MarkUnread); m.Unread != 1 || f.unread("2") != 1 || m.Version != 7 {
			t.Errorf("unread again: %+v", m.State)
		}
		if m := f.mark("2", b, notify.MarkUnread); m.Unread != 1 || f.unread("2") != 1 {
			t.Errorf("a dismissed one counts: %+v", m.State)
		}
		if f.unread("3") != 2 {
			t.Error("another's count has changed")
		}
		events := f.pages.seen("2")
		if last := events[len(events)-1]; last.Name != "notification.read" || last.Change != "unread" || last.IDs[0] != a || last.State != 7 || last.Unread != 1 {
			t.Errorf("event %+v", last)
		}
		for i, e := range events {
			if e.State != int64(i)+1 || e.User != "2" {
				t.Errorf("event %d: %+v", i, e)
			}
		}
	})
}

func TestNobodyReachesAnothersNotifications(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		theirs := f.sent("secret", to("2"))
		f.sent("mine", to("3"))
		unknown := f.create(draft("a draft", to("3"))).ID
		for _, id := range []string{theirs, unknown, "x", "", "' OR 1=1 --", theirs + "\x00"} {
			for _, mark := range []string{"read", "unread", "dismiss", "archive"} {
				_, err := f.Mark(t.Context(), "3", id, mark, "")
				wantCode(t, err, belfry.CodeNotFound)
			}
		}
		for _, filter := range []notify.Filter{
			{}, {Text: "secret"}, {Text: "%"}, {Text: "_"}, {Category: "' OR 1=1 --"}, {Cursor: fmt.Sprint(int64(1)<<60, ".zzz")},
		} {
			page, err := f.List(t.Context(), "3", filter)
			must(t, err)
			for _, item := range page.Items {
				if item.Title != "mine" {
					t.Errorf("filter %+v shows %q", filter, item.Title)
				}
			}
		}
		for _, user := range []string{"", "%", "nobody", "03"} {
			if got := f.titles(user, ""); got != "" || f.unread(user) != 0 {
				t.Errorf("user %q sees %q", user, got)
			}
		}
		missed, err := f.Since(t.Context(), "3", 0, 0)
		must(t, err)
		if len(missed.Items) != 1 || missed.Items[0].Title != "mine" {
			t.Errorf("missed %+v", missed)
		}
		_, err = f.ReadAll(t.Context(), "3", "")
		must(t, err)
		if f.unread("2") != 1 || f.unread("3") != 0 {
			t.Error("reading all reached another's")
		}
	})
}

func TestListsHavePagesAndFilters(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		for i := range 7 {
			d := draft(fmt.Sprint("n", i), to("2"))
			d.Category, d.Type, d.Priority = ptr(fmt.Sprint("cat", i%2)), ptr(notify.Types[i%4]), ptr(notify.Priorities[i%3])
			d.Send = true
			f.create(d)
		}
		f.work() // all at one time
		var all []string
		filter := notify.Filter{Limit: 3}
		for {
			page, err := f.List(t.Context(), "2", filter)
			must(t, err)
			for _, item := range page.Items {
				all = append(all, item.Title)
			}
			if page.Next == "" {
				break
			}
			filter.Cursor = string(page.Next)
		}
		slices.Sort(all)
		if got := strings.Join(all, " "); got != "n0 n1 n2 n3 n4 n5 n6" {
			t.Errorf("pages %q", got)
		}
		for want, filter := range map[string]notify.Filter{
			"1 3 5": {Category: "cat1"}, "0 4": {Type: "system"}, "2 5": {Priority: "low"}, "5": {Category: "cat1", Priority: "low"},
			"3": {Text: "MESSAGE OF N3"}, "": {Text: "n%"},
		} {
			page, err := f.List(t.Context(), "2", filter)
			must(t, err)
			var got []string
			for _, item := range page.Items {
				got = append(got, item.Title[1:])
			}
			slices.Sort(got)
			if strings.Join(got, " ") != want {
				t.Errorf("%+v: %q, want %q", filter, got, want)
			}
		}
		_, err := f.List(t.Context(), "2", notify.Filter{Status: "x", Type: "y", Priority: "z", Limit: 101})
		wantFields(t, err, "limit", "priority", "status", "type")
		_, err = f.List(t.Context(), "2", notify.Filter{Cursor: "x"})
		wantFields(t, err, "cursor")
	})
}

func TestWhatAPageMissed(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		a := f.sent("a", to("2"))
		before, err := f.State(t.Context(), "2")
		must(t, err)
		f.sent("b", to("2"))
		f.sent("c", to("2"))
		f.mark("2", a, notify.MarkDismiss)
		m, err := f.Since(t.Context(), "2", before.Version, 2)
		must(t, err)
		if len(m.Items) != 2 || m.Items[0].Title != "b" || m.Items[1].Title != "c" || !m.More || m.Unread != 2 || m.Version != 4 {
			t.Errorf("missed %+v", m)
		}
		m, err = f.Since(t.Context(), "2", m.Items[1].Version, 2)
		must(t, err)
		if len(m.Items) != 1 || m.Items[0].Title != "a" || m.Items[0].Dismissed.IsZero() || m.More {
			t.Errorf("missed then %+v", m)
		}
	})
}

// Reading all of many raises the version by one for each hundred, so that a
// page that missed it can ask in pages.
func TestReadingAllIsMissedInPages(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		const count = 230
		for i := range count {
			d := draft(fmt.Sprint("n", i), to("2"))
			d.Send = true
			f.create(d)
		}
		f.work()
		all, err := f.ReadAll(t.Context(), "2", "1.1")
		must(t, err)
		if all.Changed != count || all.Unread != 0 || all.Version != count+3 || f.unread("2") != 0 {
			t.Errorf("%+v", all)
		}
		seen := map[string]bool{}
		for version, more := int64(count), true; more; {
			m, err := f.Since(t.Context(), "2", version, 25)
			must(t, err)
			if len(m.Items) > 100 {
				t.Fatalf("a page of %d", len(m.Items))
			}
			for _, item := range m.Items {
				seen[item.ID], version = true, item.Version
			}
			more = m.More
		}
		if len(seen) != count {
			t.Errorf("%d of %d were told", len(seen), count)
		}
		events := f.pages.seen("2")
		if last := events[len(events)-1]; last.Exclude != "1.1" || last.IDs == nil || len(last.IDs) != 0 || last.Change != "read" {
			t.Errorf("event %+v", last)
		}
		if again, err := f.ReadAll(t.Context(), "2", ""); err != nil || again.Changed != 0 || again.Version != all.Version {
			t.Errorf("again: %+v, %v", again, err)
		}
	})
}

func TestTwoDevicesAndTheSenderAtOnce(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		var ids []string
		for i := range 6 {
			ids = append(ids, f.sent(fmt.Sprint("n", i), everybody))
		}
		for i := range 3 {
			d := draft(fmt.Sprint("late", i), everybody)
			d.Send = true
			f.create(d)
		}
		must(t, f.Delete(t.Context(), ids[5], 0))
		var group sync.WaitGroup
		for range 3 { // workers
			group.Go(func() {
				for {
					job, ok := f.jobs.take("")
					if !ok {
						return
					}
					if err := f.Do(t.Context(), job); err != nil {
						t.Error(err)
					}
				}
			})
		}
		for _, user := range []string{"2", "3"} {
			for device := range 2 {
				group.Go(func() {
					for i := range 20 {
						var err error
						switch id := ids[(i+device)%5]; i % 4 {
						case 0, 1:
							_, err = f.Mark(t.Context(), user, id, notify.MarkRead, "")
						case 2:
							_, err = f.Mark(t.Context(), user, id, notify.MarkUnread, "")
						case 3:
							_, err = f.ReadAll(t.Context(), user, "")
						}
						if err != nil {
							t.Error(err)
						}
					}
				})
			}
		}
		group.Wait()
		f.work()
		for _, user := range []string{"1", "2", "3", "10"} {
			f.unread(user)
			if got := len(strings.Fields(f.titles(user, ""))); got != 8 {
				t.Errorf("user %s has %d", user, got)
			}
			versions := map[int64]bool{}
			for _, e := range f.pages.seen(user) {
				if versions[e.State] && e.Name == "notification.read" {
					t.Errorf("user %s: two changes have the version %d", user, e.State)
				}
				versions[e.State] = true
			}
		}
	})
}

func TestAnExpiredOneIsInNoListAndNoCount(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		d := draft("short", everybody)
		d.Send, d.Expires = true, ptr(f.clock.Now().Add(time.Minute))
		id := f.create(d).ID
		f.work()
		f.sent("long", everybody)
		f.mark("3", id, notify.MarkDismiss)
		f.clock.pass(2 * time.Minute)
		if f.titles("2", "") != "long" || f.unread("2") != 1 { // before anything was done about it
			t.Errorf("list %q", f.titles("2", ""))
		}
		_, err := f.Mark(t.Context(), "2", id, notify.MarkRead, "")
		wantCode(t, err, belfry.CodeNotFound)
		p, err := f.Process(t.Context())
		must(t, err)
		if len(p.Expired) != 1 {
			t.Errorf("processed %+v", p)
		}
		if again, err := f.another().Process(t.Context()); err != nil || len(again.Expired) != 0 {
			t.Errorf("processed twice: %+v, %v", again, err)
		}
		f.work()
		if f.titles("2", "") != "long" || f.unread("2") != 1 || f.titles("3", "dismissed") != "" {
			t.Error("it is still there")
		}
		events := f.pages.seen("2")
		if last := events[len(events)-1]; last.Name != "notification.expired" || last.IDs[0] != id || last.Unread != 1 || last.State != 3 {
			t.Errorf("event %+v", last)
		}
		if events := f.pages.seen("3"); events[len(events)-1].Name == "notification.expired" {
			t.Error("one who had put it away was told")
		}
		m, err := f.Since(t.Context(), "2", 2, 0)
		must(t, err)
		if len(m.Items) != 0 || len(m.Removed) != 1 || m.Removed[0] != id {
			t.Errorf("missed %+v", m)
		}
		f.clock.pass(31 * 24 * time.Hour)
		if removed, err := f.Clean(t.Context(), 30*24*time.Hour); err != nil || removed != 1 {
			t.Errorf("cleaned %d, %v", removed, err)
		}
		_, err = f.Get(t.Context(), id)
		wantCode(t, err, belfry.CodeNotFound)
		if f.titles("2", "") != "long" {
			t.Error("another was cleaned")
		}
	})
}

func TestAUserIsForgotten(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		id := f.sent("a", everybody)
		f.mark("2", id, notify.MarkDismiss)
		if all, err := f.Everything(t.Context(), "2"); err != nil || len(all) != 1 || all[0].Dismissed.IsZero() {
			t.Errorf("%+v, %v", all, err)
		}
		must(t, f.Forget(t.Context(), "2"))
		if all, err := f.Everything(t.Context(), "2"); err != nil || len(all) != 0 {
			t.Errorf("%+v, %v", all, err)
		}
		if s, err := f.State(t.Context(), "2"); err != nil || s != (notify.State{}) || f.unread("3") != 1 {
			t.Errorf("%+v, %v", s, err)
		}
		must(t, f.Forget(t.Context(), "2"))
	})
}

// Rows may be newer than the state of their answer, never older: who follows
// the state would not ask for them.
func TestAListIsNoOlderThanItsState(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			for i := range 40 {
				f.sent(fmt.Sprint("n", i), to("2"))
			}
		}()
		for done := false; !done; {
			select {
			case <-sent:
				done = true
			default:
			}
			page, err := f.List(t.Context(), "2", notify.Filter{Limit: 100})
			must(t, err)
			if int64(len(page.Items)) < page.Version || page.Version < int64(page.Unread) {
				t.Errorf("%d rows with the state %+v", len(page.Items), page.State)
			}
		}
	})
}
