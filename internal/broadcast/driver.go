package broadcast

import (
	"context"

	"github.com/belfryhq/belfry"
)

// Driver brings events out in one technology. Its methods may be called
// concurrently. What its events look like: App is a known app's id, Data is
// final, there is at least one channel and none twice, and an encrypted channel
// stands alone.
type Driver interface {
	// Name is the word of BROADCAST_CONNECTION: "local", "pusher", "log", "null".
	Name() string
	// Send sends events in their order and gives what became of them. It stops at
	// the first that fails: then the outcomes are those of the events before it,
	// and the error is its own. The error's code tells a permanent failure from
	// one that may pass.
	Send(ctx context.Context, events []belfry.Event) ([]belfry.Outcome, error)
	// Check reaches the target, or says why it cannot.
	Check(ctx context.Context) error
}

// Batcher is a Driver to which several events cost little more than one.
// Events that come while its calls are under way are then sent together.
type Batcher interface {
	// Batch is the most events that one Send gets, at least 1.
	Batch() int
}

// Remote is a Driver with a target that can be down, so that the Broadcaster
// puts a circuit before it.
type Remote interface {
	// Target names the target for people, without a secret: "api-mt1.pusher.com".
	Target() string
}

// Occupancy is a Driver that knows subscribers; the condition "occupied" asks
// it. Without it every channel counts as occupied.
type Occupancy interface {
	// Occupied reports whether any of the channels has a subscriber.
	Occupied(ctx context.Context, appID string, channels []string) (bool, error)
}

// Permanent reports whether a further try of what failed with err is of no use.
func Permanent(err error) bool {
	switch belfry.CodeOf(err) {
	case belfry.CodeInvalid, belfry.CodeNotFound, belfry.CodeForbidden, belfry.CodeTooLarge:
		return true
	}
	return false
}
