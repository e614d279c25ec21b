// Package logs makes the program's logger: lines for people on a terminal,
// JSON for machines everywhere else.
package logs

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/lmittmann/tint"

	"github.com/belfryhq/belfry"
)

// Config says how to log.
type Config struct {
	// Level is the least severe level that is logged: debug, info, warn or
	// error; empty means info.
	Level string
	// Format is text, json, or auto, which is text on a terminal and JSON
	// elsewhere; empty means auto.
	Format string
	// Color allows colours in text.
	Color bool
	// Terminal says that the writer is one; see IsTerminal.
	Terminal bool
}

// New makes a logger that writes to w. Its level may be changed while it is in
// use. A level or format that is not known is CodeInvalid.
func New(w io.Writer, cfg Config) (*slog.Logger, *slog.LevelVar, error) {
	level, err := ParseLevel(cfg.Level)
	if err != nil {
		return nil, nil, err
	}
	v := new(slog.LevelVar)
	v.Set(level)
	var h slog.Handler
	switch format := strings.ToLower(cfg.Format); {
	case format == "json", (format == "" || format == "auto") && !cfg.Terminal:
		h = slog.NewJSONHandler(w, &slog.HandlerOptions{Level: v})
	case format == "text", format == "", format == "auto":
		h = tint.NewTextHandler(w, &tint.Options{Level: v, TimeFormat: "2006-01-02 15:04:05.000", NoColor: !cfg.Color})
	default:
		return nil, nil, &belfry.Error{
			Code:    belfry.CodeInvalid,
			Message: fmt.Sprintf("%q is not a log format", cfg.Format),
			Hint:    "use auto, text or json",
		}
	}
	return slog.New(h), v, nil
}

// ParseLevel reads a level's name, in capitals or not. Empty means info, an
// unknown one is CodeInvalid.
func ParseLevel(name string) (slog.Level, error) {
	switch strings.ToLower(name) {
	case "debug":
		return slog.LevelDebug, nil
	case "info", "":
		return slog.LevelInfo, nil
	case "warn", "warning":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	}
	return 0, &belfry.Error{
		Code:    belfry.CodeInvalid,
		Message: fmt.Sprintf("%q is not a log level", name),
		Hint:    "use debug, info, warn or error",
	}
}

// IsTerminal reports whether w is a terminal that a person may be looking at.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || f.Name() == os.DevNull {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
