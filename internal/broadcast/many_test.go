package broadcast_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/broadcast"
)

func many(n int) (events []belfry.Event) {
	for i := range n {
		events = append(events, event(fmt.Sprint(i), fmt.Sprint("c", i)))
	}
	return events
}

func TestManyEventsTakeFewCalls(t *testing.T) {
	d := &fake{}
	b := newBroadcaster(remote{d, 10})
	outcomes, errs := b.PublishMany(t.Context(), many(25))
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if calls := d.sent(); len(calls) != 3 || len(calls[0]) != 10 || len(calls[2]) != 5 || names(calls[2]) != "20 21 22 23 24" {
		t.Errorf("%d calls: %v", len(calls), calls)
	}
	for i, out := range outcomes {
		if out.ID == "" || out.Receipt == nil || out.Receipt.Written != 1 {
			t.Errorf("outcome %d: %+v", i, out)
		}
	}
	d = &fake{}
	newBroadcaster(d).PublishMany(t.Context(), many(250))
	if calls := d.sent(); len(calls) != 3 {
		t.Errorf("a driver without a bound got %d calls", len(calls))
	}
}

func TestOneOfManyFailsAlone(t *testing.T) {
	d := &fake{answer: func(events []belfry.Event) ([]belfry.Outcome, error) {
		for i, e := range events {
			if e.Name == "3" || e.Name == "5" {
				return all(events[:i]), belfry.Errorf(belfry.CodeTooLarge, "too large")
			}
		}
		return all(events), nil
	}}
	events := many(8)
	events[1].Channels = []string{"no such name!"}
	events[6].Expires = events[6].Expires.AddDate(2000, 0, 0)
	outcomes, errs := newBroadcaster(remote{d, 10}).PublishMany(t.Context(), events)
	var failed []string
	for i, err := range errs {
		if err != nil {
			failed = append(failed, fmt.Sprint(i))
		}
	}
	if got := strings.Join(failed, " "); got != "1 3 5" {
		t.Errorf("failed: %s (%v)", got, errs)
	}
	if outcomes[7].Receipt == nil || outcomes[6].Skipped == "" || outcomes[6].Receipt != nil {
		t.Errorf("outcomes %+v", outcomes)
	}
}

func TestATargetThatIsAwayFailsTheRestOfMany(t *testing.T) {
	calls := 0
	d := &fake{answer: func(events []belfry.Event) ([]belfry.Outcome, error) {
		if calls++; calls == 2 {
			return all(events[:1]), errors.New("connection reset")
		}
		return all(events), nil
	}}
	_, errs := newBroadcaster(remote{d, 3}).PublishMany(t.Context(), many(9))
	for i, err := range errs {
		if (err != nil) != (i >= 4) || err != nil && broadcast.Permanent(err) {
			t.Errorf("event %d: %v", i, err)
		}
	}
	if calls != 2 {
		t.Errorf("%d calls", calls)
	}
}
