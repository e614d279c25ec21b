package asynqqueue

import (
	"strconv"
	"strings"

	"github.com/belfryhq/belfry"
)

// Keys of asynq.
const (
	queuesKey = "asynq:queues"
	// wakes is the channel on which workers hear that a job may have come; the
	// prefix stands before it.
	wakes = "wake"
)

// usual is the priority of jobs that name none.
const usual = 2

// name is a queue's name in Redis for jobs of one priority: asynq knows no
// priorities within a queue, so there is one queue for each.
func (d *Driver) name(queue string, priority int) string {
	if priority == usual || priority < 1 || priority > 4 {
		return d.prefix + queue
	}
	return d.prefix + queue + "#" + strconv.Itoa(priority)
}

// names are all names of a queue in Redis, the most important first.
func (d *Driver) names(queue string) []string {
	return []string{d.name(queue, 1), d.name(queue, usual), d.name(queue, 3), d.name(queue, 4)}
}

// queueOf is the way back from name; false for a queue that is not ours.
func (d *Driver) queueOf(name string) (queue string, ok bool) {
	queue, ok = strings.CutPrefix(name, d.prefix)
	if cut := len(queue) - 2; cut > 0 && queue[cut] == '#' && strings.ContainsRune("134", rune(queue[cut+1])) {
		queue = queue[:cut]
	}
	return queue, ok && queue != ""
}

// nameFor is where a job is kept.
func (d *Driver) nameFor(job belfry.Job) string {
	queue := job.Queue
	if queue == "" {
		queue = belfry.DefaultQueue
	}
	return d.name(queue, job.Priority)
}
