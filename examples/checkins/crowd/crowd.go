// Package crowd plays the phones of a school's students, and the people who
// work with what they send, against the check-in service: over HTTP, as real
// ones would.
package crowd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/belfryhq/belfry/examples/checkins/school"
)

// Config is how a Crowd behaves.
type Config struct {
	// URL is the service's address, such as http://127.0.0.1:8010.
	URL string
	// Pause is the mean time between two doings. The default is 1.5 s.
	Pause time.Duration
	// Seed makes the doings those of an earlier run. The default is a new one
	// each time.
	Seed uint64
	// Client to ask with. The default is one of its own.
	Client *http.Client
	// Logger is where trouble is told. The default is slog.Default.
	Logger *slog.Logger
}

// Crowd is a simulated crowd. Run lets it act.
type Crowd struct {
	cfg      Config
	client   *http.Client
	log      *slog.Logger
	rand     *rand.Rand
	students []int64
	recent   []int64 // check-ins that may still be corrected, at most maxRecent
	alerts   []int64 // alerts that nobody has resolved, at most maxRecent
	checkins atomic.Int64
}

const (
	maxRecent   = 50
	maxStudents = 200 // that take part
	maxAnswer   = 1 << 20
)

// New makes a crowd.
func New(cfg Config) *Crowd {
	if cfg.Pause <= 0 {
		cfg.Pause = 1500 * time.Millisecond
	}
	if cfg.Seed == 0 {
		cfg.Seed = rand.Uint64()
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	c := &Crowd{cfg: cfg, client: cfg.Client, log: cfg.Logger, rand: rand.New(rand.NewPCG(cfg.Seed, 1))}
	if c.client == nil {
		c.client = &http.Client{Transport: &http.Transport{}, Timeout: 10 * time.Second}
	}
	return c
}

// CheckIns counts those that were taken so far. It may be called at any time.
func (c *Crowd) CheckIns() int64 { return c.checkins.Load() }

// Run lets the crowd act until ctx ends, and then gives ctx's error. A service
// that is away is asked again later.
func (c *Crowd) Run(ctx context.Context) error {
	defer c.client.CloseIdleConnections()
	away := false
	for {
		err := c.act(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil && !away {
			c.log.Warn("the check-in service does not take what the crowd sends", "error", err)
		}
		away = err != nil
		// Exponential pauses are those of people who know nothing of each other.
		pause := time.Duration(min(c.rand.ExpFloat64(), 4) * float64(c.cfg.Pause))
		if away {
			pause = max(pause, time.Second)
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// act does one thing.
func (c *Crowd) act(ctx context.Context) error {
	if len(c.students) == 0 {
		if err := c.meet(ctx); err != nil {
			return err
		}
	}
	switch n := c.rand.IntN(100); {
	case n < 60:
		return c.checkIn(ctx)
	case n < 64: // a lesson is over
		for range 4 + c.rand.IntN(7) {
			if err := c.checkIn(ctx); err != nil {
				return err
			}
		}
		return nil
	case n < 69:
		return c.correct(ctx)
	case n < 75:
		return c.send(ctx, "POST", "/api/journal-sentiments", map[string]any{"student_id": c.student(), "sentiment": school.Pick(c.rand, school.Sentiments())}, nil)
	case n < 80:
		return c.send(ctx, "POST", "/api/form-downloads", map[string]any{"student_id": c.student(), "form": school.Pick(c.rand, school.Forms())}, nil)
	case n < 84:
		return c.alert(ctx)
	case n < 89:
		return c.resolve(ctx)
	case n < 90:
		return c.arrive(ctx)
	}
	return c.read(ctx)
}

// meet learns who the students are, and has some come when there are none.
func (c *Crowd) meet(ctx context.Context) error {
	var page struct {
		Data []struct {
			ID int64 `json:"id"`
		} `json:"data"`
	}
	if err := c.send(ctx, "GET", "/api/students?active=true&limit="+strconv.Itoa(maxStudents), nil, &page); err != nil {
		return err
	}
	for _, s := range page.Data {
		c.students = append(c.students, s.ID)
	}
	for len(c.students) < 12 {
		if err := c.arrive(ctx); err != nil {
			return err
		}
	}
	return nil
}

// arrive is a new student.
func (c *Crowd) arrive(ctx context.Context) error {
	if len(c.students) >= maxStudents {
		return nil
	}
	var made row
	err := c.send(ctx, "POST", "/api/students", map[string]any{"name": school.Name(c.rand)}, &made)
	if err == nil {
		c.students = append(c.students, made.ID)
	}
	return err
}

type row struct {
	ID int64 `json:"id"`
}

func (c *Crowd) student() int64 { return school.Pick(c.rand, c.students) }

func (c *Crowd) checkIn(ctx context.Context) error {
	levels := school.Levels(c.rand, c.rand.Float64())
	body := map[string]any{"student_id": c.student(), "mood": levels.Mood, "energy": levels.Energy, "stress": levels.Stress}
	if c.rand.IntN(3) > 0 {
		body["feel_better"] = levels.FeelBetter
	}
	comment := c.rand.IntN(4) == 0
	if comment {
		body["comment"] = school.Pick(c.rand, comments)
	}
	var made row
	if err := c.send(ctx, "POST", "/api/checkins", body, &made); err != nil {
		return err
	}
	c.checkins.Add(1)
	c.recent = keep(c.recent, made.ID)
	if !comment {
		return nil
	}
	return c.send(ctx, "POST", "/api/checkin-sentiments", map[string]any{"checkin_id": made.ID, "sentiment": levels.Sentiment}, nil)
}

var comments = []string{"The exam went well.", "Slept badly.", "Long day, but a good one.", "I would like to talk to somebody.", "Football with friends.", "Too much at once.", "Nothing new."}

// keep adds an id and lets the oldest go.
func keep(ids []int64, id int64) []int64 {
	if len(ids) >= maxRecent {
		ids = append(ids[:0], ids[1:]...)
	}
	return append(ids, id)
}

// correct is a student who chose the wrong thing, or takes it all back.
func (c *Crowd) correct(ctx context.Context) error {
	if len(c.recent) == 0 {
		return c.checkIn(ctx)
	}
	i := c.rand.IntN(len(c.recent))
	path := "/api/checkins/" + strconv.FormatInt(c.recent[i], 10)
	if c.rand.IntN(4) > 0 {
		return c.send(ctx, "PATCH", path, map[string]any{"mood": school.Pick(c.rand, school.Moods())}, nil)
	}
	c.recent = append(c.recent[:i], c.recent[i+1:]...)
	return c.send(ctx, "DELETE", path, nil, nil)
}

func (c *Crowd) alert(ctx context.Context) error {
	var made row
	err := c.send(ctx, "POST", "/api/alerts", map[string]any{"student_id": c.student(), "severity": school.Pick(c.rand, school.Severities()), "reason": school.Pick(c.rand, school.Reasons())}, &made)
	if err == nil {
		c.alerts = keep(c.alerts, made.ID)
	}
	return err
}

// resolve is a counselor who looks after an alert.
func (c *Crowd) resolve(ctx context.Context) error {
	if len(c.alerts) == 0 {
		return c.read(ctx)
	}
	i := c.rand.IntN(len(c.alerts))
	path := "/api/alerts/" + strconv.FormatInt(c.alerts[i], 10)
	status := "in_progress"
	if c.rand.IntN(2) == 0 {
		status = "resolved"
		c.alerts = append(c.alerts[:i], c.alerts[i+1:]...)
	}
	return c.send(ctx, "PATCH", path, map[string]any{"status": status}, nil)
}

// read is a phone that shows what was sent, or a counselor's list of alerts.
func (c *Crowd) read(ctx context.Context) error {
	if c.rand.IntN(2) == 0 {
		return c.send(ctx, "GET", "/api/alerts?status=open&limit=20", nil, nil)
	}
	return c.send(ctx, "GET", fmt.Sprintf("/api/checkins?student_id=%d&limit=10", c.student()), nil, nil)
}

// send makes a request and reads the answer into into, unless that is nil.
// What is gone already, since somebody else deleted it, is no failure.
func (c *Crowd) send(ctx context.Context, method, path string, body, into any) error {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		content = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.cfg.URL+path, content)
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := c.client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	switch {
	case err != nil:
		return err
	case answer.StatusCode == http.StatusNotFound && method != "POST":
		return nil
	case answer.StatusCode/100 != 2:
		return errors.New(method + " " + path + ": " + answer.Status)
	case into != nil:
		return json.Unmarshal(text, into)
	}
	return nil
}
