package logs_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/logs"
)

func line(t *testing.T, cfg logs.Config) string {
	t.Helper()
	var out bytes.Buffer
	logger, _, err := logs.New(&out, cfg)
	if err != nil {
		t.Fatal(err)
	}
	logger.Info("listening", "address", ":6001")
	return out.String()
}

func TestNew_PicksTheFormat(t *testing.T) {
	isJSON := func(s string) bool { return json.Valid([]byte(s)) }
	for name, tc := range map[string]struct {
		cfg  logs.Config
		json bool
	}{
		"nothing said":      {logs.Config{}, true},
		"auto elsewhere":    {logs.Config{Format: "auto"}, true},
		"auto on terminal":  {logs.Config{Format: "auto", Terminal: true}, false},
		"json on terminal":  {logs.Config{Format: "JSON", Terminal: true}, true},
		"text, no terminal": {logs.Config{Format: "text"}, false},
	} {
		got := line(t, tc.cfg)
		if isJSON(got) != tc.json || !strings.Contains(got, "listening") || !strings.Contains(got, ":6001") {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestNew_ColoursOnlyWhenAllowed(t *testing.T) {
	if got := line(t, logs.Config{Format: "text"}); strings.Contains(got, "\x1b") {
		t.Errorf("colours: %q", got)
	}
	if got := line(t, logs.Config{Format: "text", Color: true}); !strings.Contains(got, "\x1b") {
		t.Errorf("no colours: %q", got)
	}
}

func TestNew_LevelCanChange(t *testing.T) {
	var out bytes.Buffer
	logger, level, err := logs.New(&out, logs.Config{Level: "warn"})
	if err != nil {
		t.Fatal(err)
	}
	logger.Info("quiet")
	level.Set(slog.LevelInfo)
	logger.Info("heard")
	if got := out.String(); strings.Contains(got, "quiet") || !strings.Contains(got, "heard") {
		t.Errorf("log = %q", got)
	}
}

func TestNew_RefusesUnknownWords(t *testing.T) {
	for _, cfg := range []logs.Config{{Level: "loud"}, {Format: "xml"}} {
		_, _, err := logs.New(&bytes.Buffer{}, cfg)
		if belfry.CodeOf(err) != belfry.CodeInvalid {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
}

func TestIsTerminal_FalseForFilesAndBuffers(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	f, err := os.CreateTemp(t.TempDir(), "log")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if logs.IsTerminal(null) || logs.IsTerminal(f) || logs.IsTerminal(&bytes.Buffer{}) {
		t.Error("taken for a terminal")
	}
}
