package ingest_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/ingest"
	"github.com/belfryhq/belfry/webhook"
)

func TestRun_NamesTheMistakeWithoutTellingTheCaller(t *testing.T) {
	f := newFixture(t, "", func(c *ingest.Config) {
		c.DiagnoseEvery = time.Millisecond
		c.Others = func() []webhook.Other {
			return []webhook.Other{{Name: "the secret of app 1001", Secret: "the-secret-of-the-app"}}
		}
	})
	in := f.another(secret, older)
	f.runs(in)
	compact := []byte(`{"reason":"checkin created","stats":{"students":1},"range":"this_week"}`)
	both := secret + "," + older
	for _, c := range []struct{ name, signature, want string }{
		{"re-serialised", webhook.Sign(secret, compact), "written again as JSON"},
		{"newline", webhook.Sign(secret+"\n", body), "newline around it"},
		{"space", webhook.Sign(" "+older, body), "space or newline around it"},
		{"prefix", "sha256=" + webhook.Sign(secret, body), "the prefix sha256="},
		{"both secrets", webhook.Sign(both, body), "the whole list of secrets"},
		{"an app's", webhook.Sign("the-secret-of-the-app", body), "another secret: the secret of app 1001"},
		{"unknown", webhook.Sign("nobody knows this one", body), "no common mistake"},
		{"none", "", "no signature was sent"},
	} {
		call := plain(secret, body)
		call.Header.Set(webhook.HeaderSignature, c.signature)
		_, err := in.Take(t.Context(), call)
		if err == nil || c.want != "" && strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: the caller is told %v", c.name, err)
		}
		e := f.eventually(in, c.name+" is diagnosed", func(e ingest.Entry) bool { return e.Diagnosis != "" })
		if !strings.Contains(e.Diagnosis, c.want) {
			t.Errorf("%s: found %q, want %q", c.name, e.Diagnosis, c.want)
		}
	}
	if told := f.boards.told(); len(told) != 0 {
		t.Errorf("carried out %q", told)
	}
	in.SetSecrets([]string{"the-newest-secret-of-them-all"})
	f.pass(time.Hour)
	_, _ = in.Take(t.Context(), plain(older, body))
	e := f.eventually(in, "the replaced secret is found", func(e ingest.Entry) bool { return e.Diagnosis != "" })
	if e.Diagnosis != "the sender signs with another secret: one that was replaced here at 2026-11-22 12:00 UTC" {
		t.Errorf("found %q", e.Diagnosis)
	}
	for _, never := range []string{secret, older, "the-secret-of-the-app", "the-newest-secret", webhook.Sign(secret, body), "students"} {
		if strings.Contains(f.log.String(), never) {
			t.Errorf("the log shows %q", never)
		}
	}
	f.logs("likely=")
}

// A flood of wrong calls is answered at once, and only some of it diagnosed.
func TestRun_DiagnosesFew(t *testing.T) {
	f := newFixture(t, "", func(c *ingest.Config) { c.DiagnoseEvery = time.Hour })
	for range 50 {
		f.refuses(f.Ingest, plain("another-secret-altogether", body), ingest.CodeWrong)
	}
	list := f.Recent()
	waiting, given := 0, 0
	for _, e := range list {
		switch {
		case e.Diagnosis == "":
			waiting++
		case strings.HasPrefix(e.Diagnosis, "not diagnosed"):
			given++
		}
	}
	if len(list) != 50 || waiting != 8 || given != 42 {
		t.Errorf("%d of %d wait, %d are given up", waiting, len(list), given)
	}
	if n := strings.Count(f.log.String(), `likely="not diagnosed`); n != 42 {
		t.Errorf("%d lines in the log", n)
	}
	f.runs(f.Ingest)
	f.pass(time.Second)
	f.eventually(f.Ingest, "one is diagnosed", func(ingest.Entry) bool {
		for _, e := range f.Recent() {
			if strings.HasPrefix(e.Diagnosis, "no common") {
				return true
			}
		}
		return false
	})
	n := 0
	for _, e := range f.Recent() {
		if strings.HasPrefix(e.Diagnosis, "no common") {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d are diagnosed within the hour", n)
	}
}

func TestSetSecrets(t *testing.T) {
	f := newFixture(t, "")
	weak := []string{"changeme", "brief-one", strings.Repeat("x", 40)}
	f.SetSecrets(append([]string{" ", secret + "\n"}, weak...))
	f.takes(f.Ingest, plain(secret, body))
	for _, want := range []string{`which="2 of 4"`, "an example from public documents", `which="3 of 4"`, "shorter than 16", `which="4 of 4"`, "one character"} {
		f.logs(want)
	}
	for _, never := range weak {
		if strings.Contains(f.log.String(), never) {
			t.Errorf("the log shows %q", never)
		}
	}
	lines := strings.Count(f.log.String(), "is weak")
	f.SetSecrets(append([]string{"a-new-secret-that-is-long"}, weak...))
	if n := strings.Count(f.log.String(), "is weak"); n != lines || n != 3 {
		t.Errorf("warned %d times, then %d", lines, n)
	}
	f.refuses(f.Ingest, plain(secret, body), ingest.CodeWrong)
	f.takes(f.Ingest, plain("a-new-secret-that-is-long", body))
	for range 10 { // what was in force is not remembered without end
		f.SetSecrets([]string{secret})
		f.SetSecrets([]string{older})
	}
	f.SetSecrets(nil)
	f.refuses(f.Ingest, plain("", body), ingest.CodeNoSecret)
	f.refuses(f.Ingest, plain("", body), ingest.CodeNoSecret)
	if e := f.Recent()[0]; e.Count != 2 {
		t.Errorf("the entry is %+v", e)
	}
	f.logs("set SERVICES_WEBHOOK_SHARED_SECRET")
}

func FuzzTake(f *testing.F) {
	at := start
	good := standard(f, secret, "msg_1", at, body)
	f.Add(webhook.Sign(secret, body), "msg_1", "1700000000", good.Header.Get(webhook.HeaderStandardSignature), body)
	f.Add("sha256="+webhook.Sign(secret+"\n", body), "", "", "", []byte(`{"range": 1}`))
	f.Add("", "a.b", "-1", "v1,", []byte("\xef\xbb\xbf{}"))
	fix := newFixture(f, "", func(c *ingest.Config) { c.DiagnoseEvery, c.Logger = time.Nanosecond, nil })
	fix.runs(fix.Ingest)
	f.Fuzz(func(t *testing.T, plainly, id, stamp, standardly string, body []byte) {
		h := http.Header{"X-Hub-Signature-256": {plainly}}
		for name, value := range map[string]string{webhook.HeaderSignature: plainly, webhook.HeaderID: id, webhook.HeaderTimestamp: stamp, webhook.HeaderStandardSignature: standardly} {
			if value != "" {
				h.Set(name, value)
			}
		}
		v := webhook.Verifier{Secrets: []string{secret}}
		_, wrong := v.Verify(h, body, start)
		result, err := fix.Take(t.Context(), ingest.Received{Header: h, Body: body, From: here})
		if wrong != nil && err == nil {
			t.Errorf("took what is not signed: %+v", result)
		}
		if err != nil && result != (ingest.Result{}) {
			t.Errorf("refused, and answered %+v", result)
		}
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Error("the answer shows the secret")
		}
		if _, ok := errors.AsType[*webhook.VerifyError](wrong); wrong != nil && !ok {
			t.Errorf("an unknown fault: %v", wrong)
		}
	})
}
