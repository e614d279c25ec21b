// Package api is the door for servers: the Pusher HTTP API (section 6 of the
// protocol). It authenticates, decodes, makes one call to the hub and encodes.
//
// Additions that no SDK trips over: a member "receipt": true in a publish asks
// for a delivery receipt, the header Idempotency-Key makes a repeated publish
// harmless, and X-Belfry-Event-Id names what was published.
package api
