package ingest_test

import (
	"bytes"
	"database/sql"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/identity"
	"github.com/belfryhq/belfry/internal/ingest"
	"github.com/belfryhq/belfry/internal/store"
	"github.com/belfryhq/belfry/webhook"
)

func TestTake_CarriesOutWhatIsSigned(t *testing.T) {
	f := newFixture(t, "")
	first := f.takes(f.Ingest, plain(secret, body))
	if first.Status != ingest.StatusOK || first.Dashboard != "default" || first.Range != "this_week" || first.ID == "" {
		t.Errorf("answered %+v", first)
	}
	for _, c := range []struct{ body, want string }{
		{`{}`, "default/today/"},
		{`{"reason": null, "range": null, "dashboard": null, "stats": null}`, "default/today/"},
		{`{"dashboard": "staff", "range": "today", "reason": "a\u0000b\n\u202ec", "own": [1]}`, "staff/today/a b c"},
		{`{"reason": "` + strings.Repeat("é", 300) + `"}`, "default/today/" + strings.Repeat("é", 98) + "…"},
	} {
		f.takes(f.Ingest, plain(secret, []byte(c.body)))
		if told := f.boards.told(); told[len(told)-1] != c.want {
			t.Errorf("%.80s: carried out %q, want %q", c.body, told[len(told)-1], c.want)
		}
	}
	// The plain scheme has no id: a repeat is a call like any other.
	if again := f.takes(f.Ingest, plain(secret, body)); again.Status != ingest.StatusOK || again.ID == first.ID {
		t.Errorf("again answered %+v", again)
	}
}

func TestTake_AnswersEachFault(t *testing.T) {
	f := newFixture(t, "")
	bare := func(h http.Header, body string) ingest.Received {
		return ingest.Received{Header: h, Body: []byte(body), From: here}
	}
	none := f.another()
	for _, c := range []struct {
		name string
		in   *ingest.Ingest
		call ingest.Received
		code belfry.Code
		says string
	}{
		{"no signature", f.Ingest, bare(http.Header{}, "{}"), ingest.CodeMissing, "no signature"},
		{"empty signature", f.Ingest, bare(http.Header{webhook.HeaderSignature: {""}}, "{}"), ingest.CodeMissing, "empty"},
		{"other secret", f.Ingest, plain("another-secret-altogether", body), ingest.CodeWrong, "this secret"},
		{"not hexadecimal", f.Ingest, bare(http.Header{webhook.HeaderSignature: {"sha256=zz"}}, "{}"), ingest.CodeWrong, "hexadecimal"},
		{"other body", f.Ingest, bare(plain(secret, body).Header, "{}"), ingest.CodeWrong, "this body"},
		{"old", f.Ingest, standard(t, secret, "msg_1", start.Add(-6*time.Minute), body), ingest.CodeOld, "6m0s old"},
		{"from the future", f.Ingest, standard(t, secret, "msg_1", start.Add(6*time.Minute), body), ingest.CodeOld, "in the future"},
		{"no secret", none, plain(secret, body), ingest.CodeNoSecret, "no secret"},
		{"secret that is none", f.another("whsec_!"), standard(t, secret, "msg_1", start, body), ingest.CodeNoSecret, "whsec_"},
		{"not JSON", f.Ingest, plain(secret, []byte(`{"reason": x}`)), belfry.CodeInvalid, "not JSON: invalid character 'x'"},
		{"empty", f.Ingest, plain(secret, nil), belfry.CodeInvalid, "not JSON"},
		{"no object", f.Ingest, plain(secret, []byte(`null`)), belfry.CodeInvalid, "JSON object"},
		{"list", f.Ingest, plain(secret, []byte(`[]`)), belfry.CodeInvalid, "JSON object"},
		{"wrong types", f.Ingest, plain(secret, []byte(`{"range": 1, "reason": {}}`)), belfry.CodeInvalid, "range must be a text; reason must be a text"},
		{"range", f.Ingest, plain(secret, []byte(`{"range": "century"}`)), belfry.CodeInvalid, "today, this_week"},
		{"dashboard", f.Ingest, plain(secret, []byte(`{"dashboard": "nope"}`)), belfry.CodeNotFound, "default, staff"},
		{"too large", f.Ingest, plain(secret, bytes.Repeat([]byte(" "), webhook.MaxBody+1)), belfry.CodeTooLarge, "64 KB"},
	} {
		err := f.refuses(c.in, c.call, c.code)
		if err == nil || !strings.Contains(belfry.Public(err), c.says) {
			t.Errorf("%s: says %v, want %q", c.name, err, c.says)
		}
		if e := c.in.Recent()[0]; e.Result != string(c.code) || e.Address != "192.0.2.7" || e.Size != len(c.call.Body) || e.Error == "" {
			t.Errorf("%s: the entry is %+v", c.name, e)
		}
		if c.in.Stats().Calls[string(c.code)] == 0 {
			t.Errorf("%s: not counted", c.name)
		}
		if text := f.log.String(); strings.Contains(text, secret) || strings.Contains(text, webhook.Sign(secret, body)) {
			t.Fatalf("%s: the log shows a secret or a signature", c.name)
		}
	}
	f.takes(f.Ingest, plain(secret, append([]byte("{}"), bytes.Repeat([]byte(" "), webhook.MaxBody-2)...)))
}

func TestTake_CarriesOutEachMessageOnce(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		other := f.another(secret) // another server, whose memory knows nothing
		call := standard(t, secret, "msg_1", start, body)
		first := f.takes(f.Ingest, call)
		for _, in := range []*ingest.Ingest{f.Ingest, other, other} {
			again := f.takes(in, call)
			if want := (ingest.Result{Status: ingest.StatusDuplicate, Dashboard: "default", Range: "this_week", ID: first.ID}); again != want {
				t.Errorf("again answered %+v, want %+v", again, want)
			}
		}
		// A sender's own repeat is signed anew.
		f.pass(4 * time.Minute)
		if again := f.takes(other, standard(t, secret, "msg_1", f.clock(), body)); again.Status != ingest.StatusDuplicate {
			t.Errorf("signed anew answered %+v", again)
		}
		for _, in := range []*ingest.Ingest{f.Ingest, f.another(secret)} {
			f.refuses(in, standard(t, secret, "msg_1", f.clock(), []byte(`{"reason":"another"}`)), ingest.CodeReplayed)
		}
		f.pass(6 * time.Minute)
		f.refuses(f.Ingest, call, ingest.CodeOld)
		f.takes(f.Ingest, standard(t, secret, "msg_2", f.clock(), body))
		if told := f.boards.told(); len(told) != 2 {
			t.Errorf("carried out %q", told)
		}
	})
}

func TestTake_CarriesOutOneOfManyAtOnce(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		servers := []*ingest.Ingest{f.Ingest, f.another(secret), f.another(secret)}
		call := standard(t, secret, "msg_1", start, body)
		var wait sync.WaitGroup
		var mu sync.Mutex
		got := map[string]int{}
		for i := range 12 {
			wait.Go(func() {
				result, err := servers[i%len(servers)].Take(t.Context(), call)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
				}
				got[result.Status]++
			})
		}
		wait.Wait()
		if got[ingest.StatusOK] != 1 || got[ingest.StatusDuplicate] != 11 || len(f.boards.told()) != 1 {
			t.Errorf("answers %v, carried out %d times", got, len(f.boards.told()))
		}
	})
}

// What could not be carried out is carried out when it is sent again.
func TestTake_ForgetsTheIDOfWhatFailed(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		call := standard(t, secret, "msg_1", start, body)
		f.boards.breaks(belfry.Errorf(belfry.CodeUnavailable, "stopping"))
		f.refuses(f.Ingest, call, belfry.CodeUnavailable)
		f.boards.breaks(nil)
		if result := f.takes(f.Ingest, call); result.Status != ingest.StatusOK || len(f.boards.told()) != 1 {
			t.Errorf("answered %+v, carried out %q", result, f.boards.told())
		}
	})
}

func TestTake_WithoutTheDatabase(t *testing.T) {
	f := newFixture(t, "")
	known := standard(t, secret, "msg_1", start, body)
	f.takes(f.Ingest, known)
	must(t, f.db.Close())
	f.refuses(f.Ingest, standard(t, secret, "msg_2", start, body), belfry.CodeUnavailable)
	f.takes(f.Ingest, plain(secret, body))
	if again := f.takes(f.Ingest, known); again.Status != ingest.StatusDuplicate {
		t.Errorf("a known one answered %+v", again)
	}
	unreached, err := store.Open(store.Config{URL: "postgres://belfry:none@127.0.0.1:1/belfry"})
	must(t, err)
	t.Cleanup(func() { unreached.Close() })
	f.db = unreached
	err = f.refuses(f.another(secret), standard(t, secret, "msg_2", start, body), belfry.CodeUnavailable)
	if text := belfry.Public(err); strings.Contains(text, "127.0.0.1") || !strings.Contains(text, "not taken") {
		t.Errorf("says %q", text)
	}
}

func TestTake_LimitsWhatIsRefused(t *testing.T) {
	left := 3
	f := newFixture(t, "", func(c *ingest.Config) {
		c.Limit = func(from netip.Addr) error {
			if from != here {
				return nil
			}
			if left--; left >= 0 {
				return nil
			}
			return &identity.LimitError{After: 7 * time.Second, Err: belfry.Errorf(belfry.CodeRateLimited, "too many")}
		}
	})
	wrong := plain("another-secret-altogether", body)
	f.refuses(f.Ingest, wrong, ingest.CodeWrong)
	f.refuses(f.Ingest, ingest.Received{Header: http.Header{}, Body: body, From: here}, ingest.CodeMissing)
	f.refuses(f.Ingest, plain(secret, make([]byte, webhook.MaxBody+1)), belfry.CodeTooLarge)
	for range 300 {
		f.refuses(f.Ingest, wrong, belfry.CodeRateLimited)
	}
	if list := f.Recent(); len(list) != 4 || list[0].Count != 300 || list[0].Result != "rate_limited" {
		t.Errorf("the entries are %+v", list)
	}
	if n := strings.Count(f.log.String(), "result=rate_limited"); n != 1 {
		t.Errorf("%d lines in the log: %s", n, f.log)
	}
	f.takes(f.Ingest, plain(secret, body)) // what is right is never limited
	elsewhere := wrong
	elsewhere.From = netip.MustParseAddr("192.0.2.8")
	f.refuses(f.Ingest, elsewhere, ingest.CodeWrong)
	f.pass(2 * time.Minute)
	f.refuses(f.Ingest, wrong, belfry.CodeRateLimited)
	if e := f.Recent()[0]; e.Count != 1 || e.Result != "rate_limited" {
		t.Errorf("two minutes later the entry is %+v", e)
	}
}

func TestRecent_KeepsTheLast200(t *testing.T) {
	f := newFixture(t, "")
	f.SetSecrets([]string{secret, older})
	for range 205 {
		f.takes(f.Ingest, plain(secret, []byte("{}")))
	}
	f.pass(time.Second)
	f.takes(f.Ingest, standard(t, older, "msg_9", start, body))
	list := f.Recent()
	if len(list) != 200 {
		t.Fatalf("there are %d", len(list))
	}
	want := ingest.Entry{ID: list[0].ID, At: start.Add(time.Second), Address: "192.0.2.7", Scheme: "standard", Result: "ok", Size: len(body),
		Dashboard: "default", Range: "this_week", Reason: "checkin created", WebhookID: "msg_9", Secret: 2, Count: 1}
	if list[0] != want {
		t.Errorf("the newest is %+v, want %+v", list[0], want)
	}
	if s := f.Stats(); s.Calls["ok"] != 206 || s.OldSecret != 1 {
		t.Errorf("counts: %+v", s)
	}
	for _, result := range ingest.Results() {
		if _, ok := f.Stats().Calls[result]; !ok {
			t.Errorf("%s is not counted", result)
		}
	}
}

func TestRun_ForgetsOldIDs(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.takes(f.Ingest, standard(t, secret, "msg_old", start, body))
		f.pass(16 * time.Minute) // five until it is old, ten for clocks that differ
		f.takes(f.Ingest, standard(t, secret, "msg_new", f.clock(), body))
		ids := func() (list []string) {
			rows, err := f.db.Query(t.Context(), `SELECT id FROM webhook_ids ORDER BY id`)
			must(t, store.Each(rows, err, func(rows *sql.Rows) error {
				list = append(list, "")
				return rows.Scan(&list[len(list)-1])
			}))
			return list
		}
		if got := ids(); len(got) != 2 {
			t.Fatalf("kept are %q", got)
		}
		f.runs(f.another(secret))
		f.eventually(f.Ingest, "the old id is forgotten", func(ingest.Entry) bool { return slices.Equal(ids(), []string{"msg_new"}) })
	})
}
