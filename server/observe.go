package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/belfryhq/belfry/internal/hook"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/ops"
)

// webhooks turns the hub's notices into webhook events.
type webhooks struct{ hooks *hook.Hooks }

// Notice implements hub.Observer.
func (w webhooks) Notice(n hub.Notice) {
	name, ok := hookNames[n.Kind]
	if !ok || len(n.App.Webhooks) == 0 {
		return
	}
	w.hooks.Notify(n.App, hook.Event{
		Name: name, Channel: n.Channel, UserID: n.UserID, Count: n.Count,
		Event: n.Event, Data: n.Data, SocketID: n.Socket, ID: n.EventID,
	})
}

var hookNames = map[hub.NoticeKind]string{
	hub.NoticeOccupied:          hook.ChannelOccupied,
	hub.NoticeVacated:           hook.ChannelVacated,
	hub.NoticeMemberAdded:       hook.MemberAdded,
	hub.NoticeMemberRemoved:     hook.MemberRemoved,
	hub.NoticeCacheMiss:         hook.CacheMiss,
	hub.NoticeSubscriptionCount: hook.SubscriptionCount,
	hub.NoticeClientEvent:       hook.ClientEvent,
}

// journal logs what an operator asks about: refusals and limits, and at debug
// level every transition. It never logs a payload.
type journal struct {
	log    *slog.Logger
	limits *limitLines
}

func newJournal(log *slog.Logger) journal {
	return journal{log: log, limits: &limitLines{last: make(map[limitLine]limitState)}}
}

// limitLines holds lines about limits to one a minute for each app and limit,
// since a client that meets one may meet it a thousand times a second.
type limitLines struct {
	mu   sync.Mutex // guards last
	last map[limitLine]limitState
}

type limitLine struct {
	app, limit string
	near       bool
}

type limitState struct {
	logged     time.Time
	suppressed int
}

// due reports whether a line is to be logged now, and how many were not since
// the last.
func (l *limitLines) due(line limitLine, now time.Time) (suppressed int, due bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	state := l.last[line]
	if !state.logged.IsZero() && now.Sub(state.logged) < time.Minute {
		state.suppressed++
		l.last[line] = state
		return 0, false
	}
	l.last[line] = limitState{logged: now}
	return state.suppressed, true
}

// Notice implements hub.Observer.
func (j journal) Notice(n hub.Notice) {
	if n.App.ID == probeApp {
		return
	}
	ctx := context.Background()
	switch n.Kind {
	case hub.NoticeLimit:
		suppressed, due := j.limits.due(limitLine{n.App.ID, n.Limit, n.Near}, n.Time)
		if !due {
			return
		}
		msg := "limit reached"
		if n.Near {
			msg = "limit at 80%"
		}
		j.log.Warn(msg, "app", n.App.ID, "limit", n.Limit, "size", n.Size, "max", n.Max, "channel", n.Channel, "event", n.Event,
			"not_logged_since_last", suppressed)
	case hub.NoticeRefused:
		if n.Socket == "" { // a connection: a page with a wrong key comes back and back
			suppressed, due := j.limits.due(limitLine{n.App.ID, strconv.Itoa(n.Count), false}, n.Time)
			if due {
				j.log.Info("connection refused", "app", n.App.ID, "code", n.Count, "why", n.Text, "not_logged_since_last", suppressed)
			}
			return
		}
		j.log.Info("refused", "app", n.App.ID, "socket", n.Socket, "channel", n.Channel, "why", n.Text)
	default:
		if !j.log.Enabled(ctx, slog.LevelDebug) {
			return
		}
		j.log.Debug(debugNames[n.Kind], "app", n.App.ID, "socket", n.Socket, "channel", n.Channel, "event", n.Event,
			"event_id", n.EventID, "user", n.UserID, "count", n.Count, "matched", n.Receipt.Matched)
	}
}

var debugNames = map[hub.NoticeKind]string{
	hub.NoticeConnected:         "connected",
	hub.NoticeDisconnected:      "disconnected",
	hub.NoticeSubscribed:        "subscribed",
	hub.NoticeUnsubscribed:      "unsubscribed",
	hub.NoticeOccupied:          "channel occupied",
	hub.NoticeVacated:           "channel vacated",
	hub.NoticeMemberAdded:       "member added",
	hub.NoticeMemberRemoved:     "member removed",
	hub.NoticeCacheMiss:         "cache miss",
	hub.NoticeSubscriptionCount: "subscription count",
	hub.NoticeClientEvent:       "client event",
	hub.NoticePublished:         "published",
	hub.NoticeSignedIn:          "signed in",
}

func (s *Server) opsConfig() ops.Config {
	s.looks = newLooks(s.backend)
	cfg := ops.Config{
		Version:      s.cfg.Version,
		Logger:       s.log,
		Unready:      s.unready,
		CheckTimeout: checkTime,
		Checks: []ops.Check{
			{Name: "data_folder", Run: silent(s.checkDataFolder)}, {Name: "realtime", Run: silent(s.checkRealtime)},
			{Name: "database", Run: silent(s.backend.DB.Check)}, {Name: "queue", Run: s.checkQueue}, {Name: "workers", Run: s.checkWorkers},
			{Name: "broadcaster", Run: silent(s.checkBroadcaster)}, {Name: "dashboards", Run: s.dashboards.Check}, {Name: "probe", Run: s.probe.check},
		},
		Hub:         publicHub{s.hub}.Stats,
		Apps:        publicHub{s.hub}.Apps,
		Sockets:     s.socketStats,
		Hooks:       s.hookStats,
		Application: s.applicationFigures(),
	}
	if s.certs != nil {
		cfg.Checks = append(cfg.Checks, ops.Check{Name: "certificates", Run: silent(func(context.Context) error { return s.certs.Check() })})
		cfg.CertificateEnds = s.certs.Ends
	}
	return cfg
}

// silent makes a check of one that has no notes.
func silent(check func(ctx context.Context) error) func(ctx context.Context) (string, error) {
	return func(ctx context.Context) (string, error) { return "", check(ctx) }
}

// unready says why the server takes no connections, "" when it does.
func (s *Server) unready() string {
	switch s.state.Load() {
	case starting:
		return "starting"
	case draining:
		return "draining"
	}
	return ""
}

// checkDataFolder proves that the data folder takes writes.
func (s *Server) checkDataFolder(context.Context) error {
	f, err := os.CreateTemp(s.cfg.DataDir, ".health-*")
	if err != nil {
		return fmt.Errorf("the data folder takes no writes: %w", err)
	}
	_, err = f.WriteString("ok")
	return errors.Join(err, f.Close(), os.Remove(f.Name()))
}
