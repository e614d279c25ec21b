package broadcast_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/broadcast"
)

func TestFaultsAreToldBeforeAnythingIsKept(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	many := make([]string, 101)
	for i := range many {
		many[i] = "c" + long(i+1)
	}
	for name, c := range map[string]struct {
		e    belfry.Event
		how  broadcast.How
		code belfry.Code
		says string
	}{
		"no name":             {belfry.Event{Channels: []string{"a"}}, broadcast.How{}, belfry.CodeInvalid, "event:"},
		"no channel":          {belfry.Event{Name: "e"}, broadcast.How{}, belfry.CodeInvalid, "channels:"},
		"unknown app":         {belfry.Event{App: "9", Name: "e", Channels: []string{"a"}}, broadcast.How{}, belfry.CodeNotFound, `no app "9"`},
		"disabled app":        {belfry.Event{App: "off", Name: "e", Channels: []string{"a"}}, broadcast.How{}, belfry.CodeForbidden, "disabled"},
		"bad channel":         {event("e", "a b"), broadcast.How{}, belfry.CodeInvalid, "not a legal name"},
		"long channel":        {event("e", long(201)), broadcast.How{}, belfry.CodeInvalid, "201"},
		"too many channels":   {event("e", many...), broadcast.How{}, belfry.CodeInvalid, "101"},
		"app's own limit":     {belfry.Event{App: "2", Name: "e", Channels: []string{"a", "b", "c"}}, broadcast.How{}, belfry.CodeInvalid, "3 channels"},
		"long name":           {belfry.Event{App: "2", Name: "elevenchars", Channels: []string{"a"}}, broadcast.How{}, belfry.CodeInvalid, "11"},
		"too much data":       {belfry.Event{Name: "e", Channels: []string{"a"}, Data: json.RawMessage(`"` + long(10241) + `"`)}, broadcast.How{}, belfry.CodeTooLarge, "10241"},
		"data is not JSON":    {belfry.Event{Name: "e", Channels: []string{"a"}, Data: json.RawMessage(`{"a":`)}, broadcast.How{}, belfry.CodeInvalid, "data:"},
		"data with more JSON": {belfry.Event{Name: "e", Channels: []string{"a"}, Data: json.RawMessage(`1,"name":"f"`)}, broadcast.How{}, belfry.CodeInvalid, "data:"},
		"bad socket":          {belfry.Event{Name: "e", Channels: []string{"a"}, ExcludeSocket: "x"}, broadcast.How{}, belfry.CodeInvalid, "exclude_socket_id:"},
		"with_id, no object":  {belfry.Event{Name: "e", Channels: []string{"a"}, Data: json.RawMessage(`[1]`), WithID: true}, broadcast.How{}, belfry.CodeInvalid, "with_id:"},
		"with_id twice":       {belfry.Event{Name: "e", Channels: []string{"a"}, Data: json.RawMessage(`{"event_id":1}`), WithID: true}, broadcast.How{}, belfry.CodeInvalid, "with_id:"},
		"unknown condition":   {belfry.Event{Name: "e", Channels: []string{"a"}, Condition: "moon"}, broadcast.How{}, belfry.CodeInvalid, "occupied"},
		"expired":             {belfry.Event{Name: "e", Channels: []string{"a"}, Expires: time.Now().Add(time.Second)}, broadcast.How{Delay: time.Minute}, belfry.CodeInvalid, "expires_in:"},
		"bad queue":           {event("e", "a"), broadcast.How{Queue: "a b"}, belfry.CodeInvalid, "queue:"},
		"unknown queue":       {event("e", "a"), broadcast.How{Queue: "slow"}, belfry.CodeInvalid, "default, high"},
		"negative delay":      {event("e", "a"), broadcast.How{Delay: -1}, belfry.CodeInvalid, "delay:"},
		"endless delay":       {event("e", "a"), broadcast.How{Delay: 1e18}, belfry.CodeInvalid, "delay:"},
		"no key to encrypt":   {event("e", "private-encrypted-a"), broadcast.How{}, belfry.CodeInvalid, "encryption_master_key"},
		"encrypted and more":  {belfry.Event{App: "2", Name: "e", Channels: []string{"private-encrypted-a", "b"}}, broadcast.How{}, belfry.CodeInvalid, "only channel"},
		"encrypted too large": {belfry.Event{App: "2", Name: "e", Channels: []string{"private-encrypted-a"}, Data: json.RawMessage(`"` + long(60) + `"`)}, broadcast.How{}, belfry.CodeTooLarge, "encrypted"},
		"the protocol's name": {event("pusher:x", "a"), broadcast.How{}, belfry.CodeInvalid, "reserved"},
	} {
		t.Run(name, func(t *testing.T) {
			kept := &shelf{}
			b := newBroadcaster(&fake{}, withQueue(kept), func(c *broadcast.Config) {
				c.Queues = func() []string { return []string{"high", "default"} }
			})
			_, err := b.Enqueue(t.Context(), nil, c.e, c.how)
			mustCode(t, err, c.code)
			if e, _ := errors.AsType[*belfry.Error](err); !strings.Contains(e.Message+e.Hint, c.says) {
				t.Errorf("%q says nothing of %q", err, c.says)
			}
			if !broadcast.Permanent(err) {
				t.Error("a fault that counts as passing")
			}
			if len(kept.kept()) != 0 {
				t.Error("kept all the same")
			}
			if s := b.Stats(); s.Refused != 1 || s.Accepted != 0 {
				t.Errorf("stats %+v", s)
			}
		})
	}
}

func TestEnqueueKeepsAllThatTheEventNeeds(t *testing.T) {
	kept := &shelf{}
	now := newClock()
	b := newBroadcaster(&fake{}, withQueue(kept), func(c *broadcast.Config) { c.Now = now.Now })
	e := belfry.Event{Name: "e<&>", Channels: []string{"b", "a", "b"}, Data: json.RawMessage(` { "x" : "<é\u0001>" , "n" : 1e2 } `),
		ExcludeSocket: "1.2", WithID: true, Condition: "occupied", Expires: now.Now().Add(time.Hour), Origin: "token 3"}
	id, err := b.Enqueue(t.Context(), nil, e, broadcast.How{Queue: "high", Delay: time.Minute, Tries: 7, Priority: 1})
	if err != nil {
		t.Fatal(err)
	}
	jobs := kept.kept()
	if len(jobs) != 1 {
		t.Fatalf("%d jobs", len(jobs))
	}
	j := jobs[0]
	if j.ID != id || j.Kind != broadcast.JobKind || j.Queue != "high" || j.Tries != 7 || j.Priority != 1 || !j.RunAt.Equal(now.Now().Add(time.Minute)) {
		t.Errorf("job %+v", j)
	}
	if strings.Join(j.Lanes, " ") != "1/b 1/a" {
		t.Errorf("lanes %q", j.Lanes)
	}
	var back belfry.Event
	if err := json.Unmarshal(j.Payload, &back); err != nil {
		t.Fatal(err)
	}
	if back.ID != id || back.App != "1" || back.Name != e.Name || strings.Join(back.Channels, " ") != "b a" || back.ExcludeSocket != "1.2" ||
		back.Condition != "occupied" || !back.Expires.Equal(e.Expires) || back.Origin != "token 3" || !back.Accepted.Equal(now.Now()) || back.WithID {
		t.Errorf("event %+v", back)
	}
	if want := `{"event_id":"` + id + `","x":"<é\u0001>","n":1e2}`; string(back.Data) != want {
		t.Errorf("data %s, want %s", back.Data, want)
	}
	trace, ok := b.Find(id)
	if !ok || trace.Status() != "queued" || len(trace.Steps) != 2 || trace.Origin != "token 3" {
		t.Errorf("trace %+v, %v", trace, ok)
	}
}

func TestEventsWithoutDataOrQueueHaveDefaults(t *testing.T) {
	kept := &shelf{}
	b := newBroadcaster(&fake{}, withQueue(kept))
	if _, err := b.Enqueue(t.Context(), nil, belfry.Event{Name: "e", Channels: []string{"a"}, WithID: true}, broadcast.How{}); err != nil {
		t.Fatal(err)
	}
	j := kept.kept()[0]
	var e belfry.Event
	if err := json.Unmarshal(j.Payload, &e); err != nil {
		t.Fatal(err)
	}
	if j.Queue != belfry.DefaultQueue || string(e.Data) != `{"event_id":"`+j.ID+`"}` {
		t.Errorf("queue %q, data %s", j.Queue, e.Data)
	}
}

func TestAQueueThatFailsIsAnErrorThatMayPass(t *testing.T) {
	kept := &shelf{}
	kept.fail(errors.New("disk"))
	b := newBroadcaster(&fake{}, withQueue(kept))
	_, err := b.Enqueue(t.Context(), nil, event("e", "a"), broadcast.How{})
	mustCode(t, err, belfry.CodeUnavailable)
	if strings.Contains(belfry.Public(err), "disk") {
		t.Errorf("%q shows the cause", belfry.Public(err))
	}
	_, err = newBroadcaster(&fake{}).Enqueue(t.Context(), nil, event("e", "a"), broadcast.How{})
	mustCode(t, err, belfry.CodeUnavailable)
}

func TestOnlyBelfryEmitsReservedNames(t *testing.T) {
	for _, c := range []struct {
		e       belfry.Event
		refused bool
	}{
		{event("notification.sent", "private-user.7"), true},
		{event("notification.", "a"), true},
		{event("notifications.sent", "a"), false},
		{event("notification", "a"), false},
		{event("pusher:ping", "a"), true},
		{event("pusher_internal:x", "a"), true},
		{event("DashboardUpdated", "a", "private-dashboard"), true},
		{event("DashboardUpdated", "private-dashboard.sales"), true},
		{event("DashboardUpdated", "dashboard"), true},
		{event("DashboardUpdated", "private-dashboards"), false},
		{event("Other", "private-dashboard"), false},
	} {
		kept := &shelf{}
		b := newBroadcaster(&fake{}, withQueue(kept))
		_, err := b.Accept(t.Context(), broadcast.Request{Event: c.e})
		if c.refused {
			mustCode(t, err, belfry.CodeForbidden)
			_, err = b.Accept(t.Context(), broadcast.Request{Event: c.e, Now: true})
			mustCode(t, err, belfry.CodeForbidden)
		} else if err != nil {
			t.Errorf("%s: %v", c.e.Name, err)
		}
	}
	b := newBroadcaster(&fake{}, withQueue(&shelf{}))
	if _, err := b.Publish(t.Context(), event("notification.sent", "private-user.7")); err != nil {
		t.Errorf("Belfry itself: %v", err)
	}
}

func TestAcceptNowAnswersWithTheReceipt(t *testing.T) {
	d := &fake{}
	b := newBroadcaster(d)
	got, err := b.Accept(t.Context(), broadcast.Request{Event: event("e", "a"), Now: true})
	if err != nil || got.Status != "sent" || got.Receipt == nil || got.Receipt.Matched != 1 || len(d.sent()) != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	if trace, ok := b.Find(got.ID); !ok || trace.Status() != "sent" {
		t.Errorf("trace %+v", trace)
	}
	_, err = b.Accept(t.Context(), broadcast.Request{Event: event("e", "a"), Now: true, How: broadcast.How{Delay: time.Second}})
	mustCode(t, err, belfry.CodeInvalid)
	own := event("e", "a")
	own.ID = "chosen"
	if got, err = b.Accept(t.Context(), broadcast.Request{Event: own, Now: true}); err != nil || got.ID == "chosen" {
		t.Errorf("an outsider chose the id: %+v, %v", got, err)
	}
}
