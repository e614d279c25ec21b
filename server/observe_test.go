package server

import (
	"bytes"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/queue"
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

func TestTheQueuesNoteNamesWhatDeservesALook(t *testing.T) {
	many := map[string]queue.Size{}
	for i := range 30 {
		many[strconv.Itoa(i)] = queue.Size{Paused: true}
	}
	for name, c := range map[string]struct {
		sizes map[string]queue.Size
		want  string
	}{
		"nothing":     {map[string]queue.Size{"default": {Waiting: 9, Running: 2, Oldest: 59 * time.Second}}, ""},
		"failed ones": {map[string]queue.Size{"a": {Failed: 2}, "b": {Failed: 3}}, "failed jobs: 5 (see them with: belfry queue:failed)"},
		"a backlog": {map[string]queue.Size{"b": {Oldest: 90*time.Second + time.Millisecond}, "a": {Paused: true, Oldest: time.Hour}},
			"a is paused; b has a job that waits for 1m30s"},
		"very many": {many, "0 is paused; 1 is paused; 10 is paused; 11 is paused; 12 is paused; 13 is paused; 14 is paused; 15 is paused; 16 is paused; 17 is paused"},
	} {
		if got := queueNote(c.sizes); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
