package notify_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/notify"
)

func TestEachBadFieldIsNamed(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		now := f.clock.Now()
		long := strings.Repeat("ü", 256)
		for name, c := range map[string]struct {
			change func(d *notify.Draft)
			faults string
		}{
			"nothing said":          {func(d *notify.Draft) { *d = notify.Draft{} }, "message target title"},
			"blank":                 {func(d *notify.Draft) { d.Title, d.Message = ptr(" "), ptr("\n ") }, "message title"},
			"title of 255":          {func(d *notify.Draft) { d.Title = ptr(long[:255*2]) }, ""},
			"title of 256":          {func(d *notify.Draft) { d.Title = &long }, "title"},
			"title with a line":     {func(d *notify.Draft) { d.Title = ptr("a\nb") }, "title"},
			"title with a zero":     {func(d *notify.Draft) { d.Title = ptr("a\x00b") }, "title"},
			"title not UTF-8":       {func(d *notify.Draft) { d.Title = ptr("a\xff") }, "title"},
			"message of lines":      {func(d *notify.Draft) { d.Message = ptr("a\r\n\tb") }, ""},
			"message too long":      {func(d *notify.Draft) { d.Message = ptr(strings.Repeat("x", 10_001)) }, "message"},
			"message with a zero":   {func(d *notify.Draft) { d.Message = ptr("\x00") }, "message"},
			"unknown words":         {func(d *notify.Draft) { d.Type, d.Priority = ptr("news"), ptr("urgent") }, "priority type"},
			"importance":            {func(d *notify.Draft) { d.Importance = ptr(101) }, "importance"},
			"importance of 0":       {func(d *notify.Draft) { d.Importance = ptr(0) }, ""},
			"color":                 {func(d *notify.Draft) { d.Color = ptr("red") }, "color"},
			"good color":            {func(d *notify.Draft) { d.Color = ptr("#1e90Ff") }, ""},
			"long words":            {func(d *notify.Draft) { d.Category, d.Icon, d.ActionText, d.ActionURL = &long, &long, &long, ptr("/x") }, "action_text category icon"},
			"action without URL":    {func(d *notify.Draft) { d.ActionText = ptr("Open") }, "action_url"},
			"data no object":        {func(d *notify.Draft) { d.Data = json.RawMessage(`[1]`) }, "data"},
			"data too large":        {func(d *notify.Draft) { d.Data = json.RawMessage(`{"x":"` + strings.Repeat("x", 8192) + `"}`) }, "data"},
			"spaces in data":        {func(d *notify.Draft) { d.Data = json.RawMessage(`{"x":` + strings.Repeat(" ", 9000) + `1}`) }, ""},
			"schedule past":         {func(d *notify.Draft) { d.Scheduled = ptr(now.Add(-time.Second)) }, "scheduled_at"},
			"schedule now":          {func(d *notify.Draft) { d.Scheduled = &now }, "scheduled_at"},
			"schedule and send":     {func(d *notify.Draft) { d.Scheduled, d.Send = ptr(now.Add(time.Hour)), true }, "scheduled_at"},
			"expiry past":           {func(d *notify.Draft) { d.Expires = &now }, "expires_at"},
			"expiry first":          {func(d *notify.Draft) { d.Expires, d.Scheduled = ptr(now.Add(time.Minute)), ptr(now.Add(time.Hour)) }, "expires_at"},
			"no target type":        {func(d *notify.Draft) { d.Target = &notify.Target{Users: []string{"1"}} }, "target"},
			"odd target type":       {func(d *notify.Draft) { d.Target = &notify.Target{Type: "none"} }, "target.type"},
			"no users":              {func(d *notify.Draft) { d.Target = ptr(to()) }, "target.users"},
			"unknown users":         {func(d *notify.Draft) { d.Target = ptr(to("1", "99", "01", "x")) }, "target.users[1] target.users[2] target.users[3]"},
			"too many users":        {func(d *notify.Draft) { d.Target = ptr(to(make([]string, 10_001)...)) }, "target.users"},
			"no roles":              {func(d *notify.Draft) { d.Target = &notify.Target{Type: "roles"} }, "target.roles"},
			"unknown role":          {func(d *notify.Draft) { d.Target = &notify.Target{Type: "roles", Roles: []string{"editor", "edtior"}} }, "target.roles[1]"},
			"days":                  {func(d *notify.Draft) { d.Target = &notify.Target{Type: "active", Days: -1} }, "target.days"},
			"found by the door":     {func(d *notify.Draft) { d.Faults = map[string]string{"x": "odd"}; d.Title = nil }, "title x"},
			"target not understood": {func(d *notify.Draft) { d.Faults = map[string]string{"target.users[0]": "odd"}; d.Target = nil }, "target.users[0]"},
		} {
			d := draft("good", everybody)
			c.change(&d)
			_, _, err := f.Create(t.Context(), manager, d, notify.Key{})
			if c.faults == "" {
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
				continue
			}
			t.Run(name, func(t *testing.T) { wantFields(t, err, strings.Fields(c.faults)...) })
		}
		page, err := f.Search(t.Context(), notify.Filter{Limit: 100})
		must(t, err)
		if len(page.Notifications) != 5 {
			t.Errorf("%d are stored", len(page.Notifications))
		}
	})
}

func TestActionAddresses(t *testing.T) {
	f := newFixture(t, "")
	for address, good := range map[string]bool{
		"https://example.test/x?y#z": true, "http://example.test": true, "/reports/7?tab=a": true, "/": true, "HTTPS://EXAMPLE.TEST": true,
		"javascript:alert(1)": false, "JaVaScRiPt:alert(1)": false, "java\nscript:alert(1)": false, "\x01javascript:alert(1)": false, "data:text/html,x": false,
		"vbscript:x": false, "//evil.test": false, "/\\evil.test": false, "/\t/evil.test": false, "\\\\evil.test": false, "https:": false, "https://": false,
		"https:/evil.test": false, "https:evil": false, "http://user:pw@example.test": false, "reports/7": false, "ftp://example.test": false, "https://exa mple.test": false,
		"?x": false, "#x": false, "mailto:a@example.test": false, "/" + strings.Repeat("x", 2048): false,
	} {
		d := draft("t", everybody)
		d.ActionURL = &address
		err := f.Check(t.Context(), d)
		if (err == nil) != good {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestEditsDoNotRunOverEachOther(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		m := f.create(draft("a", everybody))
		edited, err := f.Edit(t.Context(), m.ID, m.Revision, notify.Draft{Title: ptr("b"), Category: ptr("c")})
		must(t, err)
		if edited.Title != "b" || edited.Message != "Message of a" || edited.Category != "c" || edited.Revision != 2 || edited.Target.Type != "all" {
			t.Errorf("%+v", edited)
		}
		_, err = f.Edit(t.Context(), m.ID, m.Revision, notify.Draft{Title: ptr("c")})
		wantCode(t, err, belfry.CodeConflict)
		_, err = f.Edit(t.Context(), m.ID, 2, notify.Draft{Title: ptr(""), Type: ptr("x")})
		wantFields(t, err, "title", "type")
		done := make(chan error)
		for i := range 4 {
			go func() {
				_, err := f.another().Edit(t.Context(), m.ID, 2, notify.Draft{Title: ptr(fmt.Sprint("by ", i))})
				done <- err
			}()
		}
		won := 0
		for range 4 {
			if err := <-done; err == nil {
				won++
			} else {
				wantCode(t, err, belfry.CodeConflict)
			}
		}
		if won != 1 {
			t.Errorf("%d edits of one revision won", won)
		}
		at := f.clock.Now().Add(time.Hour)
		s, err := f.Schedule(t.Context(), m.ID, 0, at)
		must(t, err)
		if s.Status != notify.StatusScheduled || !s.Scheduled.Equal(at) {
			t.Errorf("scheduled: %+v", s)
		}
		_, err = f.Schedule(t.Context(), m.ID, 1, at)
		wantCode(t, err, belfry.CodeConflict)
		if s, err = f.Edit(t.Context(), m.ID, s.Revision, notify.Draft{Scheduled: &time.Time{}}); err != nil || s.Status != notify.StatusDraft {
			t.Errorf("no schedule: %+v, %v", s, err)
		}
		_, err = f.Cancel(t.Context(), m.ID, 0)
		wantCode(t, err, belfry.CodeConflict)
		_, err = f.Send(t.Context(), m.ID, 1)
		wantCode(t, err, belfry.CodeConflict)
		s, err = f.Send(t.Context(), m.ID, s.Revision)
		must(t, err)
		_, err = f.Edit(t.Context(), m.ID, s.Revision, notify.Draft{Title: ptr("late")})
		wantCode(t, err, belfry.CodeConflict)
	})
}

func TestARepeatedRequestMakesOne(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		d := draft("once", everybody)
		d.Send = true
		key := notify.Key{Name: "k", Scope: "user 1", Content: []byte("x")}
		ids := make(chan string)
		for range 4 {
			go func() {
				made, _, err := f.Create(t.Context(), manager, d, key)
				if err != nil {
					t.Error(err)
				}
				ids <- made.ID
			}()
		}
		first := <-ids
		for range 3 {
			if id := <-ids; id != first {
				t.Errorf("%s and %s", first, id)
			}
		}
		f.work()
		if f.unread("2") != 1 {
			t.Errorf("%d came", f.unread("2"))
		}
		made, replayed, err := f.Create(t.Context(), manager, d, key)
		if err != nil || !replayed || made.ID != first || made.Title != "once" || made.Target.Type != "all" || !made.Created.Equal(f.clock.Now()) {
			t.Errorf("%+v, %v, %v", made, replayed, err)
		}
		other := key
		other.Content = []byte("y")
		_, _, err = f.Create(t.Context(), manager, d, other)
		wantCode(t, err, belfry.CodeConflict)
		other.Scope = "user 2"
		if another, _, err := f.Create(t.Context(), manager, d, other); err != nil || another.ID == first {
			t.Errorf("another's key: %v", err)
		}
		f.clock.pass(25 * time.Hour)
		if again, replayed, err := f.Create(t.Context(), manager, d, key); err != nil || replayed || again.ID == first {
			t.Errorf("after a day: %v %v", replayed, err)
		}
		bad := draft("bad", everybody)
		bad.Type = ptr("x")
		_, _, err = f.Create(t.Context(), manager, bad, notify.Key{Name: "bad", Scope: "user 1"})
		wantFields(t, err, "type")
		if _, _, err = f.Create(t.Context(), manager, draft("good", everybody), notify.Key{Name: "bad", Scope: "user 1"}); err != nil {
			t.Errorf("a refused request kept its key: %v", err)
		}
	})
}

func TestManagersSearch(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		for i := range 5 {
			d := draft(fmt.Sprint("Über ", i), everybody)
			d.Type = ptr(notify.Types[i%2])
			f.create(d)
			f.clock.pass(time.Millisecond)
		}
		f.sent("sent 100%", everybody)
		var all []string
		for filter := (notify.Filter{Limit: 4}); ; {
			page, err := f.Search(t.Context(), filter)
			must(t, err)
			for _, n := range page.Notifications {
				all = append(all, n.Title)
			}
			if filter.Cursor = string(page.Next); page.Next == "" {
				break
			}
		}
		if got := strings.Join(all, ","); got != "sent 100%,Über 4,Über 3,Über 2,Über 1,Über 0" {
			t.Errorf("pages %q", got)
		}
		for want, filter := range map[string]notify.Filter{
			"sent 100%": {Status: "sent"}, "Über 3,Über 1": {Status: "draft", Type: "announcement"}, "Über 2": {Text: "üBER 2"}, "": {Text: "x%y"},
		} {
			page, err := f.Search(t.Context(), filter)
			must(t, err)
			var got []string
			for _, n := range page.Notifications {
				got = append(got, n.Title)
			}
			if strings.Join(got, ",") != want {
				t.Errorf("%+v: %q", filter, got)
			}
		}
	})
}
