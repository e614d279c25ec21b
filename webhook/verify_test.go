package webhook_test

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/webhook"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// signed gives the headers of body.
func signed(t testing.TB, at time.Time, scheme webhook.Scheme, secrets ...string) http.Header {
	t.Helper()
	h := http.Header{}
	if err := webhook.SetHeaders(h, []webhook.Scheme{scheme}, secrets, "msg_1", at, body); err != nil {
		t.Fatal(err)
	}
	return h
}

func TestVerify_AcceptsEachSecret(t *testing.T) {
	v := webhook.Verifier{Secrets: []string{"new", "", " old\n"}}
	for i, secret := range []string{"new", "old"} {
		for _, scheme := range []webhook.Scheme{webhook.Plain, webhook.Standard} {
			got, err := v.Verify(signed(t, now, scheme, secret), body, now)
			if err != nil || got.Scheme != scheme || got.Secret != i {
				t.Errorf("%s with %s: %+v, %v", scheme, secret, got, err)
			}
			if scheme == webhook.Standard && (got.ID != "msg_1" || !got.Until.Equal(now.Add(5*time.Minute))) {
				t.Errorf("%+v", got)
			}
		}
	}
}

func TestVerify_StandardCountsBeforePlain(t *testing.T) {
	v := webhook.Verifier{Secrets: []string{"s3cret"}}
	h := signed(t, now.Add(-time.Hour), webhook.Standard, "s3cret")
	h.Set("X-Webhook-Signature", webhook.Sign("s3cret", body))
	if _, err := v.Verify(h, body, now); reason(err) != webhook.ReasonStale {
		t.Errorf("a replay with both schemes: %v", err)
	}
}

func reason(err error) webhook.Reason {
	var e *webhook.VerifyError
	if errors.As(err, &e) {
		return e.Reason
	}
	return ""
}

func TestVerify_Tolerance(t *testing.T) {
	v := webhook.Verifier{Secrets: []string{"s3cret"}, Tolerance: time.Minute}
	for _, c := range []struct {
		off  time.Duration
		want webhook.Reason
	}{{-time.Minute, ""}, {time.Minute, ""}, {-61 * time.Second, webhook.ReasonStale}, {61 * time.Second, webhook.ReasonStale}} {
		if _, err := v.Verify(signed(t, now.Add(c.off), webhook.Standard, "s3cret"), body, now); reason(err) != c.want {
			t.Errorf("%s off: %v", c.off, err)
		}
	}
}

func TestVerify_Refuses(t *testing.T) {
	plain := webhook.Sign("s3cret", body)
	std := signed(t, now, webhook.Standard, "s3cret")
	with := func(h http.Header, name string, values ...string) http.Header {
		h = h.Clone()
		if h == nil {
			h = http.Header{}
		}
		h[http.CanonicalHeaderKey(name)] = values
		return h
	}
	const sig = "X-Webhook-Signature"
	for _, c := range []struct {
		name    string
		header  http.Header
		secrets []string
		want    webhook.Reason
	}{
		{"no header", nil, nil, webhook.ReasonMissing},
		{"empty header", with(nil, sig, ""), nil, webhook.ReasonMissing},
		{"two headers", with(nil, sig, plain, plain), nil, webhook.ReasonMalformed},
		{"prefix", with(nil, sig, "sha256="+plain), nil, webhook.ReasonMalformed},
		{"cut short", with(nil, sig, plain[:62]), nil, webhook.ReasonMalformed},
		{"not hex", with(nil, sig, strings.Repeat("zz", 32)), nil, webhook.ReasonMalformed},
		{"other secret", with(nil, sig, webhook.Sign("other", body)), nil, webhook.ReasonWrong},
		{"empty secret", with(nil, sig, webhook.Sign("", body)), []string{"", " "}, webhook.ReasonNoSecret},
		{"empty secret beside another", with(nil, sig, webhook.Sign("", body)), []string{"", "s3cret"}, webhook.ReasonWrong},
		{"no id", with(std, "Webhook-Id"), nil, webhook.ReasonMissing},
		{"no timestamp", with(std, "Webhook-Timestamp"), nil, webhook.ReasonMissing},
		{"another id", with(std, "Webhook-Id", "msg_2"), nil, webhook.ReasonWrong},
		{"id with a full stop", with(std, "Webhook-Id", "msg.1"), nil, webhook.ReasonMalformed},
		{"long id", with(std, "Webhook-Id", strings.Repeat("x", 257)), nil, webhook.ReasonMalformed},
		{"another timestamp", with(std, "Webhook-Timestamp", strconv.FormatInt(now.Unix()+1, 10)), nil, webhook.ReasonWrong},
		{"signed timestamp", with(std, "Webhook-Timestamp", "+1"), nil, webhook.ReasonMalformed},
		{"far timestamp", with(std, "Webhook-Timestamp", "99999999999999999999"), nil, webhook.ReasonMalformed},
		{"two signature headers", with(std, "Webhook-Signature", std.Get("Webhook-Signature"), "v1,x"), nil, webhook.ReasonMalformed},
		{"only another version", with(std, "Webhook-Signature", "v1a,"+strings.TrimPrefix(std.Get("Webhook-Signature"), "v1,")), nil, webhook.ReasonMalformed},
		{"bad secret", std, []string{"whsec_!"}, webhook.ReasonNoSecret},
	} {
		secrets := c.secrets
		if secrets == nil {
			secrets = []string{"s3cret"}
		}
		v := webhook.Verifier{Secrets: secrets}
		got, err := v.Verify(c.header, body, now)
		if reason(err) != c.want || got != (webhook.Verified{}) {
			t.Errorf("%s: %+v, %v; want %s", c.name, got, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: the error shows the secret", c.name)
		}
	}
	v := webhook.Verifier{Secrets: []string{"s3cret"}}
	if _, err := v.Verify(signed(t, now, webhook.Plain, "s3cret"), append(body, ' '), now); reason(err) != webhook.ReasonWrong {
		t.Errorf("another body: %v", err)
	}
}

func FuzzVerify(f *testing.F) {
	f.Add("", "", "", "", []byte("x"))
	f.Add(webhook.Sign("s3cret", body), "msg_1", "1700000000", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", body)
	v := webhook.Verifier{Secrets: []string{"s3cret"}}
	f.Fuzz(func(t *testing.T, plain, id, stamp, standard string, body []byte) {
		h := http.Header{"X-Webhook-Signature": {plain}, "Webhook-Id": {id}, "Webhook-Timestamp": {stamp}}
		if standard != "" {
			h["Webhook-Signature"] = []string{standard}
		}
		_, err := v.Verify(h, body, now)
		if err == nil && (standard != "" || !strings.EqualFold(plain, webhook.Sign("s3cret", body))) {
			t.Error("accepted")
		}
		if said := webhook.Diagnose(h, body, v.Secrets); strings.Contains(said, "s3cret") {
			t.Error(said)
		}
	})
}
