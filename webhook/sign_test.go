package webhook_test

import (
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/webhook"
)

var body = []byte(`{"reason":"checkin","stats":null,"range":"this_week"}`)

// What others make of the same body and secret.
func TestSign_EqualsOpensslAndPython(t *testing.T) {
	for _, secret := range []string{"s3cret", "with space and $", "whsec_c2VjcmV0c2VjcmV0c2VjcmV0"} {
		for _, body := range []string{string(body), "", "{\"reason\": \"ärger ☃\"}\r\n"} {
			want := webhook.Sign(secret, []byte(body))
			for _, command := range [][]string{
				{"openssl", "dgst", "-sha256", "-hmac", secret},
				{"python3", "-c", "import sys, hmac, hashlib; print(hmac.new(sys.argv[1].encode(), sys.stdin.buffer.read(), hashlib.sha256).hexdigest())", secret},
			} {
				cmd := exec.Command(command[0], command[1:]...)
				cmd.Stdin = strings.NewReader(body)
				out, err := cmd.Output()
				if err != nil {
					t.Fatalf("%s: %v", command[0], err)
				}
				fields := strings.Fields(string(out))
				if got := fields[len(fields)-1]; got != want {
					t.Errorf("%s makes %s of %q, Sign %s", command[0], got, body, want)
				}
			}
		}
	}
}

// The example of the Standard Webhooks specification's libraries.
func TestSignStandard_EqualsThePublishedExample(t *testing.T) {
	const id, want = "msg_p5jXN8AQM9LWM0D4loKWxJek", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	at, body := time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`)
	got, err := webhook.SignStandard("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", id, at, body)
	if err != nil || got != want {
		t.Errorf("SignStandard = %s, %v, want %s", got, err, want)
	}
	h := http.Header{"Webhook-Id": {id}, "Webhook-Timestamp": {"1614265330"}, "Webhook-Signature": {want}}
	for _, secret := range []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"} {
		v := webhook.Verifier{Secrets: []string{secret}}
		if got, err := v.Verify(h, body, at); err != nil || got.ID != id || !got.Timestamp.Equal(at) {
			t.Errorf("Verify = %+v, %v", got, err)
		}
	}
}

func TestSignStandard_RefusesASecretThatIsNotBase64(t *testing.T) {
	for _, secret := range []string{"whsec_", "whsec_not base64!"} {
		if _, err := webhook.SignStandard(secret, "msg_1", time.Unix(1, 0), body); err == nil || strings.Contains(err.Error(), "not base64!") {
			t.Errorf("%q: %v", secret, err)
		}
	}
}

func TestSetHeaders(t *testing.T) {
	h := http.Header{}
	at := time.Unix(1700000000, 0)
	err := webhook.SetHeaders(h, []webhook.Scheme{webhook.Plain, webhook.Standard}, []string{" new ", "", "old"}, "msg_1", at, body)
	if err != nil {
		t.Fatal(err)
	}
	if got := h.Get("X-Webhook-Signature"); got != webhook.Sign("new", body) {
		t.Errorf("plain: %s", got)
	}
	if n := len(strings.Fields(h.Get("webhook-signature"))); n != 2 {
		t.Errorf("%d standard signatures, want one of each secret", n)
	}
	if err := webhook.SetHeaders(h, []webhook.Scheme{webhook.Plain}, []string{" "}, "msg_1", at, body); err == nil {
		t.Error("a blank secret signs")
	}
	if err := webhook.SetHeaders(h, []webhook.Scheme{"rot13"}, []string{"x"}, "msg_1", at, body); err == nil {
		t.Error("an unknown scheme signs")
	}
}

func TestParseSecrets(t *testing.T) {
	got := webhook.ParseSecrets(" one ,, two\n")
	if len(got) != 2 || got[0] != "one" || got[1] != "two" {
		t.Errorf("ParseSecrets = %q", got)
	}
	if got := webhook.ParseSecrets(" , "); len(got) != 0 {
		t.Errorf("ParseSecrets of nothing = %q", got)
	}
}
