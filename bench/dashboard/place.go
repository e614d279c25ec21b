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
	"os/exec"
	"path/filepath"
	"time"

	"github.com/belfryhq/belfry/internal/bench"
	"github.com/belfryhq/belfry/internal/control"
	"github.com/belfryhq/belfry/test/pusherclient"
)

const (
	appID     = "1"
	appKey    = "bench-key"
	appSecret = "bench-secret"
	shared    = "the-secret-of-the-benchmark"

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
	dir      string
	server   *exec.Cmd
	service  *exec.Cmd
	address  string // of the server
	checkins string // of the service
	http     *http.Client
}

// newPlace starts both.
func (m *machine) newPlace(ctx context.Context) (p *place, err error) {
	p = &place{m: m, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}, Timeout: patience}}
	if p.dir, err = os.MkdirTemp(m.dir, "place-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("%w\n%s", err, p.said())
			p.close()
		}
	}()
	database := filepath.Join(p.dir, "checkins", "checkins.db")
	if err = os.WriteFile(filepath.Join(p.dir, "belfry.yaml"), fmt.Appendf(nil, settings, database), 0o600); err != nil {
		return p, err
	}
	data := filepath.Join(p.dir, "data")
	p.server, err = p.start(ctx, m.belfry, []string{"BELFRY_DATA_DIR=" + data, "PUSHER_APP_ID=" + appID, "PUSHER_APP_KEY=" + appKey,
		"PUSHER_APP_SECRET=" + appSecret, "SERVICES_WEBHOOK_SHARED_SECRET=" + shared}, "serve", "--listen", "127.0.0.1:0", "--metrics-listen", "off")
	if err != nil {
		return p, err
	}
	err = await(ctx, func() bool {
		link, err := control.Dial(ctx, data)
		if err != nil {
			return false
		}
		defer link.Close()
		st, err := link.Status(ctx)
		p.address = st.Listen
		return err == nil && st.Listen != ""
	})
	if err != nil {
		return p, fmt.Errorf("belfry does not start: %w", err)
	}
	if p.checkins, err = freeAddress(); err != nil {
		return p, err
	}
	p.service, err = p.start(ctx, m.checkins, []string{"SERVICES_WEBHOOK_SHARED_SECRET=" + shared, "BELFRY_WEBHOOK_URL=http://" + p.address + "/api/dashboard/notify-update"},
		"--listen", p.checkins, "--data-dir", filepath.Dir(database), "--seed")
	if err != nil {
		return p, err
	}
	err = await(ctx, func() bool {
		_, err := p.get(ctx, "http://"+p.checkins+"/up")
		return err == nil
	})
	if err != nil {
		return p, fmt.Errorf("the check-in service does not start: %w", err)
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

func (p *place) start(ctx context.Context, program string, env []string, args ...string) (*exec.Cmd, error) {
	log, err := os.OpenFile(filepath.Join(p.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = p.dir, append(env, "PATH="+os.Getenv("PATH"), "HOME="+p.dir), log, log
	return cmd, cmd.Start()
}

// said is the end of what both logged.
func (p *place) said() string {
	text, _ := os.ReadFile(filepath.Join(p.dir, "log"))
	return string(text[max(0, len(text)-4000):])
}

func (p *place) close() {
	for _, cmd := range []*exec.Cmd{p.service, p.server} {
		if cmd != nil && cmd.Process != nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}
	p.http.CloseIdleConnections()
}

// await polls until something is so.
func await(ctx context.Context, so func() bool) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("not within %s", patience))
	defer cancel()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for !so() {
		select {
		case <-again.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
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
	text, err := p.get(ctx, "http://"+p.address+"/api/dashboard/current")
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
	conn, err := pusherclient.Dial(limited, pusherclient.Target{URL: "http://" + p.address, Key: appKey, AppID: appID, Secret: appSecret}, nil)
	if err != nil {
		return nil, err
	}
	if err := conn.Join(limited, "dashboard", ""); err != nil {
		conn.Cut()
		return nil, err
	}
	return conn, nil
}

// cpu is what the server has used so far.
func (p *place) cpu() (time.Duration, error) { return bench.ProcessCPU(p.server.Process.Pid) }
