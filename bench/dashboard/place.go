package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/belfryhq/belfry/internal/bench"
	"github.com/belfryhq/belfry/test/pusherclient"
)

const (
	shared = "the-secret-of-the-benchmark"

	// patience is how long anything may take that is not measured.
	patience = 30 * time.Second
)

// settings has the dashboard public, so that pages need no session. The figures
// are those of examples/checkins that cost the most, and one of each kind.
const settings = `dashboards:
  - name: default
    public: true
    database: "sqlite://%s"
    figures:
      - {name: students_monitored, kind: number, compare: false, sql: "SELECT count(*) FROM students s WHERE s.active AND EXISTS (SELECT 1 FROM checkins c WHERE c.student_id = s.id)"}
      - {name: this_week_checkins, kind: number, sql: "SELECT count(*) FROM checkins WHERE created_at >= @start AND created_at < @end"}
      - {name: all_checkins, kind: number, compare: false, sql: "SELECT count(*) FROM checkins"}
      - {name: recent, kind: rows, sql: "SELECT id, mood, created_at FROM checkins ORDER BY id DESC LIMIT 5"}
      - {name: by_mood, kind: series, bucket: day, sql: "SELECT min(created_at) AS time, mood AS series, count(*) AS value FROM checkins WHERE created_at >= @start AND created_at < @end GROUP BY substr(created_at, 1, 13), mood"}
`

// place is a server and a check-in service with folders of their own.
type place struct {
	m        *machine
	home     *bench.Home
	server   *bench.Process
	service  *bench.Process
	checkins string // the address of the service
	http     *http.Client
}

// newPlace starts both.
func (m *machine) newPlace(ctx context.Context) (p *place, err error) {
	m.places++
	home, err := bench.NewHome(filepath.Join(m.dir, fmt.Sprint(m.places)))
	if err != nil {
		return nil, err
	}
	home.Env = append(home.Env, "SERVICES_WEBHOOK_SHARED_SECRET="+shared)
	p = &place{m: m, home: home, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}, Timeout: patience}}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	database := filepath.Join(home.Dir, "checkins", "checkins.db")
	if err = os.WriteFile(filepath.Join(home.Dir, "belfry.yaml"), fmt.Appendf(nil, settings, database), 0o600); err != nil {
		return p, err
	}
	if p.server, err = home.Serve(ctx, patience, m.belfry, "--metrics-listen", "off"); err != nil {
		return p, err
	}
	if p.checkins, err = freeAddress(); err != nil {
		return p, err
	}
	p.service, err = home.Start(ctx, []string{"BELFRY_WEBHOOK_URL=http://" + p.server.Address + "/api/dashboard/notify-update"},
		m.checkins, "--listen", p.checkins, "--data-dir", filepath.Dir(database), "--seed")
	if err != nil {
		return p, err
	}
	err = bench.Await(ctx, patience, func() (bool, error) {
		_, err := p.get(ctx, "http://"+p.checkins+"/up")
		return err == nil, nil
	})
	if err != nil {
		return p, fmt.Errorf("the check-in service does not start: %w\n%s", err, p.service.Said())
	}
	return p, nil
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// said is the end of what both logged.
func (p *place) said() string {
	text := p.server.Said() + p.service.Said()
	return text[max(0, len(text)-4000):]
}

func (p *place) close() {
	p.service.End()
	p.server.End()
	p.http.CloseIdleConnections()
}

func (p *place) get(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	return p.do(req)
}

func (p *place) do(req *http.Request) ([]byte, error) {
	resp, err := p.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= 300 {
		err = fmt.Errorf("%s: %s %.200s", req.URL.Path, resp.Status, body)
	}
	return body, err
}

// checkIn makes one check-in and gives the time of its answer.
func (p *place) checkIn(ctx context.Context, n int) (time.Time, error) {
	moods := []string{"Awesome", "Great", "Okay", "Meh", "Anxious"}
	body := fmt.Sprintf(`{"student_id": %d, "mood": %q, "energy": "Moderate", "stress": "Low Stress"}`, 1+n%10, moods[n%len(moods)])
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+p.checkins+"/api/checkins", bytes.NewBufferString(body))
	if err != nil {
		return time.Time{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	_, err = p.do(req)
	return time.Now(), err
}

// count is how many check-ins there are, as the dashboard says.
func (p *place) count(ctx context.Context) (int, error) {
	text, err := p.get(ctx, "http://"+p.server.Address+"/api/dashboard/current")
	if err != nil {
		return 0, err
	}
	return countOf(string(text))
}

// countOf reads that figure of an update.
func countOf(update string) (int, error) {
	var u struct {
		Stats struct {
			All *int `json:"all_checkins"`
		}
	}
	if err := json.Unmarshal([]byte(update), &u); err != nil {
		return 0, err
	}
	if u.Stats.All == nil {
		return 0, fmt.Errorf("the figure is not known: %.300s", update)
	}
	return *u.Stats.All, nil
}

// join opens a page: a subscriber of the dashboard's channel.
func (p *place) join(ctx context.Context) (*pusherclient.Conn, error) {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := pusherclient.Dial(limited, pusherclient.Target{URL: "http://" + p.server.Address, AppID: bench.HomeApp, Key: bench.HomeKey, Secret: bench.HomeSecret}, nil)
	if err != nil {
		return nil, err
	}
	if err := conn.Join(limited, "dashboard", ""); err != nil {
		conn.Cut()
		return nil, err
	}
	return conn, nil
}
