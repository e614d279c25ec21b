package worker

import (
	"fmt"
	"time"
)

// Standing is what a supervisor or a worker does.
type Standing string

// The standings. A supervisor is never waiting, ended or orphaned.
const (
	None     Standing = "none"     // never started
	Starting Standing = "starting" // not ready to take jobs yet
	Running  Standing = "running"
	Waiting  Standing = "waiting"  // crashed; started again when its pause is over
	Stopping Standing = "stopping" // finishes its job
	Ended    Standing = "ended"    // and stays so
	Orphaned Standing = "orphaned" // its supervisor died; it finishes its job
	Stopped  Standing = "stopped"
	Died     Standing = "died" // without a word: killed, or the machine went down
)

// Exit is how a worker process ended.
type Exit struct {
	At     time.Time `json:"at"`
	PID    int       `json:"pid"`
	Code   int       `json:"code"`             // -1 for a signal
	Killed bool      `json:"killed,omitempty"` // by the supervisor, when its grace was over
	Reason string    `json:"reason"`
}

// Worker is one worker process, or the place of one.
type Worker struct {
	Number   int      `json:"number"` // from 1
	PID      int      `json:"pid,omitempty"`
	Standing Standing `json:"state"`
	// Since is when the process was started, or when it ended.
	Since time.Time `json:"since,omitzero"`
	// Restarts counts the processes after the first.
	Restarts  int       `json:"restarts"`
	LastExit  *Exit     `json:"last_exit,omitempty"`
	NextStart time.Time `json:"next_start,omitzero"`
}

// Report is the truth about the workers of a data folder.
type Report struct {
	Standing Standing  `json:"state"`
	PID      int       `json:"pid,omitempty"` // the supervisor's, while it lives
	Version  string    `json:"version,omitempty"`
	Since    time.Time `json:"since,omitzero"` // of its start, or its end
	Reason   string    `json:"reason,omitempty"`
	Plan     *Plan     `json:"plan,omitempty"`
	Workers  []Worker  `json:"workers"`
	Log      string    `json:"log"`

	writer int // process id of the supervisor that the report is of
}

// Alive reports whether any process of the report lives.
func (r *Report) Alive() bool {
	for _, w := range r.Workers {
		if w.PID != 0 {
			return true
		}
	}
	return r.PID != 0
}

// Healthy reports whether the supervisor and all its workers run.
func (r *Report) Healthy() bool {
	for _, w := range r.Workers {
		if w.Standing != Running {
			return false
		}
	}
	return r.Standing == Running && len(r.Workers) > 0
}

// state is what the supervisor writes down at each change.
type state struct {
	PID      int       `json:"pid"`
	Version  string    `json:"version"`
	Standing Standing  `json:"state"`
	Since    time.Time `json:"since"`
	Reason   string    `json:"reason,omitempty"`
	Plan     Plan      `json:"plan"`
	Workers  []Worker  `json:"workers"`
}

// Look tells how the workers of a data folder stand.
func Look(dir string) (*Report, error) {
	r := &Report{Standing: None, Workers: []Worker{}, Log: LogPath(dir)}
	var s state
	if err := readJSON(stateFile(dir), &s); err != nil {
		return nil, fmt.Errorf("read the supervisor's state: %w", err)
	}
	supervisor, err := readClaim(pidFile(dir))
	if err != nil {
		return nil, fmt.Errorf("look for the supervisor: %w", err)
	}
	if supervisor.held {
		// It may have ended since, or written more: its own word counts then.
		if err := readJSON(stateFile(dir), &s); err != nil {
			return nil, fmt.Errorf("read the supervisor's state: %w", err)
		}
	}
	switch {
	case s.PID == 0 && !supervisor.held:
		return r, nil
	case supervisor.held && supervisor.pid != s.PID:
		r.Standing, r.PID = Starting, supervisor.pid // it has said nothing yet
		return r, nil
	}
	r.Standing, r.Version, r.Since, r.Reason, r.Plan = s.Standing, s.Version, s.Since, s.Reason, &s.Plan
	r.writer = s.PID
	switch {
	case supervisor.held:
		r.PID = supervisor.pid // for a moment also when it has stopped
	case r.Standing != Stopped:
		r.Standing, r.Reason = Died, fmt.Sprintf("process %d ended without a word: it was killed, or the machine went down", s.PID)
	}
	for _, w := range s.Workers {
		if err := r.add(dir, w); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// add judges one worker by the supervisor's word and by the worker's own lock.
func (r *Report) add(dir string, w Worker) error {
	c, err := readClaim(slotFile(dir, w.Number))
	if err != nil {
		return fmt.Errorf("look for worker %d: %w", w.Number, err)
	}
	watched := r.PID != 0 && r.Standing != Stopped
	switch {
	case watched && w.Standing == Running && !(c.held && c.pid == w.PID && c.says == saysReady):
		w.Standing = Starting
	case watched:
	case c.held:
		w.Standing, w.PID, w.NextStart = Orphaned, c.pid, time.Time{}
	case r.Standing == Died:
		w.Standing, w.PID, w.NextStart = Died, 0, time.Time{}
	default:
		w.PID = 0
	}
	r.Workers = append(r.Workers, w)
	return nil
}
