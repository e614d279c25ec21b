package belfry

import "time"

// DefaultQueue is the queue of jobs that name none.
const DefaultQueue = "default"

// Job is a piece of work that is kept until it is done. It runs at least once;
// whoever does it must bear a second time, by its ID.
type Job struct {
	// ID is the job's, for a broadcast the event's; see NewID. Empty: made when
	// the job is enqueued. Enqueuing an ID that is still kept changes nothing.
	ID string `json:"id"`
	// Kind picks the handler: "broadcast".
	Kind string `json:"kind"`
	// Queue defaults to DefaultQueue.
	Queue string `json:"queue"`
	// Payload is the handler's, as JSON.
	Payload []byte `json:"payload"`
	// Lanes keep order: jobs of one queue that share a lane start one after
	// another, in the order in which they were enqueued. For a broadcast, its
	// channels.
	Lanes []string `json:"lanes,omitempty"`
	// Priority is from 1, first, to 4, last; 0 means 2. Jobs of one lane that
	// must keep their order need the same.
	Priority int `json:"priority,omitempty"`
	// RunAt is when the job may start; zero means at once.
	RunAt time.Time `json:"run_at,omitzero"`
	// Tries is how often the job is tried in all; 0 means the worker's setting.
	Tries int `json:"tries,omitempty"`
	// Backoff are the pauses before the second, third … try, the last for all
	// further ones; empty means the worker's setting.
	Backoff []time.Duration `json:"backoff,omitempty"`
	// Timeout ends one try; 0 means the worker's setting.
	Timeout time.Duration `json:"timeout,omitempty"`
	// Unique lets only one job with this key wait or run at a time, and for
	// UniqueFor after it was enqueued even when it is done; later ones are
	// dropped. Empty means no such rule.
	Unique    string        `json:"unique,omitempty"`
	UniqueFor time.Duration `json:"unique_for,omitempty"`
	// Debounce, with Unique, starts the job only when no other with its key came
	// for that long; the last one's payload counts.
	Debounce time.Duration `json:"debounce,omitempty"`
	// Tried counts the tries that failed; the queue's own.
	Tried int `json:"tried,omitempty"`
	// Enqueued is when the job was taken in.
	Enqueued time.Time `json:"enqueued,omitzero"`
}
