package dashboard_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/dashboard"
	"github.com/belfryhq/belfry/internal/store"
)

// counter is a database whose one figure is a number that tests set.
type counter struct {
	mu    sync.Mutex // guards all below
	value int64
	reads int
	took  time.Duration
	err   error
}

func (c *counter) Dialect() store.Dialect      { return store.SQLite }
func (c *counter) String() string              { return "counter" }
func (c *counter) Close() error                { return nil }
func (c *counter) Check(context.Context) error { return nil }

func (c *counter) Read(ctx context.Context, q store.Question) (store.Table, error) {
	c.mu.Lock()
	c.reads++
	value, took, err := c.value, c.took, c.err
	c.mu.Unlock()
	if strings.Contains(q.SQL, "fails") && err == nil {
		err = errors.New("no such table: missing")
	}
	if took > 0 {
		select {
		case <-time.After(took):
		case <-ctx.Done():
			return store.Table{}, ctx.Err()
		}
	}
	return store.Table{Columns: []store.Column{{Name: "n"}}, Rows: [][]any{{value}}}, err
}

func (c *counter) set(change func(c *counter)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(c)
}

func (c *counter) add() { c.set(func(c *counter) { c.value++ }) }

func counting(name string) dashboard.Spec {
	return dashboard.Spec{Name: name, Database: "sqlite:///none", Figures: []dashboard.FigureSpec{{Name: "n", Kind: "number", SQL: "SELECT n"}}}
}

// inBubble runs a test with an engine over a counter, in time of its own.
func inBubble(t *testing.T, specs []dashboard.Spec, test func(t *testing.T, e *engine, c *counter, stop func()), change ...func(*dashboard.Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := &counter{}
		e := newEngine(t, specs, append(change, func(cfg *dashboard.Config) {
			cfg.Open, cfg.Now = func(string) (dashboard.Source, error) { return c, nil }, time.Now
		})...)
		stop := e.run(t)
		synctest.Wait()
		test(t, e, c, stop)
	})
}

// times gives when events came, in milliseconds since a moment.
func (p *pages) times(since time.Time) string {
	var all []string
	for _, e := range p.all() {
		all = append(all, fmt.Sprintf("%d:%s", e.At.Sub(since).Milliseconds(), e.stat("n")))
	}
	return strings.Join(all, " ")
}

func TestTheFirstChangeShowsAtOnceAndTheLastAlways(t *testing.T) {
	inBubble(t, []dashboard.Spec{counting("default")}, func(t *testing.T, e *engine, c *counter, stop func()) {
		began := time.Now()
		for range 10 { // in 200 ms
			c.add()
			must(t, e.Changed("", "", "checkin created"))
			time.Sleep(20 * time.Millisecond)
		}
		time.Sleep(5 * time.Second)
		if got := e.times(began); got != "0:1 500:10" {
			t.Errorf("broadcasts at %s", got)
		}
		for _, one := range e.all() {
			if one.Channel != "private-dashboard" || one.Event != "DashboardUpdated" || one.Type != "stats_update" || one.Dashboard != "default" ||
				one.Reason != "checkin created" || one.Range != "this_week" || one.ID != one.Update.ID || len(one.ID) < 10 ||
				one.stat("range") != `"this_week"` || one.stat("timestamp") != strconv.Quote(one.Timestamp.Format("2006-01-02T15:04:05.999Z07:00")) {
				t.Errorf("%+v", one)
			}
		}
		if s := e.Stats()[0]; s.Changes != 10 || s.Broadcasts != 2 || s.Computations != 2 {
			t.Errorf("%+v", s)
		}
	})
}

func TestThereAreTwoBroadcastsASecondAtMost(t *testing.T) {
	for _, took := range []time.Duration{0, 30 * time.Millisecond, 400 * time.Millisecond, 700 * time.Millisecond} {
		inBubble(t, []dashboard.Spec{counting("default"), counting("other")}, func(t *testing.T, e *engine, c *counter, stop func()) {
			c.set(func(c *counter) { c.took = took })
			for range 500 { // 50 a second
				c.add()
				must(t, e.Changed("", "", ""))
				must(t, e.Changed("other", "today", ""))
				time.Sleep(20 * time.Millisecond)
			}
			time.Sleep(5 * time.Second)
			last := map[string]told{}
			n := 0
			for _, one := range e.all() {
				if before, ok := last[one.Channel]; ok && one.At.Sub(before.At) < 500*time.Millisecond {
					t.Errorf("%s after the last on %s", one.At.Sub(before.At), one.Channel)
				}
				last[one.Channel] = one
				n++
			}
			for channel, one := range last {
				if one.stat("n") != "500" {
					t.Errorf("the last on %s says %s", channel, one.stat("n"))
				}
			}
			if want := int(2 * 10 * time.Second / max(500*time.Millisecond, 500*time.Millisecond+took)); n < want-2 || n > 2*22 {
				t.Errorf("%s: %d broadcasts, want about %d", took, n, want)
			}
			if last["private-dashboard.other"].Range != "today" {
				t.Errorf("%+v", last)
			}
		})
	}
}

func TestAllWhoAskShareOneComputationUntilTheNextChange(t *testing.T) {
	inBubble(t, []dashboard.Spec{counting("default")}, func(t *testing.T, e *engine, c *counter, stop func()) {
		c.set(func(c *counter) { c.took = 100 * time.Millisecond })
		ask := func(n int, rangeName string) {
			var all sync.WaitGroup
			for range n {
				all.Go(func() {
					if _, err := e.Current(t.Context(), "", rangeName); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
		}
		reads := func() int { c.mu.Lock(); defer c.mu.Unlock(); return c.reads }
		ask(50, "")
		ask(50, "this_week")
		if reads() != 1 {
			t.Errorf("%d reads for one range", reads())
		}
		ask(50, "today")
		if reads() != 2 {
			t.Errorf("%d reads for two", reads())
		}
		before := e.current(t, "", "")
		must(t, e.Changed("", "", "now"))
		time.Sleep(time.Second)
		after := e.current(t, "", "")
		if reads() != 3 || after.ID == before.ID || after.ID != e.expect(t, 1).ID || after.Reason != "now" {
			t.Errorf("%d reads after a change, %+v", reads(), after)
		}
		time.Sleep(31 * time.Second) // sources change by themselves
		if ask(10, ""); reads() != 4 {
			t.Errorf("%d reads after refresh", reads())
		}
		short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if _, err := e.Current(short, "", "last_month"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("an asker waits longer than they want: %v", err)
		}
		time.Sleep(time.Second) // the computation goes on for others
	})
}

func TestOpenDashboardsAreToldOfANewDay(t *testing.T) {
	spec := counting("default")
	spec.Timezone = "Asia/Kathmandu"
	inBubble(t, []dashboard.Spec{spec}, func(t *testing.T, e *engine, c *counter, stop func()) {
		first := e.current(t, "", "today")
		time.Sleep(48 * time.Hour) // from midnight in UTC
		all := e.all()
		if len(all) != 2 || all[0].Reason != "range" || !all[0].At.Equal(first.End) || all[1].At.Sub(all[0].At) != 24*time.Hour {
			t.Errorf("%+v", all)
		}
		if next := e.current(t, "", "yesterday"); !next.Start.Equal(first.End) {
			t.Errorf("yesterday is %s", next.Start)
		}
	})
}

func TestWhatWaitsGoesOutAtTheEnd(t *testing.T) {
	inBubble(t, []dashboard.Spec{counting("default")}, func(t *testing.T, e *engine, c *counter, stop func()) {
		began := time.Now()
		for range 2 {
			c.add()
			must(t, e.Changed("", "", ""))
			synctest.Wait()
		}
		must(t, e.Flush(t.Context()))
		c.add()
		must(t, e.Changed("", "", ""))
		stop()
		if got := e.times(began); got != "0:1 500:2 1000:3" {
			t.Errorf("broadcasts at %s", got)
		}
		_, err := e.Current(t.Context(), "", "")
		wantCode(t, err, belfry.CodeNotFound)
		if e.Changed("", "", "") == nil {
			t.Error("a change after the end is taken")
		}
	})
}

func TestABroadcastThatFailsIsTriedAgain(t *testing.T) {
	inBubble(t, []dashboard.Spec{counting("default")}, func(t *testing.T, e *engine, c *counter, stop func()) {
		e.fail(errors.New("the broadcaster is away"))
		c.add()
		must(t, e.Changed("", "", "first"))
		time.Sleep(10 * time.Second)
		c.add()
		e.fail(nil)
		time.Sleep(40 * time.Second)
		if all := e.all(); len(all) != 1 || all[0].stat("n") != "2" || all[0].Reason != "first" {
			t.Errorf("%+v", all)
		}
		if s := e.Stats()[0]; s.Unsent == 0 || s.Broadcasts != 1 {
			t.Errorf("%+v", s)
		}
	})
}

func TestAFigureThatFailsKeepsItsLastValue(t *testing.T) {
	spec := counting("default")
	spec.Figures = append(spec.Figures, dashboard.FigureSpec{Name: "broken", Kind: "number", SQL: "SELECT fails"})
	inBubble(t, []dashboard.Spec{spec}, func(t *testing.T, e *engine, c *counter, stop func()) {
		c.add()
		v := e.current(t, "", "")
		good := v.Timestamp
		if m := v.Meta["broken"]; !m.Stale || m.AsOf != nil || statOf(v.Stats, "broken") != "null" || statOf(v.Stats, "n") != "1" || len(v.Meta) != 1 {
			t.Errorf("%s %+v", v.Stats, v.Meta)
		}
		time.Sleep(time.Minute)
		c.add()
		c.set(func(c *counter) { c.err = &belfry.Error{Code: belfry.CodeUnavailable, Message: "away"} })
		must(t, e.Changed("", "", "while it is away"))
		time.Sleep(time.Second)
		if len(e.all()) != 0 {
			t.Errorf("broadcast although nothing could be computed: %+v", e.all())
		}
		v = e.current(t, "", "")
		if m := v.Meta["n"]; statOf(v.Stats, "n") != "1" || !m.Stale || m.AsOf == nil || !m.AsOf.Equal(good) {
			t.Errorf("%s %+v, want 1 of %s", v.Stats, v.Meta, good)
		}
		time.Sleep(10 * time.Second)
		c.set(func(c *counter) { c.err = nil })
		time.Sleep(time.Minute)
		if all := e.all(); len(all) != 1 || all[0].stat("n") != "2" || all[0].Reason != "while it is away" || all[0].Meta["broken"].AsOf != nil || len(all[0].Meta) != 1 {
			t.Errorf("after it healed: %+v", all)
		}
		note, err := e.Check(t.Context())
		if err != nil || !strings.Contains(note, "default: broken") {
			t.Errorf("%q %v", note, err)
		}
		for _, f := range e.Stats()[0].Figures {
			if want := map[string]string{"n": "", "broken": dashboard.FailedSQL}[f.Figure]; f.Failing != want {
				t.Errorf("%+v", f)
			}
		}
	})
}

func TestWhatIsTooLargeIsToBeFetched(t *testing.T) {
	for name, change := range map[string]func(*dashboard.Config){
		"known before": func(cfg *dashboard.Config) { cfg.MaxEvent = func() int { return 300 } },
		"found by the broadcaster": func(cfg *dashboard.Config) {
			publish := cfg.Publish
			cfg.Publish = func(ctx context.Context, channel, event string, data json.RawMessage, id string) error {
				if len(data) > 300 {
					return belfry.Errorf(belfry.CodeTooLarge, "too large")
				}
				return publish(ctx, channel, event, data, id)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			spec := counting("default")
			for i := range 20 {
				spec.Figures = append(spec.Figures, dashboard.FigureSpec{Name: fmt.Sprint("n", i), Kind: "number", SQL: "SELECT n"})
			}
			inBubble(t, []dashboard.Spec{spec}, func(t *testing.T, e *engine, c *counter, stop func()) {
				must(t, e.Changed("", "today", "why"))
				time.Sleep(time.Second)
				one := e.expect(t, 1)
				if one.Type != "stats_changed" || string(one.Stats) != "null" || one.Range != "today" || one.Reason != "why" || one.Dashboard != "default" || one.Update.ID != one.ID {
					t.Errorf("%+v", one)
				}
				if v := e.current(t, "", "today"); v.ID != one.ID || v.Type != "stats_update" {
					t.Errorf("what is fetched is another: %+v", v)
				}
				if s := e.Stats()[0]; s.Large != 1 || s.Broadcasts != 1 {
					t.Errorf("%+v", s)
				}
			}, change)
		})
	}
}
