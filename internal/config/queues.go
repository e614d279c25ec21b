package config

import (
	"fmt"
	"slices"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/queue"
)

// QueueSettings are one queue's, for jobs that say nothing else. What is not
// set is the worker's: the options of its command, or 3 tries, 5 seconds before
// each further one, and 60 seconds for each.
type QueueSettings struct {
	// Name that events give: 1 to 100 of the characters `a-z A-Z 0-9 _ - . :`.
	Name string `yaml:"name" required:"true" example:"high"`
	// How often a job is tried in all.
	Tries int `yaml:"tries" example:"5"`
	// Pauses before the second, third … try, the last for all further ones.
	Backoff []string `yaml:"backoff" example:"[5s, 30s, 5m]"`
	// Time after which one try is ended.
	Timeout time.Duration `yaml:"timeout" min:"1s" max:"24h" example:"60s"`
	// Jobs of this queue that one worker runs at once.
	Concurrency int `yaml:"concurrency" example:"4"`
}

// Workers is the worker that the server runs itself.
type Workers struct {
	// Jobs that it runs at once.
	Concurrency int `yaml:"concurrency" default:"16"`
}

// QueueOrder gives the queues that there are, in the order of their importance:
// those of the file, and what is not among them of the two that are always
// there.
func (c *Config) QueueOrder() []QueueSettings {
	all := slices.Clone(c.Queues)
	for _, name := range []string{belfry.DefaultQueue, "notifications"} {
		if !slices.ContainsFunc(all, func(q QueueSettings) bool { return q.Name == name }) {
			all = append(all, QueueSettings{Name: name})
		}
	}
	return all
}

// Pauses gives the pauses of a backoff that was checked.
func Pauses(backoff []string) (pauses []time.Duration) {
	for _, text := range backoff {
		if d, err := time.ParseDuration(text); err == nil {
			pauses = append(pauses, d)
		}
	}
	return pauses
}

// maxPause bounds the pause before a try.
const maxPause = 24 * time.Hour

// queues checks the names of queues and the pauses.
func (k *checker) queues() {
	first := map[string]int{}
	for i, q := range k.Queues {
		at := fmt.Sprintf("queues[%d]", i)
		if q.Name != "" {
			if err := queue.CheckName(q.Name); err != nil {
				k.fault(at+".name", "%s", err)
			}
			if before, twice := first[q.Name]; twice {
				k.fault(at+".name", "%q stands twice, first as queues[%d]; keep one", q.Name, before)
			} else {
				first[q.Name] = i
			}
		}
		k.backoff(at+".backoff", q.Backoff)
		k.positive(at+".tries", q.Tries)
		k.positive(at+".concurrency", q.Concurrency)
	}
	k.positive("workers.concurrency", k.Workers.Concurrency)
}

func (k *checker) backoff(path string, pauses []string) {
	for i, text := range pauses {
		at := path
		if len(pauses) > 1 {
			at = fmt.Sprintf("%s[%d]", path, i)
		}
		if d, err := time.ParseDuration(text); err != nil || d < 0 || d > maxPause {
			k.fault(at, "is not a pause of up to 24h; write one such as 5s")
		}
	}
}

// positive refuses 0 and less where a number was written.
func (k *checker) positive(path string, n int) {
	if k.isSet(path) && !k.faults.has(path) && (n < 1 || n > 10000) {
		k.fault(path, "is outside 1 to 10000")
	}
}
