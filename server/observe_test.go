package server

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/hub"
)

func TestJournalLogsALimitOnceAMinute(t *testing.T) {
	var log bytes.Buffer
	j := newJournal(slog.New(slog.NewTextHandler(&log, nil)))
	app := &belfry.App{ID: "1"}
	start := time.Unix(1_000_000, 0)
	for i := range 100 {
		j.Notice(hub.Notice{Kind: hub.NoticeLimit, App: app, Limit: "event_data", Time: start.Add(time.Duration(i) * time.Second)})
		j.Notice(hub.Notice{Kind: hub.NoticeLimit, App: app, Limit: "event_data", Near: true, Time: start})
	}
	if n := strings.Count(log.String(), "limit reached"); n != 2 {
		t.Errorf("%d lines in 100 s, want 2:\n%s", n, log.String())
	}
	if !strings.Contains(log.String(), "not_logged_since_last=59") {
		t.Errorf("the lines left out are not counted:\n%s", log.String())
	}
	if n := strings.Count(log.String(), "limit at 80%"); n != 1 {
		t.Errorf("%d early warnings, want 1", n)
	}
}
