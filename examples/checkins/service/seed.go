package service

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/belfryhq/belfry/examples/checkins/school"
)

// SeedDays is how far back the made-up past of Seed goes: far enough for last
// month and the one before it.
const SeedDays = 95

// Seed fills the database with made-up students and three months of their
// check-ins, alerts, sentiments and downloads up to now, in one transaction. A
// database with any student in it stays as it is.
func (s *Service) Seed(ctx context.Context) error {
	added := false
	err := s.db.transaction(ctx, func(tx *sql.Tx) error {
		var n int
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM students").Scan(&n); err != nil || n > 0 {
			return err
		}
		added = true
		past := &past{ctx: ctx, db: s.db, tx: tx, rand: rand.New(rand.NewPCG(22, 11)), byTable: map[string]*resource{}}
		all := resources()
		for i := range all {
			past.byTable[all[i].table] = &all[i]
		}
		past.make(s.now())
		return past.err
	})
	if err != nil {
		return fmt.Errorf("fill the database: %w", err)
	}
	if added {
		s.changed("made-up past added")
	}
	return nil
}

// past makes up what has happened so far. The first failure ends it.
type past struct {
	ctx     context.Context
	db      *database
	tx      *sql.Tx
	rand    *rand.Rand
	byTable map[string]*resource
	err     error
}

func (p *past) add(table string, at time.Time, values map[string]any) (id int64) {
	if p.err != nil {
		return 0
	}
	row, err := p.db.add(p.ctx, p.tx, p.byTable[table], values, at)
	if err != nil {
		p.err = err
		return 0
	}
	return row.id
}

func (p *past) make(now time.Time) {
	begin := now.AddDate(0, 0, -SeedDays)
	var students []int64
	for i := range 60 {
		name := school.Name(p.rand)
		students = append(students, p.add("students", begin, map[string]any{"name": name, "active": i%12 != 5}))
	}
	for day := range SeedDays + 1 {
		date := begin.AddDate(0, 0, day)
		count := 30 + p.rand.IntN(15)
		if weekday := date.Weekday(); weekday == time.Saturday || weekday == time.Sunday {
			count /= 3
		}
		for range count {
			at := date.Truncate(24 * time.Hour).Add(7*time.Hour + time.Duration(p.rand.Int64N(int64(14*time.Hour))))
			if at.After(now) || p.err != nil {
				continue
			}
			p.checkin(at, students[p.rand.IntN(len(students))], day)
		}
	}
}

// checkin makes one up, and sometimes what follows from it.
func (p *past) checkin(at time.Time, student int64, day int) {
	levels := school.Levels(p.rand, float64(day%28)/28)
	id := p.add("checkins", at, map[string]any{"student_id": student, "mood": levels.Mood, "energy": levels.Energy, "stress": levels.Stress, "feel_better": levels.FeelBetter})
	soon := at.Add(time.Second)
	if p.rand.IntN(12) == 0 {
		p.add("checkin_sentiments", soon, map[string]any{"checkin_id": id, "sentiment": levels.Sentiment})
	}
	if p.rand.IntN(15) == 0 {
		p.add("journal_sentiments", soon, map[string]any{"student_id": student, "sentiment": levels.Sentiment})
	}
	if p.rand.IntN(20) == 0 {
		p.add("form_downloads", soon, map[string]any{"student_id": student, "form": school.Pick(p.rand, school.Forms())})
	}
	if levels.Sentiment == "negative" && p.rand.IntN(6) == 0 {
		status := "resolved"
		if day > SeedDays-4 {
			status = school.Pick(p.rand, school.Statuses())
		}
		p.add("alerts", soon, map[string]any{"student_id": student, "severity": school.Pick(p.rand, school.Severities()), "status": status, "reason": school.Pick(p.rand, school.Reasons())})
	}
}
