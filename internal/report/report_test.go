package report_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/report"
)

// clock is the time of a test.
type clock struct{ now time.Time }

func (c *clock) pass(d time.Duration) { c.now = c.now.Add(d) }

func open(cfg report.Config) (*report.Pages, *clock) {
	c := &clock{time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)}
	cfg.Now = func() time.Time { return c.now }
	return report.New(cfg), c
}

func take(t testing.TB, p *report.Pages, body string) {
	t.Helper()
	r, err := report.Read([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	p.Take(r)
}

func TestReportsOfTheWrongShapeAreRefused(t *testing.T) {
	for body, code := range map[string]belfry.Code{
		"":                                     belfry.CodeInvalid,
		"null":                                 belfry.CodeInvalid,
		`{"socket_id":"no"}`:                   belfry.CodeInvalid,
		`{"socket_id":1}`:                      belfry.CodeInvalid,
		`{"socket_id":"1.2","handlers":["a"]}`: belfry.CodeInvalid,
		`{"socket_id":"1.2"} {}`:               belfry.CodeInvalid,
		strings.Repeat(" ", 4097):              belfry.CodeTooLarge,
	} {
		_, err := report.Read([]byte(body))
		if e, ok := errors.AsType[*belfry.Error](err); !ok || e.Code != code || e.Hint == "" {
			t.Errorf("%.40q: %v", body, err)
		}
	}
	if _, err := report.Read([]byte(`{"socket_id":"1.2"}` + strings.Repeat(" ", 4096-19))); err != nil {
		t.Error(err)
	}
}

func TestTextOfOthersIsFitToBeShown(t *testing.T) {
	long := strings.Repeat("ü", 300)
	r, err := report.Read([]byte(`{"socket_id":"1.2","handlers":{"a\u001b[2J":["b\u202e\u0000c","` + long + `","b\u202e\u0000c"]},
		"errors":[{"channel":"a","event":"b","error":"one\ntwo\u009b31m"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	names := r.Handlers["a\uFFFD[2J"]
	if want := []string{"b\uFFFD\uFFFDc", strings.Repeat("ü", 200) + "…"}; !slices.Equal(names, want) {
		t.Errorf("names %q", r.Handlers)
	}
	if r.Failures[0].Error != "one two\uFFFD31m" {
		t.Errorf("failures %q", r.Failures)
	}
}

func TestWhatAPageHadBoundWhenAnEventCame(t *testing.T) {
	p, c := open(report.Config{})
	if _, known := p.Page("1.2", "orders", c.now); known {
		t.Error("known before any report")
	}
	start := c.now
	take(t, p, `{"socket_id":"1.2","handlers":{"orders":["order.paid"],"news":["posted","*"],"":["everywhere"]}}`)
	if one, known := p.Page("1.2", "orders", start); !known || !slices.Equal(one.Names, []string{"everywhere", "order.paid"}) ||
		one.Every || !one.Has("order.paid") || one.Has("posted") || one.Elsewhere["posted"] != "news" || len(one.Elsewhere) != 1 {
		t.Errorf("orders: %+v %v", one, known)
	}
	if one, _ := p.Page("1.2", "news", start); !one.Has("anything") || !one.Every {
		t.Errorf("news: %+v", one)
	}
	if one, known := p.Page("1.2", "other", start); !known || one.Has("order.paid") || !one.Has("everywhere") {
		t.Errorf("other: %+v", one)
	}

	c.pass(time.Minute) // the handlers change
	take(t, p, `{"socket_id":"1.2","handlers":{"orders":["order.sent"]}}`)
	for _, want := range []struct {
		at         time.Duration
		paid, sent bool
	}{
		{-time.Hour, true, false}, // the first report is what is known of before
		{0, true, false},
		{45 * time.Second, true, false},
		{55 * time.Second, true, true}, // it may have been bound by then
		{time.Minute, false, true},
		{time.Hour, false, true},
	} {
		one, known := p.Page("1.2", "orders", start.Add(want.at))
		if !known || one.Has("order.paid") != want.paid || one.Has("order.sent") != want.sent {
			t.Errorf("at %v: %+v", want.at, one)
		}
	}
	for i := range 20 { // of many reports the last ones are kept
		c.pass(time.Minute)
		take(t, p, fmt.Sprintf(`{"socket_id":"1.2","handlers":{"orders":["e%d"]}}`, i))
	}
	if one, _ := p.Page("1.2", "orders", start); !slices.Equal(one.Names, []string{"e16"}) {
		t.Errorf("names %q", one.Names)
	}
}

func TestAReportThatLacksChannelsSaysNothingOfThem(t *testing.T) {
	p, c := open(report.Config{})
	take(t, p, `{"socket_id":"1.2","handlers":{"orders":[]},"more":true}`)
	if one, known := p.Page("1.2", "orders", c.now); !known || one.Has("order.paid") {
		t.Errorf("%+v %v", one, known)
	}
	if _, known := p.Page("1.2", "news", c.now); known {
		t.Error("known, though it was left out")
	}
}

func TestFailuresBelongToAnEventForAMinute(t *testing.T) {
	p, c := open(report.Config{})
	event := c.now
	c.pass(time.Second)
	take(t, p, `{"socket_id":"1.2","errors":[{"channel":"orders","event":"order.paid","error":"TypeError: x"},{"channel":"news","event":"posted","error":"no"}]}`)
	want := []report.Failure{{Channel: "orders", Event: "order.paid", Error: "TypeError: x"}}
	if one, _ := p.Page("1.2", "orders", event); !slices.Equal(one.Failures, want) {
		t.Errorf("failures %+v", one.Failures)
	}
	for _, at := range []time.Duration{2 * time.Second, -time.Minute} {
		if one, _ := p.Page("1.2", "orders", event.Add(at)); len(one.Failures) > 0 {
			t.Errorf("at %v: %+v", at, one.Failures)
		}
	}
}

func TestReportsAreKeptAnHourAfterTheConnection(t *testing.T) {
	p, c := open(report.Config{})
	p.Gone("9.9") // of one that did not report
	take(t, p, `{"socket_id":"1.1"}`)
	take(t, p, `{"socket_id":"2.2"}`)
	c.pass(2 * time.Hour)
	p.Gone("2.2")
	c.pass(59 * time.Minute)
	take(t, p, `{"socket_id":"3.3"}`)
	if _, known := p.Page("2.2", "orders", c.now); !known {
		t.Error("gone within the hour")
	}
	c.pass(time.Minute)
	take(t, p, `{"socket_id":"3.3"}`)
	if _, known := p.Page("2.2", "orders", c.now); known {
		t.Error("kept after the hour")
	}
	if _, known := p.Page("1.1", "orders", c.now); !known { // it is open
		t.Error("an open page's report is gone")
	}
}

func TestReportsTakeABoundedMemory(t *testing.T) {
	p, c := open(report.Config{Bytes: 100_000})
	for i := range 5000 {
		c.pass(time.Millisecond)
		take(t, p, fmt.Sprintf(`{"socket_id":"1.%d","handlers":{"orders":["order.%d"]},"errors":[{"error":"x"}]}`, i+1, i))
		if _, bytes := p.Len(); bytes > 100_000 {
			t.Fatalf("%d bytes", bytes)
		}
	}
	if pages, _ := p.Len(); pages < 50 {
		t.Errorf("%d pages are left", pages)
	}
	if _, known := p.Page("1.5000", "orders", c.now); !known {
		t.Error("the last one went")
	}
	if _, known := p.Page("1.1", "orders", c.now); known {
		t.Error("the first one stayed")
	}
}

func TestPagesConcurrently(t *testing.T) {
	p := report.New(report.Config{Bytes: 20_000})
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for n := range 200 {
				socket := fmt.Sprintf("%d.%d", i+1, n+1)
				r, _ := report.Read([]byte(`{"socket_id":"` + socket + `","handlers":{"a":["b"]}}`))
				p.Take(r)
				p.Page(socket, "a", time.Now())
				p.Gone(socket)
			}
		})
	}
	all.Wait()
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"socket_id":"1.2","handlers":{"orders":["order.paid"]},"errors":[{"channel":"a","event":"b","error":"c"}],"more":true}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := report.Read(body)
		if err != nil {
			return
		}
		p := report.New(report.Config{})
		p.Take(r)
		fit := func(text string) {
			if n := len([]rune(text)); n > 201 || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) && r != unicode.ReplacementChar }) {
				t.Errorf("%q", text)
			}
		}
		for channel, names := range r.Handlers {
			fit(channel)
			for _, name := range names {
				fit(name)
			}
		}
		for _, f := range r.Failures {
			fit(f.Error)
		}
	})
}

func TestAllThatAPageSaidIsToldToPeople(t *testing.T) {
	p, c := open(report.Config{})
	if _, ok := p.Said("1.2"); ok {
		t.Error("a page that said nothing")
	}
	if _, ok := (*report.Pages)(nil).Said("1.2"); ok {
		t.Error("nobody reports to none")
	}
	take(t, p, `{"socket_id":"1.2","handlers":{"orders":["order.paid"]}}`)
	c.pass(time.Minute)
	since := c.now
	take(t, p, `{"socket_id":"1.2","handlers":{"orders":["order.paid","order.sent"],"":["*"]},"more":true}`)
	for i := range 12 {
		c.pass(time.Second)
		take(t, p, fmt.Sprintf(`{"socket_id":"1.2","handlers":{"orders":["order.paid","order.sent"],"":["*"]},"more":true,
			"errors":[{"channel":"orders","event":"order.paid","error":"fault %d"}]}`, i))
	}
	all, ok := p.Said("1.2")
	if !ok || !all.Since.Equal(since) || !all.Last.Equal(c.now) || !all.More || all.Failed != 12 || len(all.Failures) != 10 {
		t.Fatalf("%+v, %v", all, ok)
	}
	if !slices.Equal(all.Handlers["orders"], []string{"order.paid", "order.sent"}) || !slices.Equal(all.Handlers[""], []string{"*"}) {
		t.Errorf("%+v", all.Handlers)
	}
	if first, last := all.Failures[0], all.Failures[9]; first.Error != "fault 2" || last.Error != "fault 11" || !last.At.Equal(c.now) || !first.At.Equal(c.now.Add(-9*time.Second)) {
		t.Errorf("%+v", all.Failures)
	}
	if _, ok := p.Said("1.3"); ok {
		t.Error("another connection's page")
	}
}
