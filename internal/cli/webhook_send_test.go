package cli_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/cli"
	"github.com/belfryhq/belfry/webhook"
)

// A receiver that verifies takes what the command sends, byte for byte, and a
// refusal is shown with a hint.
func TestWebhookSend(t *testing.T) {
	const secret = "s3cret"
	verifier := webhook.Verifier{Secrets: []string{secret}}
	type received struct {
		webhook.Verified
		body string
	}
	got := make(chan received, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		v, err := verifier.Verify(r.Header, body, time.Now())
		if err != nil {
			http.Error(w, "wrong signature", http.StatusForbidden)
			return
		}
		got <- received{v, string(body)}
	}))
	defer srv.Close()
	dir := t.TempDir()
	const text = "{\"reason\": \"x\",\r\n \"stats\": null}\n"
	if err := os.WriteFile(filepath.Join(dir, "body.json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(secret string, args ...string) (int, string, string) {
		var out, complaints bytes.Buffer
		p := &cli.Program{
			Stdin: strings.NewReader(""), Stdout: &out, Stderr: &complaints, Dir: dir,
			Environ: []string{"SERVICES_WEBHOOK_SHARED_SECRET=" + secret, "BELFRY_DATA_DIR=" + dir},
		}
		code := p.Run(t.Context(), append([]string{"webhook:send", srv.URL}, args...))
		return code, out.String(), complaints.String()
	}
	for _, c := range []struct {
		args []string
		body string
		want webhook.Scheme
	}{
		{[]string{"body.json", "--id", "msg_7"}, text, webhook.Standard},
		{[]string{"body.json", "--scheme", "plain"}, text, webhook.Plain},
		{[]string{"--reason", "a <b>", "--range", "today"}, `{"reason":"a \u003cb\u003e","stats":null,"range":"today"}`, webhook.Standard},
	} {
		code, out, complaints := run(secret, c.args...)
		if code != 0 {
			t.Fatalf("%v: %d\n%s%s", c.args, code, out, complaints)
		}
		if r := <-got; r.Scheme != c.want || r.body != c.body || c.args[1] == "--id" && r.ID != "msg_7" {
			t.Errorf("%v: %+v", c.args, r)
		}
	}

	code, _, complaints := run("another", "body.json")
	if code != 1 || !strings.Contains(complaints, "the receiver answered 403 Forbidden: wrong signature\nhint: compare SERVICES_WEBHOOK_SHARED_SECRET") {
		t.Errorf("%d: %s", code, complaints)
	}
	code, out, _ := run("another", "body.json", "--json")
	var p struct {
		OK     bool
		Status int
	}
	if err := json.Unmarshal([]byte(out), &p); code != 1 || err != nil || p.OK || p.Status != 403 {
		t.Errorf("%d: %s", code, out)
	}
}
