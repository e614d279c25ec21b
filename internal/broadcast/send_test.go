package broadcast_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/broadcast"
)

// queued gives the job of an event.
func queued(t testing.TB, b *broadcast.Broadcaster, kept *shelf, e belfry.Event) belfry.Job {
	t.Helper()
	if _, err := b.Enqueue(t.Context(), nil, e, broadcast.How{}); err != nil {
		t.Fatal(err)
	}
	jobs := kept.kept()
	return jobs[len(jobs)-1]
}

func TestAJobIsSentAsItWasAccepted(t *testing.T) {
	d, kept := &fake{}, &shelf{}
	b := newBroadcaster(d, withQueue(kept))
	job := queued(t, b, kept, event("e", "a", "b"))
	if err := b.Do(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	calls := d.sent()
	if len(calls) != 1 || len(calls[0]) != 1 || calls[0][0].ID != job.ID || calls[0][0].App != "1" || string(calls[0][0].Data) != `{"n":1}` {
		t.Fatalf("calls %+v", calls)
	}
	trace, _ := b.Find(job.ID)
	if trace.Status() != "sent" || trace.Steps[2].Receipt == nil {
		t.Errorf("trace %+v", trace)
	}
}

func TestALimitLoweredLaterDoesNotFailAnEvent(t *testing.T) {
	d, kept := &fake{}, &shelf{}
	limits := belfry.DefaultLimits()
	b := newBroadcaster(d, withQueue(kept), func(c *broadcast.Config) {
		c.Apps = func(string) *belfry.App { return &belfry.App{ID: "1", Limits: limits} }
	})
	job := queued(t, b, kept, event("e", "a", "b"))
	limits.ChannelsPerEvent, limits.EventData = 1, 1
	if err := b.Do(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	if _, err := broadcast.Encode(d.sent()[0][0]); err != nil {
		t.Errorf("encode: %v", err)
	}
}

func TestSkippedEventsAreDone(t *testing.T) {
	say := false
	start := newClock().Now()
	for name, c := range map[string]struct {
		e    belfry.Event
		says string
	}{
		"expired":   {belfry.Event{Name: "e", Channels: []string{"a"}, Expires: start.Add(time.Second)}, "expired"},
		"condition": {belfry.Event{Name: "e", Channels: []string{"a"}, Condition: "ask"}, "condition"},
	} {
		t.Run(name, func(t *testing.T) {
			d, kept, now := &fake{}, &shelf{}, newClock()
			b := newBroadcaster(d, withQueue(kept), func(cfg *broadcast.Config) {
				cfg.Now = now.Now
				cfg.Conditions = map[string]broadcast.Condition{"ask": func(context.Context, belfry.Event) (bool, error) { return say, nil }}
			})
			job := queued(t, b, kept, c.e)
			now.add(time.Second)
			if err := b.Do(t.Context(), job); err != nil {
				t.Fatal(err)
			}
			trace, _ := b.Find(job.ID)
			if len(d.sent()) != 0 || trace.Status() != "skipped" || !strings.Contains(trace.Steps[2].Reason, c.says) {
				t.Errorf("sent %v, trace %+v", d.sent(), trace)
			}
			if b.Stats().Skipped != 1 {
				t.Errorf("stats %+v", b.Stats())
			}
		})
	}
	say = true
	d := &fake{}
	b := newBroadcaster(d, func(cfg *broadcast.Config) {
		cfg.Conditions = map[string]broadcast.Condition{"ask": func(context.Context, belfry.Event) (bool, error) { return say, nil }}
	})
	if out, err := b.Publish(t.Context(), belfry.Event{Name: "e", Channels: []string{"a"}, Condition: "ask"}); err != nil || out.Skipped != "" || len(d.sent()) != 1 {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestAConditionThatFailsMakesTheEventWait(t *testing.T) {
	b := newBroadcaster(&fake{}, func(c *broadcast.Config) {
		c.Conditions = map[string]broadcast.Condition{"ask": func(context.Context, belfry.Event) (bool, error) { return false, errors.New("no answer") }}
	})
	_, err := b.Publish(t.Context(), belfry.Event{Name: "e", Channels: []string{"a"}, Condition: "ask"})
	mustCode(t, err, belfry.CodeUnavailable)
}

type occupancy struct {
	*fake
	occupied bool
}

func (o occupancy) Occupied(_ context.Context, app string, channels []string) (bool, error) {
	if app != "1" || len(channels) != 1 {
		return false, errors.New("asked wrongly")
	}
	return o.occupied, nil
}

func TestOccupiedAsksTheDriver(t *testing.T) {
	e := belfry.Event{Name: "e", Channels: []string{"a"}, Condition: "occupied"}
	for _, c := range []struct {
		d    broadcast.Driver
		skip bool
	}{{occupancy{&fake{}, true}, false}, {occupancy{&fake{}, false}, true}, {&fake{}, false}} {
		if out, err := newBroadcaster(c.d).Publish(t.Context(), e); err != nil || (out.Skipped != "") != c.skip {
			t.Errorf("%T: %+v, %v", c.d, out, err)
		}
	}
}

func TestErrorsTellWhetherToTryAgain(t *testing.T) {
	for _, c := range []struct {
		err       error
		permanent bool
		status    string
	}{
		{belfry.Errorf(belfry.CodeTooLarge, "too large"), true, "failed"},
		{belfry.Errorf(belfry.CodeForbidden, "quota"), true, "failed"},
		{belfry.Errorf(belfry.CodeUnavailable, "down"), false, "retrying"},
		{belfry.Errorf(belfry.CodeRateLimited, "slow"), false, "retrying"},
		{errors.New("unknown"), false, "retrying"},
	} {
		kept := &shelf{}
		b := newBroadcaster(&fake{answer: func([]belfry.Event) ([]belfry.Outcome, error) { return nil, c.err }}, withQueue(kept))
		job := queued(t, b, kept, event("e", "a"))
		err := b.Do(t.Context(), job)
		if !errors.Is(err, c.err) || broadcast.Permanent(err) != c.permanent {
			t.Errorf("%v gave %v, permanent %v", c.err, err, broadcast.Permanent(err))
		}
		if trace, _ := b.Find(job.ID); trace.Status() != c.status {
			t.Errorf("%v: status %s, want %s", c.err, trace.Status(), c.status)
		}
	}
}

func TestJobsThatCannotBeSentAreRefusedForGood(t *testing.T) {
	b := newBroadcaster(&fake{})
	mustCode(t, b.Do(t.Context(), belfry.Job{ID: "1", Payload: []byte("{")}), belfry.CodeInvalid)
	mustCode(t, b.Do(t.Context(), belfry.Job{ID: "1", Payload: []byte(`{"app":"9","event":"e","channels":["a"],"data":1}`)}), belfry.CodeNotFound)
}

func TestTracesAreBoundedAndExpire(t *testing.T) {
	now := newClock()
	b := newBroadcaster(&fake{}, func(c *broadcast.Config) { c.Now, c.Traces, c.TracesFor = now.Now, 3, time.Minute })
	var ids []string
	for i := range 5 {
		out, err := b.Publish(t.Context(), event(fmt.Sprint("e", i), "a"))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, out.ID)
	}
	for i, id := range ids {
		if _, ok := b.Find(id); ok != (i >= 2) {
			t.Errorf("event %d known: %v", i, ok)
		}
	}
	now.add(61 * time.Second)
	if _, ok := b.Find(ids[4]); ok {
		t.Error("known after its time")
	}
	for range 100 {
		b.Note(belfry.Event{ID: "x"}, broadcast.Step{What: broadcast.StepFailed, Error: "again"})
	}
	if trace, _ := b.Find("x"); len(trace.Steps) > 40 {
		t.Errorf("%d steps", len(trace.Steps))
	}
}

func TestSealedDataIsKnown(t *testing.T) {
	sealed := broadcast.Seal(masterKey, "private-encrypted-a", "text")
	if !broadcast.Encrypted(sealed) {
		t.Errorf("%s is not known as encrypted", sealed)
	}
	text, _ := json.Marshal(string(sealed))
	if !broadcast.Encrypted(text) {
		t.Errorf("%s is not known as encrypted", text)
	}
	for _, data := range []string{``, `{}`, `"x"`, `{"nonce":"","ciphertext":""}`, `{"nonce":"x","ciphertext":"y"}`, `[1]`, `{"n":1}`} {
		if broadcast.Encrypted(json.RawMessage(data)) {
			t.Errorf("%s counts as encrypted", data)
		}
	}
	e := belfry.Event{Name: "e", Channels: []string{"private-encrypted-a"}, Data: sealed}
	if _, err := newBroadcaster(&fake{}).Publish(t.Context(), e); err != nil {
		t.Errorf("encrypted by the publisher: %v", err)
	}
}

// How long a delivery took counts from when it could have begun.
func TestDeliveriesAreTimed(t *testing.T) {
	kept, now := &shelf{}, newClock()
	var took []time.Duration
	b := newBroadcaster(&fake{}, withQueue(kept), func(c *broadcast.Config) {
		c.Now = now.Now
		c.Sent = func(app string, d time.Duration) {
			if app != "1" {
				t.Errorf("app %q", app)
			}
			took = append(took, d)
		}
	})
	for _, delay := range []time.Duration{0, time.Hour} {
		if _, err := b.Enqueue(t.Context(), nil, event("e", "a"), broadcast.How{Delay: delay}); err != nil {
			t.Fatal(err)
		}
		jobs := kept.kept()
		now.add(delay + 3*time.Second)
		job := jobs[len(jobs)-1]
		job.RunAt = time.Time{} // as the queue does when the time has come
		if err := b.Do(t.Context(), job); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Publish(t.Context(), event("e", "a")); err != nil {
		t.Fatal(err)
	}
	if want := []time.Duration{3 * time.Second, 3 * time.Second, 0}; !slices.Equal(took, want) {
		t.Errorf("took %v, want %v", took, want)
	}
}
