package ingest

import (
	"slices"
	"sync"
	"time"

	"github.com/belfryhq/belfry"
)

const (
	maxRecent = 200
	// alike is how long calls of one address are counted up as one entry where
	// each would say the same.
	alike = time.Minute
)

// Entry is one of the last calls. It holds neither body nor secret; what the
// caller wrote is bounded, and is to be escaped where it is shown.
type Entry struct {
	ID           string    `json:"id"`
	At           time.Time `json:"at"` // the first of Count
	Address      string    `json:"address"`
	Scheme       string    `json:"scheme"` // plain, standard, or empty: no signature
	Result       string    `json:"result"` // one of Results
	Error        string    `json:"error,omitempty"`
	Diagnosis    string    `json:"diagnosis,omitempty"` // the mistake that would explain a wrong signature
	Size         int       `json:"size"`                // of the body, in bytes; of one that is too large as far as it was read
	Dashboard    string    `json:"dashboard,omitempty"`
	Range        string    `json:"range,omitempty"`
	Reason       string    `json:"reason,omitempty"`
	WebhookID    string    `json:"webhook_id,omitempty"` // of the standard scheme, where it was signed
	Secret       int       `json:"secret,omitempty"`     // of several secrets the one that signed it, from 1
	Milliseconds float64   `json:"milliseconds"`
	Count        int       `json:"count"` // calls that it stands for
}

// Recent gives the last 200 calls, the newest first.
func (in *Ingest) Recent() []Entry {
	in.recent.mu.Lock()
	defer in.recent.mu.Unlock()
	list := make([]Entry, 0, len(in.recent.list))
	for _, e := range slices.Backward(in.recent.list) {
		list = append(list, *e)
	}
	return list
}

// recent holds the last calls, the oldest first.
type recent struct {
	mu   sync.Mutex // guards list and what it points to
	list []*Entry
}

// add keeps a call. fresh is false when it only counts up an earlier one.
func (r *recent) add(e Entry) (kept *Entry, fresh bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.Result == string(belfry.CodeRateLimited) || e.Result == string(CodeNoSecret) {
		for _, old := range slices.Backward(r.list) {
			if old.Result == e.Result && old.Address == e.Address && e.At.Sub(old.At) < alike {
				old.Count++
				return old, false
			}
		}
	}
	if len(r.list) == maxRecent {
		r.list = slices.Delete(r.list, 0, 1)
	}
	r.list = append(r.list, &e)
	return &e, true
}

// diagnosed adds what was found, and gives the whole.
func (r *recent) diagnosed(e *Entry, found string) Entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.Diagnosis = found
	return *e
}

// attrs is an entry for the log.
func (e Entry) attrs() []any {
	list := []any{"call", e.ID, "address", e.Address, "scheme", e.Scheme, "result", e.Result, "size", e.Size}
	for _, a := range [][2]string{{"dashboard", e.Dashboard}, {"range", e.Range}, {"reason", e.Reason}, {"webhook_id", e.WebhookID}, {"likely", e.Diagnosis}} {
		if a[1] != "" {
			list = append(list, a[0], a[1])
		}
	}
	return list
}
