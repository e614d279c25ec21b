// Package nullcast drops events, for environments that must not broadcast.
package nullcast

import (
	"context"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/broadcast"
)

// Driver is the driver "null". It is safe for concurrent use.
type Driver struct{}

// Name implements broadcast.Driver.
func (Driver) Name() string { return "null" }

// Send implements broadcast.Driver: each event counts as sent.
func (Driver) Send(_ context.Context, events []belfry.Event) ([]belfry.Outcome, error) {
	outcomes := make([]belfry.Outcome, len(events))
	for i := range events {
		outcomes[i].ID = events[i].ID
	}
	return outcomes, nil
}

// Check implements broadcast.Driver.
func (Driver) Check(context.Context) error { return nil }

var _ broadcast.Driver = Driver{}
