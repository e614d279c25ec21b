package logcast_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/broadcast/logcast"
)

func TestOneLineAnEventAndItsPayloadForDebuggingOnly(t *testing.T) {
	events := []belfry.Event{
		{ID: "x", App: "1", Name: "first", Channels: []string{"private-user.7"}, Data: json.RawMessage(`{"pin":"1234"}`)},
		{ID: "y", App: "1", Name: "second", Channels: []string{"a"}, Data: json.RawMessage(`1`)},
	}
	for level, lines := range map[slog.Level]int{slog.LevelInfo: 2, slog.LevelDebug: 4} {
		var log bytes.Buffer
		d := logcast.New(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: level})))
		outs, err := d.Send(t.Context(), events)
		if err != nil || len(outs) != 2 || outs[1].ID != "y" || outs[1].Receipt != nil || d.Check(t.Context()) != nil {
			t.Fatalf("%+v, %v", outs, err)
		}
		text := log.String()
		if strings.Count(text, "\n") != lines || strings.Contains(text, "1234") != (level == slog.LevelDebug) || !strings.Contains(text, "private-user.7") {
			t.Errorf("at %s:\n%s", level, text)
		}
	}
}
