package webhook_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/webhook"
)

func raw(secret string, body []byte) []byte {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write(body)
	return m.Sum(nil)
}

func TestDiagnose_NamesTheMistake(t *testing.T) {
	const secret = "s3cret-of-the-receiver"
	sent := []byte(`{"reason":"café/☃ <b> 😀","n":1.0,"stats":null}`)
	sign := webhook.Sign
	bare := sha256.Sum256(sent)
	glued := sha256.Sum256(append([]byte(secret), sent...))
	for _, c := range []struct{ name, signature, want string }{
		{"base64", base64.StdEncoding.EncodeToString(raw(secret, sent)), "base64 instead of hexadecimal"},
		{"base64 of the digits", base64.StdEncoding.EncodeToString([]byte(sign(secret, sent))), "base64 of the hexadecimal"},
		{"prefix", "sha256=" + sign(secret, sent), "prefix sha256="},
		{"quotes", `"` + sign(secret, sent) + `"`, "quotes"},
		{"newline behind the secret", sign(secret+"\n", sent), "newline around it"},
		{"space before the secret", sign(" "+secret, sent), "space or newline around it"},
		{"quoted secret", sign(`"`+secret+`"`, sent), "quotes around it"},
		{"other secret", sign("retired", sent), "another secret: the secret before this one"},
		{"newline behind the body", sign(secret, append(sent, '\n')), "newline after it was signed"},
		{"json.dumps of Python", sign(secret, []byte(`{"reason": "caf\u00e9/\u2603 <b> \ud83d\ude00", "n": 1.0, "stats": null}`)), "written again as JSON"},
		{"json_encode of PHP", sign(secret, []byte(`{"reason":"caf\u00e9\/\u2603 <b> \ud83d\ude00","n":1.0,"stats":null}`)), "written again as JSON"},
		{"sorted keys", sign(secret, []byte(`{"n":1.0,"reason":"café/☃ <b> 😀","stats":null}`)), "written again as JSON"},
		{"indented", sign(secret, []byte("{\n  \"reason\": \"café/☃ <b> 😀\",\n  \"n\": 1.0,\n  \"stats\": null\n}")), "written again as JSON"},
		{"no secret", hex.EncodeToString(bare[:]), "without the secret"},
		{"no HMAC", hex.EncodeToString(glued[:]), "must be their HMAC"},
		{"swapped", sign(string(sent), []byte(secret)), "the body as key"},
		{"empty body", sign(secret, nil), "empty body"},
		{"SHA-512", strings.Repeat("ab", 64), "SHA-512"},
		{"two mistakes", "sha256=" + sign(secret+"\n", sent), "newline around it that the receiver's has not; and it is written with the prefix"},
		{"nothing known", sign("who knows", sent), ""},
		{"right", sign(secret, sent), ""},
	} {
		h := http.Header{"X-Webhook-Signature": {c.signature}}
		got := webhook.Diagnose(h, sent, []string{secret}, webhook.Other{Name: "the secret before this one", Secret: "retired"})
		if !strings.Contains(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		checkTight(t, c.name, got, secret, sent)
		v := webhook.Verifier{Secrets: []string{secret}}
		if _, err := v.Verify(h, sent, now); err == nil && c.name != "right" {
			t.Errorf("%s: accepted", c.name)
		}
	}
}

// checkTight fails when a diagnosis tells what a forger would want.
func checkTight(t *testing.T, name, got, secret string, body []byte) {
	t.Helper()
	for _, part := range []string{secret, "retired", webhook.Sign(secret, body)} {
		if strings.Contains(got, part) {
			t.Errorf("%s: %q shows what it must not", name, got)
		}
	}
}

func TestDiagnose_ReserialisedTheOtherWay(t *testing.T) {
	signed := []byte(`{"reason":"é","stats":null}`)
	sent := []byte(`{"reason": "\u00e9", "stats": null}`)
	h := http.Header{"X-Webhook-Signature": {webhook.Sign("s3cret", signed)}}
	if got := webhook.Diagnose(h, sent, []string{"s3cret"}); !strings.Contains(got, "written again as JSON") {
		t.Errorf("%q", got)
	}
}

func TestDiagnose_SecretsOfTheReceiver(t *testing.T) {
	for _, c := range []struct {
		name    string
		secrets []string
		key     string
		want    string
	}{
		{"the whole list", []string{"one", "two"}, "one,two", "the whole list"},
		{"quotes of the receiver", []string{`"one"`}, "one", "the receiver's secret has quotes"},
		{"space of the receiver", []string{"one\n"}, "one\n", "newline around it"},
		{"decoded", []string{"whsec_c2VjcmV0c2VjcmV0c2VjcmV0"}, "secretsecretsecret", "from base64"},
	} {
		h := http.Header{"X-Webhook-Signature": {webhook.Sign(c.key, body)}}
		if got := webhook.Diagnose(h, body, c.secrets); !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestDiagnose_Standard(t *testing.T) {
	h := signed(t, now, webhook.Standard, "s3cret")
	id, stamp := h.Get("Webhook-Id"), h.Get("Webhook-Timestamp")
	content := append([]byte(id+"."+stamp+"."), body...)
	encode := base64.StdEncoding.EncodeToString
	for _, c := range []struct{ name, signature, want string }{
		{"body alone", "v1," + encode(raw("s3cret", body)), "signs the body alone"},
		{"hexadecimal", "v1," + webhook.Sign("s3cret", content), "would be right, but is written"},
		{"no version", encode(raw("s3cret", content)), "would be right, but is written"},
		{"newline", "v1," + encode(raw("s3cret\n", content)), "newline around it"},
		{"right", "v1," + encode(raw("s3cret", content)), ""},
	} {
		h.Set("Webhook-Signature", c.signature)
		got := webhook.Diagnose(h, body, []string{"s3cret"})
		if !strings.Contains(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestDiagnose_OtherHeaderAndBounds(t *testing.T) {
	h := http.Header{"X-Hub-Signature-256": {"sha256=00"}}
	if got := webhook.Diagnose(h, body, []string{"s3cret"}); !strings.Contains(got, "X-Hub-Signature-256") {
		t.Errorf("%q", got)
	}
	h = http.Header{"X-Webhook-Signature": {webhook.Sign("s3cret\n", make([]byte, webhook.MaxBody+1))}}
	if got := webhook.Diagnose(h, make([]byte, webhook.MaxBody+1), []string{"s3cret"}); got != "" {
		t.Errorf("a body over the bound: %q", got)
	}
	if got := webhook.Diagnose(h, body, []string{" "}); got != "" {
		t.Errorf("without a secret: %q", got)
	}
}

func BenchmarkDiagnose_LargestBody(b *testing.B) {
	large := []byte(`{"reason":"` + strings.Repeat("é/", webhook.MaxBody/3-10) + `"}`)
	h := http.Header{"X-Webhook-Signature": {strings.Repeat("ab", 32)}}
	for b.Loop() {
		webhook.Diagnose(h, large, []string{"one", "two"})
	}
}
