package console

import (
	"errors"
	"net/http"
	"strings"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/appstore"
)

// appLine is one app, without its secrets.
type appLine struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	Key         string   `json:"key"`
	Keys        []string `json:"keys"`
	From        string   `json:"from"` // "database", or where it is configured
	ReadOnly    bool     `json:"read_only"`
	Enabled     bool     `json:"enabled"`
	Secrets     int      `json:"secrets"` // valid ones; two while one is rotated out
	Connections int64    `json:"connections"`
}

func (c *Console) apps(r *http.Request, _ *call) (any, error) {
	entries, err := c.cfg.Apps.List(r.Context())
	if err != nil {
		return nil, err
	}
	open := map[string]int64{}
	for _, s := range c.cfg.Hub.Stats() {
		open[s.App] = s.Connections
	}
	all := []appLine{}
	for _, e := range entries {
		line := appLine{ID: e.ID, Name: e.Name, Keys: list(e.Keys), From: e.Source, ReadOnly: e.ReadOnly, Enabled: e.Enabled, Secrets: e.Secrets, Connections: open[e.ID]}
		if e.Source == appstore.Kept {
			line.From = "database"
		}
		if len(e.Keys) > 0 {
			line.Key = e.Keys[0]
		}
		all = append(all, line)
	}
	return map[string]any{"apps": all}, nil
}

func (c *Console) addApp(r *http.Request, one *call) (any, error) {
	var ask appstore.New
	if err := one.read(r, &ask); err != nil {
		return nil, err
	}
	if strings.TrimSpace(ask.Name) == "" {
		return nil, fault("name", "give the app a name")
	}
	one.subject = ask.Name
	made, err := c.cfg.Apps.Add(r.Context(), ask)
	if err != nil {
		return nil, err
	}
	one.status = http.StatusCreated
	one.subject = made.ID
	one.note("name", made.Name)
	return made, nil
}

func (c *Console) rotateApp(r *http.Request, one *call) (any, error) {
	one.subject = r.PathValue("id")
	ask := struct {
		Keep bool `json:"keep"`
	}{Keep: true}
	if err := one.read(r, &ask); err != nil {
		return nil, err
	}
	how := appstore.RotateNow
	if ask.Keep {
		how = appstore.RotateKeep
	}
	one.note("how", string(how))
	made, err := c.cfg.Apps.Rotate(r.Context(), one.subject, how)
	return made, configured(err)
}

// configured makes a refusal of what only the configuration changes a conflict:
// it does not hang on who asks.
func configured(err error) error {
	if e, ok := errors.AsType[*belfry.Error](err); ok && e.Code == belfry.CodeForbidden {
		return &belfry.Error{Code: belfry.CodeConflict, Message: e.Message, Hint: e.Hint, Err: e}
	}
	return err
}

func (c *Console) retireApp(r *http.Request, one *call) (any, error) {
	one.subject = r.PathValue("id")
	if _, err := c.cfg.Apps.Rotate(r.Context(), one.subject, appstore.RotateFinish); err != nil {
		return nil, configured(err)
	}
	return map[string]bool{"retired": true}, nil
}

func (c *Console) removeApp(r *http.Request, one *call) (any, error) {
	one.subject = r.PathValue("id")
	if err := c.cfg.Apps.Remove(r.Context(), one.subject); err != nil {
		return nil, configured(err)
	}
	return map[string]bool{"removed": true}, nil
}

// used is how far an app is in one of its limits.
type used struct {
	Limit string `json:"limit"`
	Used  *int64 `json:"used"` // null where it is counted for each connection, event or request alone
	// Max is null for no limit.
	Max     *int64   `json:"max"`
	Percent *float64 `json:"percent"`
	// Refused is how often it was met since the start.
	Refused int64 `json:"refused"`
}

func (c *Console) usage(_ *http.Request, _ *call) (any, error) {
	type line struct {
		App    string `json:"app"`
		Name   string `json:"name"`
		Limits []used `json:"limits"`
	}
	all := []line{}
	for _, s := range c.cfg.Hub.Stats() {
		app := c.cfg.Hub.App(s.App)
		if app == nil {
			continue
		}
		one := line{App: app.ID, Name: app.Name}
		for _, limit := range limitsOf(app) {
			u := used{Limit: limit.name, Refused: s.Limits[limit.name]}
			if limit.max >= 0 {
				u.Max = &limit.max
			}
			switch limit.name {
			case "connections":
				u.Used = &s.Connections
			case "messages_per_day":
				u.Used = &s.MessagesToday
			}
			if u.Used != nil && u.Max != nil && *u.Max > 0 {
				percent := float64(*u.Used*1000 / *u.Max) / 10
				u.Percent = &percent
			}
			one.Limits = append(one.Limits, u)
		}
		all = append(all, one)
	}
	return map[string]any{"usage": all}, nil
}

type limitOf struct {
	name string
	max  int64
}

// limitsOf gives an app's limits by their keys in the configuration.
func limitsOf(app *belfry.App) []limitOf {
	l := app.Limits
	return []limitOf{
		{"connections", int64(l.Connections)}, {"messages_per_day", l.MessagesPerDay},
		{"client_events_per_second", int64(l.ClientEventsPerSecond)}, {"http_requests_per_second", int64(l.HTTPRequestsPerSecond)},
		{"event_data", int64(l.EventData)}, {"client_event_data", int64(l.ClientEventData)}, {"http_body", int64(l.HTTPBody)},
		{"channels_per_event", int64(l.ChannelsPerEvent)}, {"batch_size", int64(l.BatchSize)},
		{"channels_per_connection", int64(l.ChannelsPerConnection)}, {"presence_members", int64(l.PresenceMembers)},
		{"presence_member_size", int64(l.PresenceMemberSize)}, {"presence_user_id", int64(l.PresenceUserID)}, {"user_id", int64(l.UserID)},
		{"watchlist", int64(l.Watchlist)}, {"event_name_length", int64(l.EventNameLength)}, {"channel_name_length", int64(l.ChannelNameLength)},
	}
}

// health answers with the parts of the server and the last probes.
func (c *Console) health(r *http.Request, _ *call) (any, error) {
	return map[string]any{"parts": list(c.cfg.Health(r.Context())), "probe": c.cfg.Probes()}, nil
}

// doctor examines the server.
func (c *Console) doctor(r *http.Request, one *call) (any, error) {
	all := list(c.cfg.Doctor(r.Context()))
	failed := 0
	for _, check := range all {
		if check.Result == "failed" {
			failed++
		}
	}
	one.note("failed", failed)
	return map[string]any{"checks": all, "failed": failed}, nil
}
