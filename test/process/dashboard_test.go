//go:build unix

package process_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/belfryhq/belfry/examples"
	"github.com/belfryhq/belfry/test/pusherclient"
	"github.com/belfryhq/belfry/test/services"
)

const (
	webhookSecret = "process-webhook-secret"
	boardChannel  = "private-dashboard"
	notifyPath    = "/api/dashboard/notify-update"
)

// board is a server with the dashboard of examples/checkins, a page that is
// open on it, and a service whose check-ins it shows.
type board struct {
	*host
	page    *pusherclient.Conn
	service *neighbour
	url     string // the service's
}

// newBoard starts a server on the example's configuration and opens a page.
// database is the check-ins' own, SQLite where the example expects it when
// empty.
func newBoard(t *testing.T, database string) *board {
	t.Helper()
	b := &board{host: newHost(t, configuration+string(examples.CheckinsConfig))}
	b.env = append(b.env, "SERVICES_WEBHOOK_SHARED_SECRET="+webhookSecret)
	if database != "" {
		b.env = append(b.env, "CHECKINS_DATABASE_URL="+database)
	}
	return b
}

// open starts the server, when its database is there, and opens the page.
func (b *board) open() {
	b.t.Helper()
	b.start()
	b.page = b.connect(b.target(), boardChannel)
}

// checkins starts examples/checkins in the server's folder.
func (b *board) checkins(database, webhook string) {
	b.t.Helper()
	program := buildCheckIns(b.t)
	b.service = launch(b.t, b.dir, []string{"DATABASE_URL=" + database, "LARAVEL_WEBHOOK_URL=" + webhook, "SERVICES_WEBHOOK_SHARED_SECRET=" + webhookSecret},
		program, "--listen", "127.0.0.1:0")
	b.url = b.service.says(`Check-ins on (http://\S+)`)
}

func buildCheckIns(t testing.TB) (program string) {
	t.Helper()
	program = filepath.Join(t.TempDir(), "checkins")
	if out, err := exec.Command("go", "build", "-o", program, "../../examples/checkins").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return program
}

// post makes a request of the service.
func (b *board) post(path, body string) (made struct{ ID int }) {
	b.t.Helper()
	resp, err := b.http.Post(b.url+path, "application/json", strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusCreated || json.Unmarshal(text, &made) != nil {
		b.t.Fatalf("%s %s: %s %s", path, body, resp.Status, text)
	}
	return made
}

// newcomer is a student who comes and checks in.
func (b *board) newcomer() {
	b.t.Helper()
	b.checkIn(b.post("/api/students", `{"name": "Ada"}`).ID)
}

func (b *board) checkIn(student int) {
	b.t.Helper()
	b.post("/api/checkins", fmt.Sprintf(`{"student_id": %d, "mood": "Great", "energy": "High", "stress": "No Stress"}`, student))
}

// update is what the page gets.
type update struct {
	Type, Reason string
	Stats        struct {
		Monitored *int `json:"students_monitored"`
	}
}

// shows waits until the open page is told of so many students monitored, a
// figure that no range is in the way of.
func (b *board) shows(ctx context.Context, monitored int) error {
	for {
		m, err := b.page.Await(ctx, "DashboardUpdated", boardChannel)
		if err != nil {
			return err
		}
		var u update
		if err := json.Unmarshal([]byte(m.Text()), &u); err != nil || u.Type != "stats_update" || u.Reason == "" {
			return fmt.Errorf("the page got %s: %w", m.Text(), err)
		}
		if u.Stats.Monitored != nil && *u.Stats.Monitored == monitored {
			return nil
		}
	}
}

func (b *board) mustShow(monitored int) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := b.shows(ctx, monitored); err != nil {
		b.t.Fatalf("the open page does not show %d: %v", monitored, err)
	}
}

// From the phone to the open page, through three processes and two databases.
func TestACheckInReachesTheOpenPage(t *testing.T) {
	for name, database := range map[string]func(t *testing.T) string{
		"sqlite":   func(*testing.T) string { return "" },
		"postgres": func(t *testing.T) string { return services.Postgres(t) },
	} {
		t.Run(name, func(t *testing.T) {
			address := database(t)
			b := newBoard(t, address)
			b.checkins(address, "http://"+b.addr+notifyPath)
			b.open()
			b.newcomer()
			b.mustShow(1)
			var students []int
			for range 20 {
				students = append(students, b.post("/api/students", `{"name": "Ben"}`).ID)
			}
			var phones sync.WaitGroup
			for _, student := range students {
				phones.Go(func() { b.checkIn(student) })
			}
			phones.Wait()
			b.mustShow(21)
			if exit := b.service.end(syscall.SIGTERM); exit != 0 {
				t.Errorf("the service ended with %d", exit)
			}
		})
	}
}

// What receives webhooks is away for ten seconds during a change: the phone does
// not notice, and the page shows the change once it is back.
func TestTheFigureArrivesAfterTenSecondsWithoutAReceiver(t *testing.T) {
	b := newBoard(t, "")
	way := newRelay(t, "http://"+b.addr)
	way.open()
	b.checkins("", "http://"+way.addr+notifyPath)
	b.open()
	b.newcomer()
	b.mustShow(1)
	way.shut()
	b.newcomer()
	time.AfterFunc(10*time.Second, way.open)
	began := time.Now()
	b.mustShow(2)
	if took := time.Since(began); took < 9*time.Second {
		t.Errorf("the figure came after %s, past a receiver that was away", took)
	}
}

// The service ends while the receiver is away; the next start tells it.
func TestTheFigureArrivesAfterTheServiceStartsAnew(t *testing.T) {
	b := newBoard(t, "")
	way := newRelay(t, "http://"+b.addr)
	b.checkins("", "http://"+way.addr+notifyPath)
	b.open()
	b.newcomer()
	b.service.end(syscall.SIGKILL)
	way.open()
	b.checkins("", "http://"+way.addr+notifyPath)
	b.mustShow(1)
}

// The Python sender in a real FastAPI application drives the same dashboard.
func TestFastAPIDrivesTheOpenPage(t *testing.T) {
	python, err := filepath.Abs("../../clients/python/.venv/bin/python")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(python); err != nil {
		t.Fatalf("run scripts/test-deps.sh: %v", err)
	}
	source, app := absolute(t, "../../clients/python/src"), absolute(t, "../../examples/fastapi")
	b := newBoard(t, "")
	b.service = launch(t, b.dir, []string{"PYTHONPATH=" + source, "LARAVEL_WEBHOOK_URL=http://" + b.addr + notifyPath, "SERVICES_WEBHOOK_SHARED_SECRET=" + webhookSecret},
		python, "-m", "uvicorn", "--app-dir", app, "app:app", "--port", "0")
	b.url = b.service.says(`running on (http://\S+)`)
	b.open()
	b.newcomer()
	b.mustShow(1)
	for range 5 {
		b.newcomer()
	}
	b.mustShow(6)
	// The last change is told although a signal ends the process right after it.
	b.newcomer()
	b.service.end(syscall.SIGTERM)
	b.mustShow(7)
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}
