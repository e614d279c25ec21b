package notify_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/httpx"
	"github.com/belfryhq/belfry/internal/notify"
	"github.com/belfryhq/belfry/internal/webpush"
	"github.com/belfryhq/belfry/internal/webpush/webpushtest"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// eachPush runs a test on both databases, with a push service on loopback.
func eachPush(t *testing.T, test func(t *testing.T, f *fixture, service *webpushtest.Service), change ...func(*notify.Config)) {
	service := webpushtest.Start(t)
	on := func(c *notify.Config) {
		c.Push = &notify.Push{Subject: "mailto:ops@example.test", Client: service.Client(), Allow: loopback}
	}
	each(t, func(t *testing.T, f *fixture) {
		service.Answer(nil)
		test(t, f, service)
	}, append([]func(*notify.Config){on}, change...)...)
}

func subscription(b *webpushtest.Browser) webpush.Subscription {
	return webpush.Subscription{Endpoint: b.Endpoint, P256DH: b.P256DH, Auth: b.Auth}
}

// browser subscribes a new browser of the user.
func (f *fixture) browser(s *webpushtest.Service, user string) *webpushtest.Browser {
	f.t.Helper()
	b := s.Subscribe()
	_, err := f.Subscribe(f.t.Context(), user, subscription(b), "Browser of "+user)
	must(f.t, err)
	return b
}

// browsers counts those that a user has.
func (f *fixture) browsers(user string) int {
	f.t.Helper()
	all, err := f.Subscriptions(f.t.Context(), user)
	must(f.t, err)
	return len(all)
}

// pushed is a payload as a service worker reads it.
type pushed struct {
	ID, Title, Message string
	URL                *string `json:"action_url"`
	Icon               *string
	Unread             int `json:"unread_count"`
}

func payloads(t testing.TB, b *webpushtest.Browser) (all []pushed) {
	t.Helper()
	for _, m := range b.Messages() {
		var p pushed
		must(t, json.Unmarshal([]byte(m.Payload), &p))
		all = append(all, p)
	}
	return all
}

func TestClosedBrowsersAreReached(t *testing.T) {
	eachPush(t, func(t *testing.T, f *fixture, service *webpushtest.Service) {
		phone, laptop, other, outside := f.browser(service, "2"), f.browser(service, "2"), f.browser(service, "3"), f.browser(service, "5")
		f.sent("before", to("3"))
		d := draft("<b>Hi</b> & bye", to("2", "3", "4"))
		d.Send, d.Priority, d.ActionURL, d.Expires = true, ptr("high"), ptr("/orders/7"), ptr(f.clock.Now().Add(time.Hour))
		id := f.create(d).ID
		f.work()
		for _, b := range []*webpushtest.Browser{phone, laptop} {
			got := payloads(t, b)
			if len(got) != 1 || got[0].ID != id || got[0].Title != "<b>Hi</b> & bye" || got[0].Message != "Message of <b>Hi</b> & bye" || *got[0].URL != "/orders/7" || got[0].Unread != 1 {
				t.Fatalf("payloads %+v", got)
			}
			m := b.Messages()[0]
			key, err := f.PushKey(t.Context())
			must(t, err)
			if m.Topic != id || m.Urgency != "high" || m.TTL < 3590 || m.TTL > 3600 || m.Subject != "mailto:ops@example.test" || m.Key != key {
				t.Errorf("message %+v", m)
			}
		}
		got := payloads(t, other)
		if len(got) != 2 || got[1].Unread != 2 || got[0].URL != nil {
			t.Errorf("the other's payloads %+v", got)
		}
		if m := other.Messages()[0]; m.Urgency != "normal" || m.TTL != 7*24*3600 {
			t.Errorf("message %+v", m)
		}
		if len(outside.Messages()) != 0 {
			t.Error("a user outside of the target was reached")
		}
		if got := f.PushStats(); got != (notify.PushStats{Sent: 4}) {
			t.Errorf("stats %+v", got)
		}
	})
}

func TestWhatNeedsNoTellingIsNotPushed(t *testing.T) {
	eachPush(t, func(t *testing.T, f *fixture, service *webpushtest.Service) {
		b := f.browser(service, "2")
		f.browser(service, "3")
		start := func(title string, expires time.Duration) (id string, push belfry.Job) {
			d := draft(title, everybody)
			d.Send, d.Expires = true, ptr(f.clock.Now().Add(expires))
			id = f.create(d).ID
			var rest []belfry.Job
			for {
				job, ok := f.jobs.take("")
				switch {
				case !ok:
					if len(rest) != 1 {
						t.Errorf("%s: %d jobs push to two users of one slice", title, len(rest))
					}
					return id, rest[0]
				case job.Kind == notify.JobPush:
					if !job.RunAt.After(f.clock.Now()) || strings.Contains(string(job.Payload), "https") {
						t.Errorf("job %+v", job)
					}
					rest = append(rest, job)
				default:
					must(t, f.Do(t.Context(), job))
				}
			}
		}
		for _, mark := range []string{notify.MarkRead, notify.MarkDismiss, notify.MarkArchive} {
			id, push := start(mark, time.Hour)
			f.mark("2", id, mark)
			f.mark("3", id, notify.MarkRead)
			must(t, f.Do(t.Context(), push))
		}
		_, push := start("expired", time.Minute)
		f.clock.pass(2 * time.Minute)
		must(t, f.Do(t.Context(), push))
		id, push := start("cancelled", time.Hour)
		_, err := f.Cancel(t.Context(), id, 0)
		must(t, err)
		must(t, f.Do(t.Context(), push))
		_, push = start("disabled", time.Hour)
		f.people.n = 1
		must(t, f.Do(t.Context(), push))
		if got := payloads(t, b); len(got) > 0 {
			t.Errorf("pushed %+v", got)
		}
		f.people.n = 10
		must(t, f.Do(t.Context(), push)) // as a try that was cut off is done again
		if got := payloads(t, b); len(got) != 1 || got[0].Title != "disabled" {
			t.Errorf("pushed %+v", got)
		}
		f.work()
		f.sent("to nobody with a browser", to("7", "8"))
		if job, ok := f.jobs.take(""); ok {
			t.Errorf("job %+v", job)
		}
	}, func(c *notify.Config) { c.Slice = 5 })
}

func TestADeadSubscriptionIsRemoved(t *testing.T) {
	for _, status := range []int{404, 410} {
		eachPush(t, func(t *testing.T, f *fixture, service *webpushtest.Service) {
			dead, alive := f.browser(service, "2"), f.browser(service, "2")
			service.Answer(func(b *webpushtest.Browser) (int, string) {
				if b == dead {
					return status, ""
				}
				return 0, ""
			})
			f.sent("first", to("2"))
			if n := f.browsers("2"); n != 1 {
				t.Errorf("%d subscriptions are left", n)
			}
			f.sent("second", to("2"))
			if dead.Asked() != 1 || len(alive.Messages()) != 2 {
				t.Errorf("asked %d times, %d messages", dead.Asked(), len(alive.Messages()))
			}
			if got := f.PushStats(); got != (notify.PushStats{Sent: 2, Gone: 1}) {
				t.Errorf("stats %+v", got)
			}
		})
	}
}

func TestOnlyWhatFailedIsTriedAgain(t *testing.T) {
	eachPush(t, func(t *testing.T, f *fixture, service *webpushtest.Service) {
		slow, down, fine := f.browser(service, "2"), f.browser(service, "3"), f.browser(service, "4")
		service.Answer(func(b *webpushtest.Browser) (int, string) {
			switch b {
			case slow:
				return 429, "500"
			case down:
				return 503, ""
			}
			return 0, ""
		})
		d := draft("n", to("2", "3", "4"))
		d.Send = true
		f.create(d)
		for range 3 { // send, publish, push
			job, _ := f.jobs.take("")
			must(t, f.Do(t.Context(), job))
		}
		var pauses []time.Duration
		var again []belfry.Job
		for job, ok := f.jobs.take(""); ok; job, ok = f.jobs.take("") {
			again = append(again, job)
			pauses = append(pauses, job.RunAt.Sub(f.clock.Now()))
		}
		if slices.Sort(pauses); !slices.Equal(pauses, []time.Duration{30 * time.Second, 10 * time.Minute}) {
			t.Errorf("tried again after %v", pauses)
		}
		service.Answer(nil)
		for _, job := range again {
			must(t, f.Do(t.Context(), job))
		}
		for _, b := range []*webpushtest.Browser{slow, down, fine} {
			if len(b.Messages()) != 1 {
				t.Errorf("%d messages", len(b.Messages()))
			}
		}
		if got := f.PushStats(); got != (notify.PushStats{Sent: 3, Retried: 2}) || fine.Asked() != 1 {
			t.Errorf("stats %+v, asked %d", got, fine.Asked())
		}
	})
}

func TestFailuresAreCountedAndEnd(t *testing.T) {
	eachPush(t, func(t *testing.T, f *fixture, service *webpushtest.Service) {
		refused, away := f.browser(service, "2"), f.browser(service, "3")
		service.Answer(func(b *webpushtest.Browser) (int, string) {
			if b == refused {
				return 403, ""
			}
			return 500, ""
		})
		for i := range 6 {
			f.sent(fmt.Sprint("n", i), to("2", "3"))
		}
		if f.browsers("2") != 0 || refused.Asked() != 5 {
			t.Errorf("refused: %d are left, asked %d times", f.browsers("2"), refused.Asked())
		}
		if f.browsers("3") != 1 || away.Asked() != 6*7 {
			t.Errorf("an outage: %d are left, asked %d times", f.browsers("3"), away.Asked())
		}
		if got := f.PushStats(); got != (notify.PushStats{Failed: 11, Retried: 36}) {
			t.Errorf("stats %+v", got)
		}
		f.clock.pass(8 * 24 * time.Hour)
		for i := range 14 {
			f.sent(fmt.Sprint("m", i), to("3"))
		}
		if f.browsers("3") != 0 {
			t.Error("a service that is away for good is kept")
		}
		kept := f.browser(service, "2")
		service.Answer(func(*webpushtest.Browser) (int, string) { return 400, "" })
		for i := range 4 {
			f.sent(fmt.Sprint("k", i), to("2"))
		}
		service.Answer(nil)
		f.sent("between", to("2"))
		service.Answer(func(*webpushtest.Browser) (int, string) { return 400, "" })
		for i := range 4 {
			f.sent(fmt.Sprint("l", i), to("2"))
		}
		if f.browsers("2") != 1 || len(kept.Messages()) != 1 {
			t.Error("a message that was taken does not clear the failures")
		}
	})
}

func TestAnExpiringMessageIsNotTriedAfterItsTime(t *testing.T) {
	eachPush(t, func(t *testing.T, f *fixture, service *webpushtest.Service) {
		b := f.browser(service, "2")
		service.Answer(func(*webpushtest.Browser) (int, string) { return 503, "100000" })
		d := draft("n", to("2"))
		d.Send, d.Expires = true, ptr(f.clock.Now().Add(time.Hour))
		f.create(d)
		f.work()
		if got := f.PushStats(); got != (notify.PushStats{Failed: 1}) || b.Asked() != 1 {
			t.Errorf("stats %+v, asked %d", got, b.Asked())
		}
	})
}

func TestManyBrowsersInTurnsAndBounded(t *testing.T) {
	eachPush(t, func(t *testing.T, f *fixture, service *webpushtest.Service) {
		var all []*webpushtest.Browser
		for i := range 150 {
			all = append(all, f.browser(service, fmt.Sprint(1+i%10)))
		}
		f.sent("n", everybody)
		for i, b := range all {
			if len(b.Messages()) != 1 {
				t.Errorf("browser %d has %d messages", i, len(b.Messages()))
			}
		}
		if most := service.Most(); most > 4 {
			t.Errorf("%d requests at once", most)
		}
	}, func(c *notify.Config) { c.Turn, c.Slice, c.Push.AtOnce = -1, 10, 4 })
}

// One that does not answer does not hold up the job for as many time-outs as it
// has browsers.
func TestAServiceThatIsDownIsLeftAlone(t *testing.T) {
	eachPush(t, func(t *testing.T, f *fixture, service *webpushtest.Service) {
		var all []*webpushtest.Browser
		for range 15 {
			all = append(all, f.browser(service, "2"))
		}
		service.Answer(func(*webpushtest.Browser) (int, string) { return 503, "" })
		d := draft("n", to("2"))
		d.Send = true
		f.create(d)
		for range 3 {
			job, _ := f.jobs.take("")
			must(t, f.Do(t.Context(), job))
		}
		asked := 0
		for _, b := range all {
			asked += b.Asked()
		}
		if asked != 5 {
			t.Errorf("asked %d times", asked)
		}
		service.Answer(nil)
		f.work()
		for i, b := range all {
			if len(b.Messages()) != 1 {
				t.Errorf("browser %d has %d messages", i, len(b.Messages()))
			}
		}
	}, func(c *notify.Config) { c.Push.AtOnce = 1 })
}

func TestPayloadsAreShort(t *testing.T) {
	eachPush(t, func(t *testing.T, f *fixture, service *webpushtest.Service) {
		b := f.browser(service, "2")
		for _, c := range []struct{ title, message, url string }{
			{"a", strings.Repeat("ü", 10_000), "/x"},
			{strings.Repeat("𝄞", 255), strings.Repeat("\"", 10_000), "https://example.test/" + strings.Repeat("x", 1000)},
			{strings.Repeat("x\u2028", 127) + "x", strings.Repeat("\n", 9_999) + "x", "https://example.test/" + strings.Repeat("y", 2000)},
		} {
			d := draft(c.title, to("2"))
			d.Send, d.Message, d.ActionURL = true, &c.message, &c.url
			f.create(d)
			f.work()
			all := payloads(t, b)
			got := all[len(all)-1]
			text := b.Messages()[len(all)-1].Payload
			if len(text) > 3000 || got.Title != c.title || !strings.HasSuffix(cmp.Or(got.Message, "…"), "…") {
				t.Errorf("%d bytes: %+v", len(text), got)
			}
			if len(c.url) < 2000 && (got.URL == nil || *got.URL != c.url) {
				t.Errorf("url %v", got.URL)
			}
		}
		if len(b.Messages()) != 3 {
			t.Errorf("%d messages", len(b.Messages()))
		}
	})
}

func TestSubscriptionsAreJudgedAndBounded(t *testing.T) {
	eachPush(t, func(t *testing.T, f *fixture, service *webpushtest.Service) {
		ctx := t.Context()
		_, err := f.Subscribe(ctx, "2", webpush.Subscription{Endpoint: "http://push.example.test/"}, "")
		wantFields(t, err, "endpoint", "keys.auth", "keys.p256dh")
		b := subscription(service.Subscribe())
		for _, private := range []string{"10.0.0.1", "[::1]", "192.168.1.1:8443", "169.254.169.254", "[::ffff:10.0.0.1]", "0.0.0.0"} {
			s := b
			s.Endpoint = "https://" + private + "/push"
			_, err := f.Subscribe(ctx, "2", s, "")
			wantFields(t, err, "endpoint")
		}
		if f.browsers("2") != 0 {
			t.Error("one of them was kept")
		}
		first := f.browser(service, "2")
		for i := range 20 {
			f.clock.pass(time.Second)
			f.browser(service, "2")
			if i == 10 { // it is still there
				_, err := f.Subscribe(ctx, "2", subscription(first), "later")
				must(t, err)
			}
		}
		all, err := f.Subscriptions(ctx, "2")
		must(t, err)
		if len(all) != 20 || all[0].UserAgent != "later" || !strings.HasPrefix(all[0].Service, "127.0.0.1:") || !all[0].Used.IsZero() {
			t.Errorf("%d: %+v", len(all), all)
		}
		// Another person at the same browser takes it over; who knows the address
		// alone does not.
		thief := subscription(service.Subscribe())
		thief.Endpoint = first.Endpoint
		_, err = f.Subscribe(ctx, "3", thief, "")
		wantCode(t, err, belfry.CodeConflict)
		if n, err := f.Subscribe(ctx, "3", subscription(first), ""); err != nil || n != 1 || f.browsers("2") != 19 {
			t.Errorf("%d, %v; %d", n, err, f.browsers("2"))
		}
		must(t, f.Unsubscribe(ctx, "2", first.Endpoint))
		if f.browsers("3") != 1 {
			t.Error("another's was forgotten")
		}
		must(t, f.Unsubscribe(ctx, "3", first.Endpoint))
		must(t, f.Unsubscribe(ctx, "3", "nonsense"))
		if f.browsers("3") != 0 {
			t.Error("it was not forgotten")
		}
		must(t, f.Forget(ctx, "2"))
		if f.browsers("2") != 0 {
			t.Error("a removed user has browsers")
		}
		if f.unread("2") != 0 {
			t.Error("a count is left")
		}
	})
}

// A name may lead to a private address: the client sees that when it dials.
func TestPrivateAddressesAreNotDialled(t *testing.T) {
	client := httpx.NewClient(httpx.Config{})
	defer client.CloseIdleConnections()
	eachPush(t, func(t *testing.T, f *fixture, service *webpushtest.Service) {
		b := service.Subscribe()
		s := subscription(b)
		s.Endpoint = strings.Replace(s.Endpoint, "127.0.0.1", "localhost", 1)
		_, err := f.Subscribe(t.Context(), "2", s, "")
		must(t, err)
		f.sent("n", to("2"))
		if got := f.PushStats(); got != (notify.PushStats{Failed: 1}) || b.Asked() != 0 {
			t.Errorf("stats %+v, asked %d", got, b.Asked())
		}
	}, func(c *notify.Config) { c.Push = &notify.Push{Subject: "https://example.test", Client: client} })
}

func TestAllServersHaveOneKey(t *testing.T) {
	eachPush(t, func(t *testing.T, f *fixture, _ *webpushtest.Service) {
		must(t, f.Prepare(t.Context()))
		first, err := f.PushKey(t.Context())
		must(t, err)
		second, err := f.another().PushKey(t.Context())
		must(t, err)
		if first != second || len(first) != 87 {
			t.Errorf("keys %q and %q", first, second)
		}
	})
	f := newFixture(t, "")
	must(t, f.Prepare(t.Context()))
	_, err := f.PushKey(t.Context())
	wantCode(t, err, belfry.CodeNotFound)
	_, err = f.Subscribe(t.Context(), "2", webpush.Subscription{}, "")
	wantCode(t, err, belfry.CodeNotFound)
}
