package config_test

import (
	"strings"
	"testing"

	"github.com/belfryhq/belfry/internal/config"
)

func TestWhoAnswersForPushMessages(t *testing.T) {
	for text, want := range map[string]string{
		"":                                       "https://localhost",
		"url: https://events.example.com:8443/x": "https://events.example.com",
		"url: http://[::1]:6001":                 "https://[::1]",
		"push: {subject: ops@example.com}":       "mailto:ops@example.com",
		"push: {subject: \"mailto:ops@example.com\"}": "mailto:ops@example.com",
		"push: {subject: \"https://example.com/me\"}": "https://example.com/me",
	} {
		if got := load(t, text).PushSubject(); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	for _, text := range []string{"nobody", "http://example.com", "https://", "Ops <ops@example.com>", "mailto:"} {
		faults := strings.Join(faultsOf(t, config.Options{Dir: folder(t, map[string]string{"belfry.yaml": "push: {subject: \"" + text + "\"}"})}), " ")
		if !strings.Contains(faults, "push.subject") {
			t.Errorf("%q: %s", text, faults)
		}
	}
	c := load(t, "push: {enabled: false, allow_private_addresses: [10.0.0.0/8], ttl: 24h}")
	if c.Push.Enabled || len(c.Push.AllowPrivateAddresses) != 1 || c.Push.TTL.Hours() != 24 || !load(t, "").Push.Enabled {
		t.Errorf("%+v", c.Push)
	}
}
