package queue

import (
	"errors"
	"time"

	"github.com/belfryhq/belfry"
)

// Permanent marks an error that another try would meet again: the job fails at
// once. A nil error stays nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return permanent{err}
}

type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// IsPermanent reports whether another try is useless: the error was marked by
// Permanent, or its code says that the job itself is wrong.
func IsPermanent(err error) bool {
	if _, ok := errors.AsType[permanent](err); ok {
		return true
	}
	switch belfry.CodeOf(err) {
	case belfry.CodeInvalid, belfry.CodeNotFound, belfry.CodeForbidden, belfry.CodeTooLarge:
		return true
	}
	return false
}

// After marks an error with the pause before the next try, in place of the
// job's own backoff. A nil error stays nil.
func After(err error, pause time.Duration) error {
	if err == nil {
		return nil
	}
	return paused{err, pause}
}

type paused struct {
	error
	pause time.Duration
}

func (p paused) Unwrap() error { return p.error }

// waitAtMost is how long after it was enqueued a job may wait by Wait; then its
// tries count.
const waitAtMost = 24 * time.Hour

// Wait marks an error that is not the job's but its surroundings', such as a
// target that is known to be down: the job waits for the pause and is tried
// again, and the try does not count. A nil error stays nil.
func Wait(err error, pause time.Duration) error {
	if err == nil {
		return nil
	}
	return waiting{err, max(pause, 100*time.Millisecond)}
}

type waiting struct {
	error
	pause time.Duration
}

func (w waiting) Unwrap() error { return w.error }

// waits gives the pause of a job that is to wait, uncounted.
func waits(err error, job belfry.Job, now time.Time) (pause time.Duration, ok bool) {
	w, ok := errors.AsType[waiting](err)
	return w.pause, ok && now.Sub(job.Enqueued) < waitAtMost
}

// pauseBefore gives the pause before the try that follows the failed-th.
func pauseBefore(backoff []time.Duration, failed int, err error) time.Duration {
	if p, ok := errors.AsType[paused](err); ok {
		return p.pause
	}
	if len(backoff) == 0 {
		return 0
	}
	return backoff[min(failed, len(backoff))-1]
}
