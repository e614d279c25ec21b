package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
)

// tally counts what clients did and saw.
type tally struct {
	mu     sync.Mutex // guards all below
	counts map[string]int
	wrong  map[string]int // what no client should see
}

func newTally() *tally { return &tally{counts: map[string]int{}, wrong: map[string]int{}} }

func (t *tally) add(what string, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[what] += n
}

func (t *tally) count(what string) { t.add(what, 1) }

// maxWrong bounds how many different faults are kept.
const maxWrong = 100

func (t *tally) fault(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := fmt.Sprintf(format, args...)
	if _, known := t.wrong[text]; known || len(t.wrong) < maxWrong {
		t.wrong[text]++
	}
}

// line sums up for a progress report.
func (t *tally) line() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return fmt.Sprintf("%d connections, %d publishes, %d client events, %d messages received, %d faults",
		t.counts["connections"], t.counts["publishes"], t.counts["client events"], t.counts["messages received"], len(t.wrong))
}

func (t *tally) write(out io.Writer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprint(out, "\n| what the clients did and saw | times |\n| --- | ---: |\n")
	for _, what := range slices.Sorted(maps.Keys(t.counts)) {
		fmt.Fprintf(out, "| %s | %d |\n", what, t.counts[what])
	}
}

// faults is nil when clients saw nothing that they should not.
func (t *tally) faults() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.wrong) == 0 {
		return nil
	}
	var lines []string
	for _, text := range slices.Sorted(maps.Keys(t.wrong)) {
		lines = append(lines, fmt.Sprintf("%d × %s", t.wrong[text], text))
	}
	return fmt.Errorf("clients saw what they should not:\n  %s", strings.Join(lines, "\n  "))
}
