// Package hubcast brings events out through the realtime server of this
// installation: the hub in the same process, or a control link to it.
package hubcast

import (
	"context"
	"encoding/json"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/broadcast"
	"github.com/belfryhq/belfry/pusher"
)

// Hub is the realtime server. Its methods may be called concurrently.
type Hub interface {
	// PublishEvent publishes an event under its id. repeat says that an event
	// with that id was published within the last five minutes, so that nobody
	// got it again.
	PublishEvent(ctx context.Context, appID, eventID string, e pusher.Event) (r belfry.Receipt, repeat bool, err error)
	// Occupied reports whether any of the channels has a subscriber.
	Occupied(ctx context.Context, appID string, channels []string) (bool, error)
}

// Checker is a Hub that may be out of reach, as over a link.
type Checker interface {
	// Check reaches the server, or says why it cannot.
	Check(ctx context.Context) error
}

// Driver is the driver "local". It is safe for concurrent use.
type Driver struct {
	hub  Hub
	apps func(id string) *belfry.App
}

// New makes the driver. apps gives the settings of an app, for the key of its
// encrypted channels.
func New(hub Hub, apps func(id string) *belfry.App) *Driver { return &Driver{hub, apps} }

// Name implements broadcast.Driver.
func (*Driver) Name() string { return "local" }

// Send implements broadcast.Driver.
func (d *Driver) Send(ctx context.Context, events []belfry.Event) ([]belfry.Outcome, error) {
	done := make([]belfry.Outcome, 0, len(events))
	for _, e := range events {
		out, err := d.send(ctx, e)
		if err != nil {
			return done, err
		}
		done = append(done, out)
	}
	return done, nil
}

func (d *Driver) send(ctx context.Context, e belfry.Event) (belfry.Outcome, error) {
	published, err := d.encode(e)
	if err != nil {
		return belfry.Outcome{}, err
	}
	receipt, repeat, err := d.hub.PublishEvent(ctx, e.App, e.ID, published)
	switch {
	case err != nil:
		return belfry.Outcome{}, err
	case repeat:
		return belfry.Outcome{ID: e.ID, Skipped: "it was delivered already"}, nil
	}
	return belfry.Outcome{ID: e.ID, Receipt: &receipt}, nil
}

// encode gives the event as subscribers are to see it: encrypted for an
// encrypted channel, unless the publisher did that.
func (d *Driver) encode(e belfry.Event) (pusher.Event, error) {
	plain, err := broadcast.Encode(e)
	if err != nil || !pusher.KindOf(e.Channels[0]).Is(pusher.Encrypted) || broadcast.Encrypted(e.Data) {
		return plain, err
	}
	app := d.apps(e.App)
	if app == nil || len(app.EncryptionMasterKey) == 0 {
		return pusher.Event{}, belfry.Errorf(belfry.CodeInvalid, "app %q has no encryption_master_key any more: the event for an encrypted channel was not sent", e.App)
	}
	e.Data = json.RawMessage(broadcast.Seal(app.EncryptionMasterKey, e.Channels[0], pusher.StringValue(plain.Data)))
	return broadcast.Encode(e)
}

// Check implements broadcast.Driver.
func (d *Driver) Check(ctx context.Context) error {
	if c, ok := d.hub.(Checker); ok {
		return c.Check(ctx)
	}
	return nil
}

// Occupied implements broadcast.Occupancy.
func (d *Driver) Occupied(ctx context.Context, appID string, channels []string) (bool, error) {
	return d.hub.Occupied(ctx, appID, channels)
}

var _ broadcast.Driver = (*Driver)(nil)
var _ broadcast.Occupancy = (*Driver)(nil)
