//go:build unix

package process_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/store"
	"github.com/belfryhq/belfry/test/services"
)

// crowd is how many users a notification is sent to while the server is killed.
const crowd = 8000

// However the server is killed while it sends, every user has the notification
// once in the end, and one more unread.
func TestKilledServerNotifiesEverybodyOnce(t *testing.T) {
	for name, url := range map[string]string{"sqlite": "", "postgres": services.Postgres(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // most of it is waiting until a dead worker counts as gone
			h := newHost(t, configuration)
			if url != "" {
				h.env = []string{"DATABASE_URL=" + url}
			}
			token := h.manager()
			db, err := store.Open(store.Config{URL: url, Dir: filepath.Join(h.dir, "data"), Connections: 2})
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			addUsers(t, db, crowd-1) // and the manager
			h.start()
			id := h.notifyAll(token)
			cut := 0
			for range 2 {
				before := reached(t, db, id)
				for deadline := time.Now().Add(2 * patience); reached(t, db, id) == before; {
					if time.Now().After(deadline) {
						t.Fatalf("it does not go on from %d users", before)
					}
					time.Sleep(2 * time.Millisecond) // a look at what another process does
				}
				h.kill()
				if n := reached(t, db, id); n < crowd {
					t.Logf("killed at %d users", n)
					cut++
				}
				h.start()
			}
			if cut == 0 {
				t.Fatal("it was sent before the kill, so this test proves nothing: raise crowd")
			}
			for deadline := time.Now().Add(3 * patience); number(t, db, `SELECT COUNT(*) FROM notifications WHERE id = $1 AND status = 'sent'`, id) == 0; {
				if time.Now().After(deadline) {
					t.Fatalf("it is not sent: %d users have it", reached(t, db, id))
				}
				time.Sleep(50 * time.Millisecond) // a look at what another process does
			}
			for what, query := range map[string]string{
				"rows":            `SELECT COUNT(*) FROM user_notifications WHERE notification_id = $1`,
				"users with one":  `SELECT COUNT(DISTINCT user_id) FROM user_notifications WHERE notification_id = $1`,
				"recipients":      `SELECT recipients FROM notifications WHERE id = $1`,
				"users in all":    `SELECT COUNT(*) FROM users WHERE $1 <> ''`,
				"one unread each": `SELECT COUNT(*) FROM notify_users WHERE unread = 1 AND $1 <> ''`,
			} {
				if n := number(t, db, query, id); n != crowd {
					t.Errorf("%s: %d, want %d", what, n, crowd)
				}
			}
			h.idle("notifications")
		})
	}
}

// manager makes a manager and a token to send with.
func (h *host) manager() string {
	h.t.Helper()
	if out, exit := h.run("user:add", "m@example.test", "--role", "manager", "--password", "correct horse battery"); exit != 0 {
		h.t.Fatalf("user:add: %s", out)
	}
	out, exit := h.run("user:token", "m@example.test", "--scope", "notifications:manage", "--json")
	var made struct{ Token string }
	if err := json.Unmarshal([]byte(out), &made); err != nil || exit != 0 {
		h.t.Fatalf("user:token: %d %s", exit, out)
	}
	return made.Token
}

// addUsers adds users who cannot sign in, since to hash that many passwords
// takes minutes.
func addUsers(t *testing.T, db *store.DB, n int) {
	t.Helper()
	for from := 0; from < n; from += 1000 {
		var rows []string
		for i := from; i < min(n, from+1000); i++ {
			rows = append(rows, fmt.Sprintf("('u%d@example.test', 'u%[1]d@example.test', 'User %[1]d', '-', $1, 1, 0)", i))
		}
		if _, err := db.Exec(t.Context(), `INSERT INTO users (email, email_key, name, password, disabled, created, last_login) VALUES `+strings.Join(rows, ", "), false); err != nil {
			t.Fatal(err)
		}
	}
}

// notifyAll sends a notification to everybody, and gives its id.
func (h *host) notifyAll(token string) string {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, "http://"+h.addr+"/api/notifications",
		strings.NewReader(`{"title":"To all","message":"m","target":{"type":"all"},"send":true}`))
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := h.http.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	var made struct{ ID string }
	if err := json.NewDecoder(resp.Body).Decode(&made); err != nil || resp.StatusCode != http.StatusCreated {
		h.t.Fatalf("send: %s, %v", resp.Status, err)
	}
	return made.ID
}

// reached counts the users who have a notification.
func reached(t *testing.T, db *store.DB, id string) int {
	t.Helper()
	return number(t, db, `SELECT COUNT(*) FROM user_notifications WHERE notification_id = $1`, id)
}

func number(t *testing.T, db *store.DB, query string, args ...any) (n int) {
	t.Helper()
	if err := db.QueryRow(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// idle waits until a queue has no job, and none has failed.
func (h *host) idle(queue string) {
	h.t.Helper()
	for deadline := time.Now().Add(3 * patience); ; {
		out, exit := h.run("queue:monitor", queue+":0")
		if exit == 0 {
			break
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("jobs are left: %s", out)
		}
		time.Sleep(200 * time.Millisecond) // a look at what other processes do
	}
	if out, exit := h.run("queue:failed", "--json"); exit != 0 || strings.TrimSpace(out) != "[]" {
		h.t.Errorf("queue:failed: %d %s", exit, out)
	}
}
