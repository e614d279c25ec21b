package queue

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

// crews parts the worker's queues: one that has a limit of its own has a crew
// of its own, whose waiting jobs keep nobody else's from being fetched. Seats
// and lanes are those of all.
func (w *working) crews() (all []Crew) {
	crew := func(n int, queues ...string) Crew {
		woken := make(chan struct{}, 1)
		w.woken = append(w.woken, woken)
		return Crew{Queues: queues, Concurrency: n, Take: w.take, Woken: woken, Grace: w.cfg.Grace}
	}
	var open []string
	for _, name := range w.cfg.Queues {
		if n := w.seats.limits[name]; n > 0 && n < w.cfg.Concurrency && len(w.cfg.Queues) > 1 {
			all = append(all, crew(n, name))
		} else {
			open = append(open, name)
		}
	}
	if len(open) > 0 {
		all = append(all, crew(w.ahead(), open...))
	}
	return all
}

// crewID names a worker's crew for the driver; the first has the worker's name.
func crewID(worker string, crew int) string {
	if crew == 0 {
		return worker
	}
	return fmt.Sprintf("%s.%d", worker, crew)
}

// crewIDs gives the names that the crews of a worker with so many queues may
// have.
func crewIDs(worker string, queues int) (all []string) {
	for i := range max(queues, 1) {
		all = append(all, crewID(worker, i))
	}
	return all
}

// keepWorking works with the driver, again after an outage, until the worker
// ends.
func (w *working) keepWorking(crew Crew) {
	trouble := outage{q: w.q, what: "a worker waits: the queue cannot be reached"}
	for w.halt.Err() == nil {
		began := w.q.now()
		err := w.q.driver.Work(w.halt, crew)
		if w.halt.Err() != nil {
			break
		}
		if w.q.now().Sub(began) > time.Minute {
			trouble.note(nil)
		}
		select {
		case <-time.After(trouble.note(cmp.Or(err, errors.New("the driver stopped by itself")))):
		case <-w.halt.Done():
		}
	}
}

// ahead is how many jobs the driver may hand out: more than run at once, so
// that jobs waiting for their lane do not keep others from running.
func (w *working) ahead() int {
	if n := w.cfg.Concurrency; n > 1 && w.cfg.MaxJobs == 0 && w.cfg.Rest == 0 {
		return n + min(3*n, 200)
	}
	return w.cfg.Concurrency
}
