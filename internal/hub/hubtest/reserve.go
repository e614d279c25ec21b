package hubtest

import (
	"context"

	"github.com/belfryhq/belfry/internal/hub"
)

// Reserve implements hub.Outlet.
func (o *Outlet) Reserve(ctx context.Context, t *hub.Topic, _ int) error {
	if o.Full == nil {
		return nil
	}
	return o.Full(t)
}

// Release implements hub.Outlet.
func (o *Outlet) Release(*hub.Topic, int) {}
