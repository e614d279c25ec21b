//go:build unix

package process_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfryhq/belfry/test/pusherclient"
	"github.com/belfryhq/belfry/test/services"
)

// kills is how often a process is killed in each of these tests.
const kills = 20

// durable are what keeps the jobs. What holds them stays up: it is not Belfry.
var durable = map[string]func(t *testing.T) (env []string){
	"sqlite":   func(*testing.T) []string { return nil },
	"postgres": func(t *testing.T) []string { return []string{"DATABASE_URL=" + services.Postgres(t)} },
	"redis": func(t *testing.T) []string {
		return []string{"QUEUE_CONNECTION=redis", "REDIS_URL=redis://" + services.OwnRedis(t, "--appendonly", "yes").Addr + "/0"}
	},
}

// tally knows which events were accepted and which came out.
type tally struct {
	mu       sync.Mutex // guards all below
	next     int
	accepted map[int]string      // id by number
	came     map[int][]string    // ids by number, as they came
	odd      map[string]struct{} // what was not understood
}

func newTally() *tally {
	return &tally{accepted: map[int]string{}, came: map[int][]string{}, odd: map[string]struct{}{}}
}

// arrived notes the data of an event that came out.
func (y *tally) arrived(data string) {
	var got struct {
		N  *int   `json:"n"`
		ID string `json:"event_id"`
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	if err := json.Unmarshal([]byte(data), &got); err != nil || got.N == nil || got.ID == "" {
		y.odd[data] = struct{}{}
		return
	}
	y.came[*got.N] = append(y.came[*got.N], got.ID)
}

// post posts events, one after another, until ctx ends. What is not answered
// with 202 may be lost, and may come out all the same.
func (y *tally) post(ctx context.Context, h *host, token string) {
	client := &http.Client{Transport: &http.Transport{}, Timeout: 5 * time.Second}
	defer client.CloseIdleConnections()
	for ctx.Err() == nil {
		y.mu.Lock()
		n := y.next
		y.next++
		y.mu.Unlock()
		body := fmt.Sprintf(`{"event":"tick","channels":["news"],"data":{"n":%d},"with_id":true}`, n)
		req, _ := http.NewRequest(http.MethodPost, "http://"+h.addr+"/api/events", strings.NewReader(body)) // not ctx: an event under way is seen through
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := client.Do(req)
		if err != nil {
			select { // the server is down
			case <-time.After(20 * time.Millisecond):
			case <-ctx.Done():
			}
			continue
		}
		var answer struct{ ID string }
		err = json.NewDecoder(resp.Body).Decode(&answer)
		resp.Body.Close()
		if resp.StatusCode == http.StatusAccepted && err == nil {
			y.mu.Lock()
			y.accepted[n] = answer.ID
			y.mu.Unlock()
		}
	}
}

// missing counts the accepted events that have not come out.
func (y *tally) missing() (n, accepted int) {
	y.mu.Lock()
	defer y.mu.Unlock()
	for number := range y.accepted {
		if len(y.came[number]) == 0 {
			n++
		}
	}
	return n, len(y.accepted)
}

// await waits until every accepted event has come out.
func (y *tally) await(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(2 * patience); ; {
		n, accepted := y.missing()
		if n == 0 {
			if accepted < 2*kills {
				t.Fatalf("only %d events were accepted, so this test proves little", accepted)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d accepted events have not come out", n, accepted)
		}
		time.Sleep(50 * time.Millisecond) // a look at what other processes do
	}
}

// check says what is wrong with what came out.
func (y *tally) check(t *testing.T, repeats bool) {
	t.Helper()
	y.mu.Lock()
	defer y.mu.Unlock()
	again := 0
	for n, ids := range y.came {
		if len(ids) > 1 {
			again++
		}
		for _, id := range ids {
			if id != ids[0] || y.accepted[n] != "" && id != y.accepted[n] {
				t.Errorf("event %d came out as %q and was accepted as %q", n, ids, y.accepted[n])
			}
		}
	}
	if again > 0 && !repeats {
		t.Errorf("%d events came out more than once", again)
	}
	for data := range y.odd {
		t.Errorf("came out: %s", data)
	}
	t.Logf("%d accepted, %d came out, %d of them more than once", len(y.accepted), len(y.came), again)
}

// token makes an administrator and a token that may publish.
func (h *host) token() string {
	h.t.Helper()
	if out, exit := h.run("user:add", "a@example.test", "--role", "admin", "--password", "correct horse battery"); exit != 0 {
		h.t.Fatalf("user:add: %s", out)
	}
	out, exit := h.run("user:token", "a@example.test", "--scope", "events", "--json")
	var made struct{ Token string }
	if err := json.Unmarshal([]byte(out), &made); err != nil || exit != 0 {
		h.t.Fatalf("user:token: %d %s", exit, out)
	}
	return made.Token
}

// settled checks that no job is left anywhere.
func (h *host) settled() {
	h.t.Helper()
	out, exit := h.run("queue:failed", "--json")
	if exit != 0 || strings.TrimSpace(out) != "[]" {
		h.t.Errorf("queue:failed: %d %s", exit, out)
	}
	// What a killed worker had delivered, but not finished, is run again and
	// found delivered.
	for deadline := time.Now().Add(patience); ; {
		if out, exit = h.run("queue:monitor", "default:0"); exit == 0 {
			return
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("jobs are left: %s", out)
		}
		time.Sleep(200 * time.Millisecond) // a look at what other processes do
	}
}

// randomPause is a moment in which anything may be under way.
func randomPause() { time.Sleep(time.Duration(20+rand.IntN(180)) * time.Millisecond) }

// Every event that the server acknowledged is broadcast, however often and
// whenever it is killed; what is broadcast twice carries the same id.
func TestKilledServerLosesNoAcceptedEvent(t *testing.T) {
	for name, env := range durable {
		t.Run(name, func(t *testing.T) {
			y := newTally()
			target := httptest.NewServer(recorder(y)) // where events go: it outlives the server
			t.Cleanup(target.Close)
			at, _ := url.Parse(target.URL)
			h := newHost(t, "")
			h.env = append(env(t), "BROADCAST_CONNECTION=pusher", "PUSHER_APP_ID="+appID, "PUSHER_APP_KEY="+appKey, "PUSHER_APP_SECRET="+appSecret,
				"PUSHER_SCHEME=http", "PUSHER_HOST="+at.Hostname(), "PUSHER_PORT="+at.Port())
			token := h.token()
			ctx, stop := context.WithCancel(t.Context())
			var posters sync.WaitGroup
			for range 4 {
				posters.Go(func() { y.post(ctx, h, token) })
			}
			for range kills {
				h.start()
				randomPause()
				h.kill()
			}
			h.start()
			stop()
			posters.Wait()
			y.await(t)
			y.check(t, true)
			h.settled()
		})
	}
}

// recorder is a Pusher-compatible target that remembers what it gets.
func recorder(y *tally) http.Handler {
	type event struct{ Data string }
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil { // the sender was killed
			return
		}
		var sent struct {
			event
			Batch []event
		}
		if err := json.Unmarshal(body, &sent); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if sent.Batch == nil {
			sent.Batch = []event{sent.event}
		}
		for _, e := range sent.Batch {
			y.arrived(e.Data)
		}
		io.WriteString(w, "{}")
	})
}

// When only the worker is killed, the hub knows what it has delivered: each
// event reaches a subscriber once.
func TestKilledWorkerLosesNothingAndRepeatsNothing(t *testing.T) {
	for name, env := range durable {
		t.Run(name, func(t *testing.T) {
			y := newTally()
			h := newHost(t, configuration)
			h.env, h.serve = env(t), []string{"--no-workers"}
			token := h.token()
			h.start()
			c := h.connect(h.target(), "news")
			reading, endReading := context.WithCancel(context.Background())
			var all sync.WaitGroup
			t.Cleanup(func() {
				endReading()
				all.Wait()
			})
			all.Go(func() { y.listen(reading, c) })
			ctx, stop := context.WithCancel(t.Context())
			var posters sync.WaitGroup
			for range 4 {
				posters.Go(func() { y.post(ctx, h, token) })
			}
			for range kills {
				w := h.worker()
				w.logged(t, "worker started")
				randomPause()
				w.kill()
			}
			stop()
			posters.Wait()
			w := h.worker()
			defer w.kill()
			y.await(t)
			y.check(t, false)
			h.settled()
		})
	}
}

func (y *tally) listen(ctx context.Context, c *pusherclient.Conn) {
	for {
		m, err := c.Read(ctx)
		if err != nil {
			return
		}
		if m.Event == "tick" {
			y.arrived(m.Text())
		}
	}
}

// workerProcess is a worker of its own.
type workerProcess struct {
	cmd *exec.Cmd
	log *output
}

func (h *host) worker() *workerProcess {
	h.t.Helper()
	w := &workerProcess{cmd: h.command("broadcast:start"), log: newOutput()}
	w.cmd.Stdout, w.cmd.Stderr = w.log, w.log
	if err := w.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(w.kill)
	return w
}

// kill ends the worker with kill -9, if it has not ended.
func (w *workerProcess) kill() {
	if w.cmd.ProcessState == nil {
		w.cmd.Process.Signal(os.Kill)
		w.cmd.Wait()
	}
}

// logged waits for a text in the worker's output.
func (w *workerProcess) logged(t *testing.T, text string) {
	t.Helper()
	for deadline := time.Now().Add(patience); !strings.Contains(w.log.String(), text); {
		if time.Now().After(deadline) {
			t.Fatalf("the worker does not log %q:\n%s", text, w.log)
		}
		time.Sleep(10 * time.Millisecond) // a look at what another process does
	}
}
