package notify_test

import (
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/notify"
)

func TestDaysAreThoseOfTheZone(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		id := f.sent("at noon UTC of 20 November", everybody)
		f.mark("2", id, notify.MarkRead)
		f.clock.pass(13 * time.Hour)
		f.mark("3", id, notify.MarkRead)
		for zone, want := range map[string][2]notify.Bucket{
			"UTC":              {{Day: "2026-11-20", Sent: 1, Counts: notify.Counts{Recipients: 10, Read: 1}}, {Day: "2026-11-21", Counts: notify.Counts{Read: 1}}},
			"Asia/Kolkata":     {{Day: "2026-11-20", Sent: 1, Counts: notify.Counts{Recipients: 10, Read: 1}}, {Day: "2026-11-21", Counts: notify.Counts{Read: 1}}},
			"America/New_York": {{Day: "2026-11-19"}, {Day: "2026-11-20", Sent: 1, Counts: notify.Counts{Recipients: 10, Read: 2}}},
			"Pacific/Auckland": {{Day: "2026-11-20"}, {Day: "2026-11-21", Sent: 1, Counts: notify.Counts{Recipients: 10, Read: 2}}},
		} {
			location, err := time.LoadLocation(zone)
			must(t, err)
			all, err := f.Statistics(t.Context(), 2, location)
			must(t, err)
			if all.Sent != 1 || all.Read != 2 || len(all.ByDay) != 2 || all.ByDay[0] != want[0] || all.ByDay[1] != want[1] {
				t.Errorf("%s: %+v", zone, all)
			}
		}
		// A year with both changes of the clock has each day once.
		berlin, err := time.LoadLocation("Europe/Berlin")
		must(t, err)
		all, err := f.Statistics(t.Context(), 366, berlin)
		must(t, err)
		for i, b := range all.ByDay {
			if want := time.Date(2025, 11, 21+i, 0, 0, 0, 0, time.UTC).Format(time.DateOnly); b.Day != want {
				t.Fatalf("day %d is %s, want %s", i, b.Day, want)
			}
		}
	})
}
