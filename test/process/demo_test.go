//go:build unix

package process_test

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The demo reads none of the settings around it, moves, and leaves nothing.
func TestDemoMovesAndLeavesNothing(t *testing.T) {
	// Taken, by this test or by somebody else.
	if l, err := net.Listen("tcp", "127.0.0.1:8010"); err == nil {
		defer l.Close()
	}
	dir, temporary := t.TempDir(), t.TempDir()
	for name, text := range map[string]string{"belfry.yaml": "nonsense: [", ".env": "DATABASE_URL=postgres://127.0.0.1:1/none\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	addr := freeAddresses(t, 1)[0]
	d := launch(t, dir, []string{"TMPDIR=" + temporary, "DATABASE_URL=postgres://127.0.0.1:1/none", "PUSHER_APP_ID=mine", "BELFRY_DATA_DIR=" + filepath.Join(dir, "mine")},
		binary, "demo", "--listen", addr, "--pace", "50ms")
	data := d.says(`--data-dir (\S+)`)
	d.says(`manager@example\.com\s+\S+`)
	d.says(`takes another port`)
	phones := d.says(`check-ins\s+(http://\S+)/docs`)

	token := tokenOf(t, data, "manager@example.com")
	client := &http.Client{Transport: &http.Transport{}, Timeout: patience}
	defer client.CloseIdleConnections()
	get := func(url string, into any) {
		t.Helper()
		r, err := http.NewRequest("GET", url, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if err := json.NewDecoder(resp.Body).Decode(into); err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s %v", url, resp.Status, err)
		}
	}
	var up struct{ Status string }
	if get(phones+"/up", &up); up.Status != "ok" {
		t.Errorf("the check-in service is %q", up.Status)
	}
	figures := func() (checkins, unread float64) {
		var current struct {
			Stats map[string]any
			Meta  map[string]any
		}
		get("http://"+addr+"/api/dashboard/current?range=last_30_days", &current)
		if len(current.Meta) > 0 {
			t.Fatalf("figures failed: %v\n%s", current.Meta, d.out)
		}
		var bell map[string]any
		get("http://"+addr+"/api/user/notifications/unread-count", &bell)
		return current.Stats["this_week_checkins"].(float64), bell["unread_count"].(float64)
	}
	checkins, unread := figures()
	if checkins < 100 || unread < 1 {
		t.Errorf("it begins with %v check-ins and %v unread notifications", checkins, unread)
	}
	grows(t, "the dashboard", func() bool { now, _ := figures(); return now > checkins })
	grows(t, "the bell", func() bool { _, now := figures(); return now > unread })

	if exit := d.end(syscall.SIGINT); exit != 0 {
		t.Errorf("the demo ended with %d", exit)
	}
	for _, folder := range []string{temporary, dir} {
		left, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range left {
			if folder == temporary || entry.Name() != "belfry.yaml" && entry.Name() != ".env" {
				t.Errorf("the demo left %s", entry)
			}
		}
	}
}

// grows waits until something is more than it was.
func grows(t *testing.T, what string, more func() bool) {
	t.Helper()
	again := time.NewTicker(200 * time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(2 * patience); !more(); <-again.C {
		if time.Now().After(deadline) {
			t.Fatalf("%s does not move", what)
		}
	}
}

// tokenOf makes a token with a command, as the demo says.
func tokenOf(t *testing.T, data, email string) string {
	t.Helper()
	cmd := exec.Command(binary, "user:token", email, "--scope", "dashboard,notifications", "--data-dir", data)
	cmd.Dir = t.TempDir()
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + cmd.Dir}
	out, err := cmd.CombinedOutput()
	token := regexp.MustCompile(`belfry_\S+`).FindString(string(out))
	if err != nil || token == "" {
		t.Fatalf("user:token: %v\n%s", err, out)
	}
	return strings.TrimSpace(token)
}
