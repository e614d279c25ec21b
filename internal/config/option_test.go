package config_test

import (
	"strings"
	"testing"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/config"
)

func TestLimit(t *testing.T) {
	for text, want := range map[string]int64{
		"connections=100":            100,
		"connections=unlimited":      belfry.Unlimited,
		"connections=-1":             belfry.Unlimited,
		"event_data=20KB":            20 << 10,
		"event_data=0":               0,
		"messages_per_day=500000000": 500000000,
	} {
		name, n, err := config.Limit(text)
		if err != nil || n != want || !strings.HasPrefix(text, name+"=") {
			t.Errorf("Limit(%q) = %q, %d, %v", text, name, n, err)
		}
	}
	for text, want := range map[string]string{
		"connections":    "NAME=VALUE",
		"conections=1":   "did you mean connections?",
		"x=1":            "known are connections, messages_per_day",
		"connections=-2": "is not a limit",
		"connections=":   "is not a limit",
		"event_data=20":  "is not a size",
	} {
		if _, _, err := config.Limit(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Limit(%q): %v; want %q", text, err, want)
		}
	}
}

func TestCheckOriginAndWebhook(t *testing.T) {
	for _, text := range []string{"app.example.com", "*.example.com", "https://app.example.com", "*"} {
		if err := config.CheckOrigin(text); err != nil {
			t.Errorf("CheckOrigin(%q): %v", text, err)
		}
	}
	for _, text := range []string{"", "a b", "https://", "https://a.com/path"} {
		if config.CheckOrigin(text) == nil {
			t.Errorf("CheckOrigin(%q) is content", text)
		}
	}
	if err := config.CheckWebhook("https://example.test/hooks"); err != nil {
		t.Error(err)
	}
	for _, text := range []string{"", "ftp://example.test", "example.test", "https://user:hush@"} {
		if err := config.CheckWebhook(text); err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("CheckWebhook(%q): %v", text, err)
		}
	}
}
