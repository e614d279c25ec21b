package console_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/console"
	"github.com/belfryhq/belfry/internal/trace"
)

func TestErrorsOfOneCauseAreOneGroup(t *testing.T) {
	for _, same := range [][]string{
		{"dial tcp 127.0.0.1:54321: connect: connection refused", "dial tcp 10.0.0.17:1: connect: connection refused"},
		{"the target answered 500: order 17", "the target answered 503: order 18"},
		{"no user 01JC7ZK3M4 at 2026-01-02", "no user 01JC7ZK3M5 at 2025-11-30"},
	} {
		if a, b := console.Alike(same[0]), console.Alike(same[1]); a != b || strings.ContainsAny(a, "0123456789") {
			t.Errorf("%q and %q", a, b)
		}
	}
	if console.Alike("no route to host") == console.Alike("connection refused") {
		t.Error("two causes are one group")
	}
	if got := console.Alike(strings.Repeat("größe ", 200)); len(got) > 310 || !strings.HasPrefix(got, "größe größe") {
		t.Errorf("%d bytes: %.40q", len(got), got)
	}
}

func TestSamplerShowsAllThatFitsInOrder(t *testing.T) {
	s, err := console.NewSample("", 100)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for i := range 10 {
		id := fmt.Sprint(i)
		what := trace.Published
		if i%3 == 0 {
			what = trace.Failed
		}
		s.See(trace.Entry{ID: id, What: what})
		want = append(want, id)
	}
	if got, _ := s.Take(); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if _, _, _, sampled := s.Second(); sampled {
		t.Error("all was shown, and yet it says that it was sampled")
	}
}

func TestSamplerKeepsFailuresAndSaysWhatItLeavesOut(t *testing.T) {
	s, err := console.NewSample("", 100)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		s.See(trace.Entry{ID: fmt.Sprint(i), What: trace.Published})
	}
	s.See(trace.Entry{ID: "failure", What: trace.GaveUp})
	got, _ := s.Take()
	if len(got) != 10 || !slices.Contains(got, "failure") {
		t.Errorf("%v", got)
	}
	shown, seen, oneIn, sampled := s.Second()
	if shown != 10 || seen != 1001 || oneIn != 100.1 || !sampled {
		t.Errorf("shown %d, seen %d, one in %v, %v", shown, seen, oneIn, sampled)
	}
	if got, _ := s.Take(); len(got) != 0 {
		t.Errorf("shown twice: %v", got)
	}
}

func TestFilterPicksByAppKindAndText(t *testing.T) {
	entries := []trace.Entry{
		{ID: "event", What: trace.Accepted, App: "1", Event: "Order.Moved", Channels: []string{"orders"}},
		{ID: "client", What: trace.Published, App: "1", By: "socket 1.1", Channel: "room"},
		{ID: "denial", What: "denied", App: "2", Text: "the rules refuse"},
		{ID: "join", What: "subscribed", App: "2", User: "7", Channel: "orders"},
	}
	for query, want := range map[string]string{
		"":                          "event client denial join",
		"app=2":                     "denial join",
		"kinds=client_event":        "client",
		"kinds=event,%20denial":     "event denial",
		"q=ORDER":                   "event join",
		"q=refuse&app=1":            "",
		"kinds=subscription&q=room": "",
	} {
		s, err := console.NewSample(query, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			s.See(e)
		}
		if got, _ := s.Take(); strings.Join(got, " ") != want {
			t.Errorf("%q picks %v, want %s", query, got, want)
		}
	}
	if _, err := console.NewSample("kinds=all", 100); err == nil || !strings.Contains(err.Error(), "client_event") {
		t.Errorf("an unknown kind: %v", err)
	}
}

func TestPercentilesAreNear(t *testing.T) {
	if p50, p99 := console.Percentiles(nil); p50 != nil || p99 != nil {
		t.Error("there are percentiles of nothing")
	}
	var all []time.Duration
	for i := range 1000 {
		all = append(all, time.Duration(i+1)*time.Millisecond)
	}
	p50, p99 := console.Percentiles(append(all, time.Hour*100))
	if *p50 < 500 || *p50 > 600 || *p99 < 990 || *p99 > 1180 {
		t.Errorf("%v and %v", *p50, *p99)
	}
}
