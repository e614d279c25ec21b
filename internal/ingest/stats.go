package ingest

import (
	"maps"
	"slices"

	"github.com/belfryhq/belfry"
)

// Results lists what may become of a call: a Status, or the code of an error.
func Results() []string {
	return []string{
		StatusOK, StatusDuplicate,
		string(CodeMissing), string(CodeWrong), string(CodeOld), string(CodeReplayed), string(CodeNoSecret),
		string(belfry.CodeInvalid), string(belfry.CodeNotFound), string(belfry.CodeTooLarge), string(belfry.CodeRateLimited),
		string(belfry.CodeUnavailable), string(belfry.CodeInternal),
	}
}

// outcome is the one of Results that a call ended with.
func outcome(r Result, err error) string {
	if err == nil {
		return r.Status
	}
	if code := string(belfry.CodeOf(err)); slices.Contains(Results(), code) {
		return code
	}
	return string(belfry.CodeInternal)
}

// Stats are counts since the start.
type Stats struct {
	// Calls counts them by what became of them. Every one of Results is there.
	Calls map[string]uint64
	// OldSecret counts calls signed with another than the first secret: while it
	// grows, a sender still has the old one.
	OldSecret uint64
}

// Stats gives the counts.
func (in *Ingest) Stats() Stats {
	in.mu.Lock()
	defer in.mu.Unlock()
	return Stats{Calls: maps.Clone(in.stats.Calls), OldSecret: in.stats.OldSecret}
}

func (in *Ingest) count(e Entry) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.stats.Calls[e.Result]++
	if e.Secret > 1 {
		in.stats.OldSecret++
	}
}

func emptyCounts() map[string]uint64 {
	m := map[string]uint64{}
	for _, r := range Results() {
		m[r] = 0
	}
	return m
}
