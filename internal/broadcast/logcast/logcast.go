// Package logcast writes events to the log instead of sending them, for
// development.
package logcast

import (
	"context"
	"log/slog"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/broadcast"
)

// Driver is the driver "log". It is safe for concurrent use.
type Driver struct{ log *slog.Logger }

// New makes the driver.
func New(log *slog.Logger) *Driver { return &Driver{log} }

// Name implements broadcast.Driver.
func (*Driver) Name() string { return "log" }

// Send implements broadcast.Driver: one line an event, with its payload only
// where the log shows debug lines.
func (d *Driver) Send(ctx context.Context, events []belfry.Event) ([]belfry.Outcome, error) {
	outcomes := make([]belfry.Outcome, len(events))
	for i, e := range events {
		outcomes[i].ID = e.ID
		d.log.LogAttrs(ctx, slog.LevelInfo, "event", slog.String("app", e.App), slog.String("name", e.Name),
			slog.Any("channels", e.Channels), slog.Int("size", len(e.Data)), slog.String("event", e.ID))
		d.log.LogAttrs(ctx, slog.LevelDebug, "event's data", slog.String("event", e.ID), slog.String("data", string(e.Data)))
	}
	return outcomes, nil
}

// Check implements broadcast.Driver.
func (*Driver) Check(context.Context) error { return nil }

var _ broadcast.Driver = (*Driver)(nil)
