package appstore_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/appstore"
)

// every names all limits, each with a value of its own.
func every() map[string]int64 {
	limits := map[string]int64{}
	for i, name := range []string{
		"connections", "messages_per_day", "event_data", "client_event_data", "event_name_length", "channel_name_length",
		"channels_per_event", "batch_size", "presence_members", "presence_member_size", "presence_user_id", "user_id", "watchlist",
		"channels_per_connection", "client_events_per_second", "http_requests_per_second", "http_body",
	} {
		limits[name] = int64(7000 + i)
	}
	return limits
}

func TestAdd_KeepsLimitsOriginsAndWebhooks(t *testing.T) {
	eachRoster(t, func(t *testing.T, r *appstore.Roster, served func() []*belfry.App) {
		add(t, r, appstore.New{
			ID: "1", Limits: every(), AllowedOrigins: []string{"app.example.com"},
			Webhooks: []appstore.Webhook{{URL: "https://example.com/hooks", Events: []string{"channel_occupied"}, ChannelPrefix: "private-"}},
		})
		_, err := r.Rotate(t.Context(), "1", appstore.RotateKeep) // must leave the rest alone
		must(t, err)
		all, err := r.All(t.Context())
		must(t, err)
		for _, app := range []*belfry.App{served()[0], all[0]} {
			seen := map[int64]bool{}
			limits := reflect.ValueOf(app.Limits)
			for i := range limits.NumField() {
				seen[limits.Field(i).Int()] = true
			}
			if len(seen) != limits.NumField() || len(seen) != len(every()) || app.Limits.Connections != 7000 || app.Limits.HTTPBody != 7016 {
				t.Errorf("limits = %+v", app.Limits)
			}
			if len(app.AllowedOrigins) != 1 || len(app.Webhooks) != 1 || app.Webhooks[0].URL != "https://example.com/hooks" || app.Webhooks[0].ChannelPrefix != "private-" {
				t.Errorf("app = %+v", app)
			}
		}
	})
}

func TestAdd_RefusesSettingsThatCannotBe(t *testing.T) {
	eachRoster(t, func(t *testing.T, r *appstore.Roster, _ func() []*belfry.App) {
		for name, n := range map[string]appstore.New{
			`"speed"`:         {Limits: map[string]int64{"speed": 1}},
			"connections":     {Limits: map[string]int64{"connections": -2}},
			"http_body":       {Limits: map[string]int64{"http_body": 1 << 40}},
			"an origin":       {AllowedOrigins: []string{"a b"}},
			"a webhook":       {Webhooks: []appstore.Webhook{{URL: "ftp://user:hush@example.com"}}},
			"100 origins":     {AllowedOrigins: strings.Split(strings.Repeat("a,", 101)+"a", ",")},
			"and 100 webhook": {Webhooks: slicesOf(101, appstore.Webhook{URL: "https://example.com"})},
		} {
			if _, err := r.Add(t.Context(), n); belfry.CodeOf(err) != belfry.CodeInvalid || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "hush") {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func slicesOf[T any](n int, v T) (all []T) {
	for range n {
		all = append(all, v)
	}
	return all
}
