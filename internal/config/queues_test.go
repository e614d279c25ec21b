package config_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/config"
)

func TestQueues(t *testing.T) {
	c := load(t, `
queues:
  - {name: high, tries: 5, backoff: [1s, 1m30s], timeout: 10s, concurrency: 2}
  - name: default
    backoff: 0s
workers: {concurrency: 4}
`)
	want := []config.QueueSettings{
		{Name: "high", Tries: 5, Backoff: []string{"1s", "1m30s"}, Timeout: 10 * time.Second, Concurrency: 2},
		{Name: "default", Backoff: []string{"0s"}},
	}
	if !reflect.DeepEqual(c.Queues, want) || c.Workers.Concurrency != 4 {
		t.Errorf("queues %+v, workers %+v", c.Queues, c.Workers)
	}
	if got := config.Pauses(c.Queues[0].Backoff); !slices.Equal(got, []time.Duration{time.Second, 90 * time.Second}) {
		t.Errorf("pauses %v", got)
	}
	if all := c.QueueOrder(); len(all) != 3 || all[0].Name != "high" || all[2].Name != "notifications" {
		t.Errorf("order %+v", all)
	}
	if c := load(t, ""); c.Workers.Concurrency != 16 || c.Queues != nil {
		t.Errorf("queues %+v, workers %+v", c.Queues, c.Workers)
	}
}

func TestFaultsOfQueues(t *testing.T) {
	dir := folder(t, map[string]string{"belfry.yaml": `queues:
  - name: high
    tries: 0
    backoff: [1s, soon]
  - name: high
    concurrency: -1
  - name: "a b"
    backoff: 25h
  - tries: 1
workers: {concurrency: 0}
`})
	got := strings.Join(faultsOf(t, config.Options{Dir: dir}), "\n")
	for _, want := range []string{
		"belfry.yaml:3:12: queues[0].tries: is outside 1 to 10000",
		"queues[0].backoff[1]: is not a pause of up to 24h; write one such as 5s",
		`belfry.yaml:5:11: queues[1].name: "high" stands twice, first as queues[0]; keep one`,
		"belfry.yaml:6:18: queues[1].concurrency: is outside 1 to 10000",
		`belfry.yaml:7:11: queues[2].name: "a b" is no name of a queue`,
		"belfry.yaml:8:14: queues[2].backoff: is not a pause of up to 24h; write one such as 5s",
		"queues[3].name: is missing",
		"belfry.yaml:10:24: workers.concurrency: is outside 1 to 10000",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
}
