package service_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/belfryhq/belfry/examples/checkins/school"
	"github.com/belfryhq/belfry/internal/dashboard"
	"github.com/belfryhq/belfry/test/services"
)

// zones have days that begin apart from UTC's by whole and by broken hours, and
// days of 23 and 25 hours.
var zones = []string{"Europe/Berlin", "America/New_York", "Asia/Kathmandu", "America/Santiago", "UTC"}

// The figures of the example's dashboard are those that a plain computation
// gives, over random data about the ends of days, weeks, months and of
// daylight-saving time, on both databases.
func TestFiguresEqualAPlainComputation(t *testing.T) {
	for name, address := range map[string]func() string{"sqlite": func() string { return "" }, "postgres": func() string { return services.Postgres(t) }} {
		t.Run(name, func(t *testing.T) {
			for i, zone := range zones {
				t.Run(zone, func(t *testing.T) {
					s := open(t, address(), nil)
					location, err := time.LoadLocation(zone)
					if err != nil {
						t.Fatal(err)
					}
					m := newModel(s, rand.New(rand.NewPCG(uint64(i), 7)))
					m.fill(location, 140)
					d := dashboardOf(t, s, zone)
					for range 2 {
						m.compare(d, location)
						m.fill(location, 20)
						m.disturb()
					}
					m.compare(d, location)
				})
			}
		})
	}
}

// edges are moments about which figures are easily wrong: nights in which the
// week, the month, the year or daylight-saving time begins or ends.
func edges(in *time.Location) (moments []time.Time) {
	for _, date := range []string{"2026-03-08", "2026-03-29", "2026-03-30", "2026-04-01", "2026-04-05", "2026-09-06", "2026-10-25", "2026-11-01", "2026-11-02", "2026-12-31", "2027-01-01"} {
		day, _ := time.ParseInLocation(time.DateOnly, date, in)
		for _, hour := range []int{0, 1, 2, 3, 24} {
			moments = append(moments, day.Add(time.Duration(hour)*time.Hour))
		}
	}
	return moments
}

// entry is a row of any table as the model keeps it.
type entry struct {
	id      int
	of      int // the student, or the check-in
	at      time.Time
	words   [3]string // what counts of it
	removed bool
}

// model keeps what the service was told, in plain lists.
type model struct {
	*site
	rand                                             *rand.Rand
	students, checkins, alerts, journals, sentiments []*entry
	downloads                                        []*entry
}

func newModel(s *site, r *rand.Rand) *model {
	m := &model{site: s, rand: r}
	for i := range 8 {
		active := i%3 != 0
		m.students = append(m.students, m.add("students", 0, fmt.Sprintf(`{"name": "Student %d", "active": %t}`, i, active), strconv.FormatBool(active), fmt.Sprintf("Student %d", i)))
	}
	return m
}

// add adds a row at the present of the service's clock.
func (m *model) add(path string, of int, body string, words ...string) *entry {
	m.t.Helper()
	made := m.must(201, "POST", "/api/"+path, body)
	e := &entry{id: int(made.body["id"].(float64)), of: of, at: m.clock()}
	copy(e.words[:], words)
	return e
}

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// fill adds n rows about the edges.
func (m *model) fill(in *time.Location, n int) {
	m.t.Helper()
	spans := []time.Duration{time.Millisecond, time.Second, 20 * time.Minute, 5 * time.Hour, 40 * 24 * time.Hour}
	for range n {
		moment := pick(m.rand, edges(in))
		if m.rand.IntN(3) > 0 { // else the edge itself
			span := int64(pick(m.rand, spans))
			moment = moment.Add(time.Duration(m.rand.Int64N(2*span) - span))
		}
		m.set(moment.UTC().Truncate(time.Millisecond))
		student := pick(m.rand, m.students[:6]).id // two never check in
		switch what := m.rand.IntN(10); {
		case what < 5 || len(m.checkins) == 0:
			mood := pick(m.rand, school.Moods())
			m.checkins = append(m.checkins, m.add("checkins", student, fmt.Sprintf(`{"student_id":%d,"mood":%q,"energy":"Low","stress":"Moderate"}`, student, mood), mood))
		case what == 5:
			severity, status, reason := pick(m.rand, school.Severities()), pick(m.rand, school.Statuses()), fmt.Sprint("reason ", m.rand.IntN(100))
			m.alerts = append(m.alerts, m.add("alerts", student, fmt.Sprintf(`{"student_id":%d,"severity":%q,"status":%q,"reason":%q}`, student, severity, status, reason), severity, status, reason))
		case what == 6:
			sentiment := pick(m.rand, school.Sentiments())
			m.journals = append(m.journals, m.add("journal-sentiments", student, fmt.Sprintf(`{"student_id":%d,"sentiment":%q}`, student, sentiment), sentiment))
		case what == 7:
			sentiment, checkin := pick(m.rand, school.Sentiments()), pick(m.rand, m.checkins)
			if !checkin.removed {
				m.sentiments = append(m.sentiments, m.add("checkin-sentiments", checkin.id, fmt.Sprintf(`{"checkin_id":%d,"sentiment":%q}`, checkin.id, sentiment), sentiment))
			}
		default:
			m.downloads = append(m.downloads, m.add("form-downloads", student, fmt.Sprintf(`{"student_id":%d,"form":"appointment"}`, student)))
		}
	}
}

// disturb changes and deletes some of what is there.
func (m *model) disturb() {
	m.t.Helper()
	for range 10 {
		switch m.rand.IntN(4) {
		case 0:
			c := pick(m.rand, m.checkins)
			if c.removed {
				continue
			}
			m.must(204, "DELETE", fmt.Sprint("/api/checkins/", c.id), "")
			c.removed = true
			for _, s := range m.sentiments {
				s.removed = s.removed || s.of == c.id
			}
		case 1:
			c := pick(m.rand, m.checkins)
			if !c.removed {
				c.words[0] = pick(m.rand, school.Moods())
				m.must(200, "PATCH", fmt.Sprint("/api/checkins/", c.id), fmt.Sprintf(`{"mood":%q}`, c.words[0]))
			}
		case 2:
			if len(m.alerts) > 0 {
				a := pick(m.rand, m.alerts)
				a.words[1] = pick(m.rand, school.Statuses())
				m.must(200, "PATCH", fmt.Sprint("/api/alerts/", a.id), fmt.Sprintf(`{"status":%q}`, a.words[1]))
			}
		case 3:
			s := pick(m.rand, m.students)
			s.words[0] = strconv.FormatBool(s.words[0] != "true")
			m.must(200, "PATCH", fmt.Sprint("/api/students/", s.id), fmt.Sprintf(`{"active":%s}`, s.words[0]))
		}
	}
}

// compare asks the dashboard at many moments and for each range.
func (m *model) compare(set *dashboard.Set, in *time.Location) {
	m.t.Helper()
	for range 5 {
		now := pick(m.rand, edges(in)).Add(time.Duration(m.rand.IntN(3)-1) * time.Millisecond)
		look(m.t, set, now, func(d *dashboard.Dashboards) {
			for name, of := range ranges {
				start, end := of(dayOf(now, in), in)
				got, previous := current(m.t, d, name)
				want := m.figures(start, end, in)
				for figure := range want {
					if !reflect.DeepEqual(got[figure], want[figure]) {
						m.t.Errorf("%s at %s, %s to %s: %s is\n%v, want\n%v", name, now, start, end, figure, got[figure], want[figure])
					}
				}
				start, end = before[name](dayOf(now, in), in)
				want = m.figures(start, end, in)
				for _, figure := range []string{"this_week_checkins", "open_appointments", "high_risk_flags"} {
					if previous[figure] != want[figure] {
						m.t.Errorf("%s at %s: %s of the range before is %v, want %v", name, now, figure, previous[figure], want[figure])
					}
				}
				if len(previous) != 3 {
					m.t.Errorf("previous %v", previous)
				}
			}
		})
	}
}

// date is a day of the calendar, in no zone.
type date struct {
	year  int
	month time.Month
	day   int
}

func dayOf(at time.Time, in *time.Location) date {
	year, month, day := at.In(in).Date()
	return date{year, month, day}
}

// begin finds the first moment of the day by looking for it, since a zone's
// clock may pass over midnight.
func (d date) begin(in *time.Location) time.Time {
	noon := time.Date(d.year, d.month, d.day, 12, 0, 0, 0, time.UTC)
	early, late := noon.Add(-36*time.Hour), noon.Add(36*time.Hour)
	before := func(at time.Time) bool {
		o := dayOf(at, in)
		return cmp.Or(cmp.Compare(o.year, noon.Year()), cmp.Compare(o.month, noon.Month()), cmp.Compare(o.day, noon.Day())) < 0
	}
	for late.Sub(early) > time.Millisecond {
		if middle := early.Add(late.Sub(early) / 2); before(middle) {
			early = middle
		} else {
			late = middle
		}
	}
	return late.Round(time.Minute)
}

func (d date) plus(days int) date { return date{d.year, d.month, d.day + days} }

// weekday counts from Monday.
func (d date) weekday() int {
	return (int(time.Date(d.year, d.month, d.day, 12, 0, 0, 0, time.UTC).Weekday()) + 6) % 7
}

func span(from, to date, in *time.Location) (time.Time, time.Time) {
	return from.begin(in), to.begin(in)
}

// ranges are the ranges' days, worked out from the calendar of today.
var ranges = map[string]func(today date, in *time.Location) (start, end time.Time){
	"today":     func(d date, in *time.Location) (time.Time, time.Time) { return span(d, d.plus(1), in) },
	"yesterday": func(d date, in *time.Location) (time.Time, time.Time) { return span(d.plus(-1), d, in) },
	"this_week": func(d date, in *time.Location) (time.Time, time.Time) {
		return span(d.plus(-d.weekday()), d.plus(7-d.weekday()), in)
	},
	"last_week": func(d date, in *time.Location) (time.Time, time.Time) {
		return span(d.plus(-d.weekday()-7), d.plus(-d.weekday()), in)
	},
	"this_month": func(d date, in *time.Location) (time.Time, time.Time) {
		return span(date{d.year, d.month, 1}, date{d.year, d.month + 1, 1}, in)
	},
	"last_month": func(d date, in *time.Location) (time.Time, time.Time) {
		return span(date{d.year, d.month - 1, 1}, date{d.year, d.month, 1}, in)
	},
	"last_7_days":  func(d date, in *time.Location) (time.Time, time.Time) { return span(d.plus(-6), d.plus(1), in) },
	"last_30_days": func(d date, in *time.Location) (time.Time, time.Time) { return span(d.plus(-29), d.plus(1), in) },
}

// before are the days that each range is compared with.
var before = map[string]func(today date, in *time.Location) (start, end time.Time){
	"today":     ranges["yesterday"],
	"yesterday": func(d date, in *time.Location) (time.Time, time.Time) { return span(d.plus(-2), d.plus(-1), in) },
	"this_week": ranges["last_week"],
	"last_week": func(d date, in *time.Location) (time.Time, time.Time) {
		return span(d.plus(-d.weekday()-14), d.plus(-d.weekday()-7), in)
	},
	"this_month": ranges["last_month"],
	"last_month": func(d date, in *time.Location) (time.Time, time.Time) {
		return span(date{d.year, d.month - 2, 1}, date{d.year, d.month - 1, 1}, in)
	},
	"last_7_days":  func(d date, in *time.Location) (time.Time, time.Time) { return span(d.plus(-13), d.plus(-6), in) },
	"last_30_days": func(d date, in *time.Location) (time.Time, time.Time) { return span(d.plus(-59), d.plus(-29), in) },
}

// figures are the dashboard's, from the model's lists.
func (m *model) figures(start, end time.Time, in *time.Location) map[string]any {
	within := func(e *entry) bool { return !e.removed && !e.at.Before(start) && e.at.Before(end) }
	checkins, flags := 0, 0
	seen, booked, moods := map[int]bool{}, map[int]bool{}, map[string]float64{}
	for _, c := range m.checkins {
		seen[c.of] = seen[c.of] || !c.removed
		if within(c) {
			checkins++
			day := dayOf(c.at, in)
			moods[fmt.Sprintf("%04d-%02d-%02d %s", day.year, day.month, day.day, c.words[0])]++
		}
	}
	monitored := 0
	for _, s := range m.students {
		if s.words[0] == "true" && seen[s.id] {
			monitored++
		}
	}
	for _, d := range m.downloads {
		if within(d) {
			booked[d.of] = true
		}
	}
	for _, a := range m.alerts {
		if within(a) && a.words[0] == "high" && a.words[1] != "resolved" {
			flags++
		}
	}
	for _, s := range slices.Concat(m.journals, m.sentiments) {
		if within(s) && s.words[0] == "negative" {
			flags++
		}
	}
	return map[string]any{"students_monitored": float64(monitored), "this_week_checkins": float64(checkins), "open_appointments": float64(len(booked)),
		"high_risk_flags": float64(flags), "checkins_by_mood": moods, "recent_alerts": m.recent()}
}

// recent gives the last five alerts, one line each.
func (m *model) recent() (lines []string) {
	newest := slices.SortedFunc(slices.Values(m.alerts), func(a, b *entry) int { return cmp.Or(b.at.Compare(a.at), cmp.Compare(b.id, a.id)) })
	for _, a := range newest[:min(5, len(newest))] {
		lines = append(lines, fmt.Sprint(a.id, m.students[a.of-1].words[1], a.words, a.at.UnixMilli()))
	}
	return lines
}
