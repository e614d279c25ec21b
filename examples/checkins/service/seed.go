package service

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"time"
)

// SeedDays is how far back the made-up past of Seed goes: far enough for last
// month and the one before it.
const SeedDays = 95

var (
	firstNames = []string{"Ada", "Ben", "Chloe", "Dev", "Elif", "Finn", "Grace", "Hugo", "Ines", "Jonas", "Kira", "Liam", "Mina", "Noah", "Olga", "Pavel", "Ruth", "Sami", "Tess", "Yusuf"}
	lastNames  = []string{"Adler", "Baker", "Costa", "Demir", "Evans", "Fischer", "Garcia", "Haddad", "Ivanov", "Jensen", "Kaya", "Lindqvist", "Moreau", "Novak", "Okafor", "Park"}
	reasons    = []string{"Very high stress three times in a row", "No check-in for two weeks", "Mood has fallen all week", "Asked for help in a comment", "Stress before the exams"}
	forms      = []string{"appointment", "first-visit", "group-session"}
)

// Reasons are those that made-up alerts have.
func Reasons() []string { return append([]string{}, reasons...) }

// Forms are those that made-up downloads are of.
func Forms() []string { return append([]string{}, forms...) }

// Name makes up a student's name.
func Name(r *rand.Rand) string {
	return firstNames[r.IntN(len(firstNames))] + " " + lastNames[r.IntN(len(lastNames))]
}

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
		name := firstNames[i%len(firstNames)] + " " + lastNames[(i*7)%len(lastNames)]
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
	levels := Levels(p.rand, float64(day%28)/28)
	id := p.add("checkins", at, map[string]any{"student_id": student, "mood": levels.Mood, "energy": levels.Energy, "stress": levels.Stress, "feel_better": levels.FeelBetter})
	soon := at.Add(time.Second)
	if p.rand.IntN(12) == 0 {
		p.add("checkin_sentiments", soon, map[string]any{"checkin_id": id, "sentiment": levels.Sentiment})
	}
	if p.rand.IntN(15) == 0 {
		p.add("journal_sentiments", soon, map[string]any{"student_id": student, "sentiment": levels.Sentiment})
	}
	if p.rand.IntN(20) == 0 {
		p.add("form_downloads", soon, map[string]any{"student_id": student, "form": forms[p.rand.IntN(len(forms))]})
	}
	if levels.Sentiment == "negative" && p.rand.IntN(6) == 0 {
		status := "resolved"
		if day > SeedDays-4 {
			status = Statuses()[p.rand.IntN(3)]
		}
		p.add("alerts", soon, map[string]any{"student_id": student, "severity": Severities()[p.rand.IntN(3)], "status": status, "reason": reasons[p.rand.IntN(len(reasons))]})
	}
}

// MadeUp are the levels of a made-up check-in.
type MadeUp struct {
	Mood, Energy, Stress, FeelBetter string
	Sentiment                        string // that a reader would find in it
}

// Levels makes up how somebody is: the more strain, from 0 to 1, the worse.
func Levels(r *rand.Rand, strain float64) MadeUp {
	// The mean of two throws keeps most in the middle.
	load := (r.Float64()+r.Float64())/2*0.8 + strain*0.2
	pick := func(levels []string, at float64) string {
		return levels[min(len(levels)-1, int(at*float64(len(levels))))]
	}
	made := MadeUp{
		Mood:       pick(Moods(), load),
		Energy:     pick(Energies(), 1-load*0.7-r.Float64()*0.3),
		Stress:     pick(Stresses(), load*0.7+r.Float64()*0.3),
		FeelBetter: FeelBetter()[r.IntN(3)],
		Sentiment:  "neutral",
	}
	switch {
	case load > 0.6:
		made.Sentiment = "negative"
	case load < 0.35:
		made.Sentiment = "positive"
	}
	return made
}
