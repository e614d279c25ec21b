package belfry

import (
	"encoding/json"
	"time"
)

// Event is something an application wants its users' pages to know.
type Event struct {
	// ID follows the event through everything, retries too; see NewID.
	ID string `json:"id"`
	// App is the app's id; empty means the default app.
	App string `json:"app,omitempty"`
	// Name and Channels are as in Pusher's API; up to 100 channels by default.
	Name     string   `json:"event"`
	Channels []string `json:"channels"`
	// Data is any JSON value. A JSON text is sent as its characters, anything
	// else as its JSON.
	Data json.RawMessage `json:"data"`
	// ExcludeSocket is the socket id of the page that caused the event and does
	// not get it; may be empty.
	ExcludeSocket string `json:"exclude_socket_id,omitempty"`
	// WithID adds "event_id" to the data, which must then be an object.
	WithID bool `json:"with_id,omitempty"`
	// Condition names a condition that is asked when the event is sent, not when
	// it is accepted; empty means none.
	Condition string `json:"condition,omitempty"`
	// Expires is when the event is not worth sending any more; zero means never.
	Expires time.Time `json:"expires,omitzero"`
	// Origin says who handed the event over, for people: "token 3 (orders)".
	Origin string `json:"origin,omitempty"`
	// Address is where that came from; may be empty.
	Address string `json:"address,omitempty"`
	// Accepted is when that was.
	Accepted time.Time `json:"accepted,omitzero"`
}

// Receipt counts what became of an event, over all its channels.
type Receipt struct {
	Matched int `json:"matched"` // subscribers it was for
	Written int `json:"written"` // handed to the operating system, or to a connection with nothing waiting
	Waiting int `json:"waiting"` // queued behind what waits already
	Dropped int `json:"dropped"` // not delivered: the connection lags too far and is closed
}

// Add adds another receipt's counts.
func (r *Receipt) Add(o Receipt) {
	r.Matched += o.Matched
	r.Written += o.Written
	r.Waiting += o.Waiting
	r.Dropped += o.Dropped
}

// Outcome is what a broadcaster did with one event.
type Outcome struct {
	ID string `json:"id"`
	// Receipt is nil where the target does not count, as pusher.com does not.
	Receipt *Receipt `json:"receipt,omitempty"`
	// Skipped says why the event was not sent, for a reason that is no failure:
	// it had expired, its condition said no, it was delivered already.
	Skipped string `json:"skipped,omitempty"`
}
