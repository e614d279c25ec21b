package appstore

import (
	"fmt"
	"math"
	"net/url"
	"strings"

	"github.com/belfryhq/belfry"
)

// Webhook is one endpoint of an app, as the database keeps it; see
// belfry.Webhook.
type Webhook struct {
	URL           string            `json:"url"`
	Events        []string          `json:"events,omitempty"`
	Headers       map[string]string `json:"headers,omitempty"`
	ChannelPrefix string            `json:"channel_prefix,omitempty"`
	ChannelSuffix string            `json:"channel_suffix,omitempty"`
}

// most bounds the lists of one app.
const most = 100

// setLimit sets the limit that has this name in the configuration, and reports
// whether there is one.
func setLimit(l *belfry.Limits, name string, n int64) bool {
	if name == "messages_per_day" {
		l.MessagesPerDay = n
		return true
	}
	limit := map[string]*int{
		"connections":              &l.Connections,
		"event_data":               &l.EventData,
		"client_event_data":        &l.ClientEventData,
		"event_name_length":        &l.EventNameLength,
		"channel_name_length":      &l.ChannelNameLength,
		"channels_per_event":       &l.ChannelsPerEvent,
		"batch_size":               &l.BatchSize,
		"presence_members":         &l.PresenceMembers,
		"presence_member_size":     &l.PresenceMemberSize,
		"presence_user_id":         &l.PresenceUserID,
		"user_id":                  &l.UserID,
		"watchlist":                &l.Watchlist,
		"channels_per_connection":  &l.ChannelsPerConnection,
		"client_events_per_second": &l.ClientEventsPerSecond,
		"http_requests_per_second": &l.HTTPRequestsPerSecond,
		"http_body":                &l.HTTPBody,
	}[name]
	if limit != nil {
		*limit = int(n)
	}
	return limit != nil
}

// check says what is wrong with the settings of an app to add. Commands have
// read them more closely by then.
func (n New) check() error {
	for name, limit := range n.Limits {
		if !setLimit(new(belfry.Limits), name, 0) {
			return belfry.Errorf(belfry.CodeInvalid, "there is no limit %q", name)
		}
		if limit < belfry.Unlimited || limit > math.MaxInt32 && name != "messages_per_day" {
			return &belfry.Error{
				Code:    belfry.CodeInvalid,
				Message: fmt.Sprintf("the limit %s cannot be %d", name, limit),
				Hint:    fmt.Sprintf("use 0 for off, -1 for no limit, or up to %d", math.MaxInt32),
			}
		}
	}
	for _, origin := range n.AllowedOrigins {
		if origin == "" || len(origin) > 300 || strings.ContainsFunc(origin, func(c rune) bool { return c <= ' ' || c == 0x7f }) {
			return belfry.Errorf(belfry.CodeInvalid, "%.300q cannot be an origin: write app.example.com, *.example.com or https://app.example.com", origin)
		}
	}
	for _, w := range n.Webhooks {
		// The address may hold a password or a token, so it is not shown.
		if u, err := url.Parse(w.URL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || len(w.URL) > 2000 {
			return belfry.Errorf(belfry.CodeInvalid, "the address of a webhook is not one: write https://example.com/hooks")
		}
	}
	if len(n.AllowedOrigins) > most || len(n.Webhooks) > most {
		return belfry.Errorf(belfry.CodeInvalid, "an app has %d origins and %d webhooks at most", most, most)
	}
	return nil
}
