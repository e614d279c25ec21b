package config_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/config"
)

// secretive is a file with a secret in each place that takes one.
const secretive = `apps:
  - id: "1"
    key: k
    secret: zz-secret-1
    secrets: [zz-secret-2, {key: k2, secret: zz-secret-3}]
    encryption_master_key: enotc2VjcmV0LTQgMDEyMzQ1Njc4OTAxMjM0NTY3ODk=
    webhooks: [{url: "https://user:zz-secret-5@h.test/p?token=zz-secret-6", headers: {Authorization: zz-secret-7}}]
pusher: {app_id: 2, app_key: k3, app_secret: zz-secret-8}
database_url: postgres://u:zz-secret-9@h/db?sslmode=disable
redis: {url: "redis://:zz-secret-10@h:6379/0", password: zz-secret-11}
webhook_shared_secret: zz-secret-12,zz-secret-13
dashboards: [{name: d, database: "postgres://u:zz-secret-14@h/db"}]
cluster: [zz-secret-16]
url: https://zz-secret-15@h.test
`

func TestEffectiveMasksSecrets(t *testing.T) {
	c := load(t, secretive)
	for _, s := range c.Effective() {
		if text := fmt.Sprintf("%+v", s.Value+s.Source+s.Key); strings.Contains(text, "zz-secret") || strings.Contains(text, "enotc2Vj") {
			t.Errorf("shows a secret: %s = %s", s.Key, s.Value)
		}
	}
	for key, want := range map[string]string{
		"apps[1].secret":                   "********",
		"apps[1].secrets[1].key":           "k2",
		"apps[1].secrets[1].secret":        "********",
		"apps[1].webhooks[0].url":          "https://user:********@h.test/p?********",
		"apps[1].webhooks[0].headers":      "Authorization: ********",
		"database_url":                     "postgres://u:********@h/db?********",
		"redis.password":                   "********",
		"url":                              "https://********@h.test",
		"dashboards[d].database":           "postgres://u:********@h/db",
		"cluster":                          "(set)",
		"apps[1].cache_ttl":                "30m",
		"apps[1].limits.connections":       "unlimited",
		"apps[1].limits.event_data":        "10KB",
		"apps[1].authorization_timeout":    "30s",
		"apps[1].compat.quota_code":        "4004",
		"server.max_connections":           "unlimited",
		"server.send_buffer":               "1MB",
		"apps[1].encryption_master_key":    "********",
		"webhook_shared_secret":            "********",
		"webhooks.allow_private_addresses": "",
	} {
		if got := setting(t, c, key).Value; got != want {
			t.Errorf("%s is shown as %q, not %q", key, got, want)
		}
	}
	for key, want := range map[string]string{
		"apps[1].secrets[0].secret": "belfry.yaml:5", "apps[1].webhooks[0].url": "belfry.yaml:7", "pusher.app_secret": "belfry.yaml:8", "listen": "default",
	} {
		if got := setting(t, c, key).Source; got != want {
			t.Errorf("%s comes from %q, not %q", key, got, want)
		}
	}
	if got := setting(t, load(t, ""), "pusher.app_secret").Source; got != "generated" {
		t.Errorf("secret of the generated app comes from %q", got)
	}
}

func TestDiff(t *testing.T) {
	old := load(t, `listen: ":1"
apps:
  - {id: 1, key: a, secret: old-s, limits: {connections: 5}}
  - {id: 2, key: b, secret: s}
  - {id: 3, key: c, secret: s, webhooks: [{url: "https://h.test"}]}
log: {level: info}
channels: [{name: a, allow: one}]
dashboards: [{name: d, database: belfry, title: one}]
`)
	new := load(t, `log: {level: debug}
listen: ":1"
apps:
  - {id: 4, key: d, secret: s}
  - {id: 3, key: c, secret: s}
  - {id: 1, key: a, secret: new-s, limits: {connections: unlimited}}
channels: [{name: a, allow: two}]
dashboards: [{name: d, database: belfry, title: two}]
`)
	want := []config.Change{
		{Key: "apps[2]", Old: "present"},
		{Key: "apps[4]", New: "present"},
		{Key: "log.level", Old: "info", New: "debug", NeedsRestart: true},
		{Key: "apps[1].secret", Old: "********", New: "******** (changed)"},
		{Key: "apps[1].limits.connections", Old: "5", New: "unlimited"},
		{Key: "apps[3].webhooks[0].url", Old: "https://h.test"},
		{Key: "channels[0].allow", Old: "one", New: "two"},
		{Key: "dashboards[d].title", Old: "one", New: "two"},
	}
	got := config.Diff(old, new)
	got = slices.DeleteFunc(got, func(c config.Change) bool {
		return strings.HasPrefix(c.Key, "apps[3].webhooks[0].") && c.Key != "apps[3].webhooks[0].url"
	})
	if !slices.Equal(got, want) {
		t.Errorf("got:")
		for _, c := range got {
			t.Errorf("%+v", c)
		}
	}
	if again := config.Diff(new, new); len(again) != 0 {
		t.Errorf("a config differs from itself: %+v", again)
	}
}

func TestPublicExampleIsRefused(t *testing.T) {
	soketi := []string{"SOKETI_DEFAULT_APP_ID=app-id", "SOKETI_DEFAULT_APP_KEY=app-key", "SOKETI_DEFAULT_APP_SECRET=app-secret"}
	c := load(t, "", soketi...)
	want := `environment: SOKETI_DEFAULT_APP_SECRET: the secret of app "app-id" is an example from public documents, and the server listens on :6001, where others reach it; make a secret of your own (openssl rand -hex 32), or listen on 127.0.0.1:6001`
	if err := c.RefusesPublicExample(); err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
	for _, listen := range []string{"127.0.0.1:6001", "localhost:0", "[::1]:80"} {
		if err := load(t, "", append(soketi, "BELFRY_LISTEN="+listen)...).RefusesPublicExample(); err != nil {
			t.Errorf("on %s: %v", listen, err)
		}
	}
	for _, listen := range []string{"0.0.0.0:6001", "[::]:1", "192.0.2.1:1", "host.test:1"} {
		if err := load(t, "", append(soketi, "BELFRY_LISTEN="+listen)...).RefusesPublicExample(); err == nil {
			t.Errorf("on %s: not refused", listen)
		}
	}
	same := load(t, "apps: [{id: 1, key: own-key, secret: own-key}]\n")
	if err := same.RefusesPublicExample(); err == nil || !strings.HasPrefix(err.Error(), `belfry.yaml:1:38: apps[0].secret: the secret of app "1" is the same as`) {
		t.Errorf("same as the key: %v", err)
	}
	if err := load(t, "apps: [{id: 1, key: k, secret: really-my-own}]\n").RefusesPublicExample(); err != nil {
		t.Errorf("own secret: %v", err)
	}
}

func TestLargeFileIsReadInReasonableTime(t *testing.T) {
	var b strings.Builder
	b.WriteString("apps:\n")
	for i := range 500 {
		fmt.Fprintf(&b, "  - id: %d\n    key: key%d\n    secret: s%d\n    limits: {connections: 10}\n    webhooks: [{url: \"https://h.test/%d\"}]\n", i, i, i, i)
	}
	start := time.Now()
	if c := load(t, b.String()); len(c.Apps()) != 500 {
		t.Errorf("%d apps", len(c.Apps()))
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("2,500 lines took %s", took)
	}
}
