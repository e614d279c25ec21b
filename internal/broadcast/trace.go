package broadcast

import (
	"slices"
	"sync"
	"time"

	"github.com/belfryhq/belfry"
)

// The kinds of steps.
const (
	StepAccepted = "accepted"
	StepQueued   = "queued"
	StepFailed   = "failed" // one try
	StepSkipped  = "skipped"
	StepSent     = "sent"
)

// Step is one thing that happened to an event.
type Step struct {
	At   time.Time `json:"at"`
	What string    `json:"what"`
	// Queue and RunAt say where a queued event waits, and until when.
	Queue string    `json:"queue,omitempty"`
	RunAt time.Time `json:"run_at,omitzero"`
	// Error says why a try failed; Permanent that no further one will be made.
	Error     string `json:"error,omitempty"`
	Permanent bool   `json:"permanent,omitempty"`
	// Reason says why the event was skipped.
	Reason string `json:"reason,omitempty"`
	// Receipt is there where the target counts.
	Receipt *belfry.Receipt `json:"receipt,omitempty"`
}

// Trace is what this process knows of one event. It holds no payload.
type Trace struct {
	ID    string `json:"id"`
	App   string `json:"app"`
	Event string `json:"event"`
	// Channels are the first ten; ChannelCount counts all.
	Channels     []string `json:"channels"`
	ChannelCount int      `json:"channel_count"`
	Size         int      `json:"size"` // bytes of data
	Origin       string   `json:"-"`
	Steps        []Step   `json:"timeline"`
}

const (
	maxTraceChannels = 10
	maxSteps         = 40 // the first and the latest ones
)

// Status is "queued", "retrying", "failed", "skipped" or "sent", by the last
// step.
func (t *Trace) Status() string {
	if len(t.Steps) == 0 {
		return "accepted"
	}
	switch last := t.Steps[len(t.Steps)-1]; {
	case last.What == StepFailed && !last.Permanent && t.queued():
		return "retrying"
	default:
		return last.What
	}
}

func (t *Trace) queued() bool {
	return slices.ContainsFunc(t.Steps, func(s Step) bool { return s.What == StepQueued })
}

// Find gives what this process knows of an event. What an event of another
// process or of long ago became is not known here.
func (b *Broadcaster) Find(id string) (Trace, bool) { return b.traces.find(id) }

// Note adds a step that another process or part took with an event.
func (b *Broadcaster) Note(e belfry.Event, step Step) { b.traces.add(e, step) }

// traces remembers the latest events.
type traces struct {
	most   int
	window time.Duration
	now    func() time.Time
	tell   func(belfry.Event, Step) // nil: remembered here

	mu    sync.Mutex // guards all below
	byID  map[string]*Trace
	order []aged // by the time they came; may hold ids that were forgotten
	first int    // of order
}

type aged struct {
	id string
	at time.Time
}

// add puts steps at the end of an event's.
func (m *traces) add(e belfry.Event, steps ...Step) { m.put(e, steps, false) }

// insert puts steps at the beginning: they are told of late.
func (m *traces) insert(e belfry.Event, steps ...Step) { m.put(e, steps, true) }

func (m *traces) put(e belfry.Event, steps []Step, early bool) {
	if m.tell != nil {
		for _, s := range steps {
			if early {
				s.At = e.Accepted
			}
			m.tell(e, s)
		}
		return
	}
	now := m.now().UTC()
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.byID[e.ID]
	if t == nil {
		t = m.begin(e, now)
	}
	for i := range steps {
		if steps[i].At.IsZero() {
			steps[i].At = now
		}
		if early && !e.Accepted.IsZero() {
			steps[i].At = e.Accepted
		}
	}
	if early {
		t.Steps = slices.Insert(t.Steps, 0, steps...)
	} else {
		t.Steps = append(t.Steps, steps...)
	}
	if over := len(t.Steps) - maxSteps; over > 0 {
		t.Steps = slices.Delete(t.Steps, 2, 2+over)
	}
}

func (m *traces) begin(e belfry.Event, now time.Time) *Trace {
	if m.byID == nil {
		m.byID = map[string]*Trace{}
	}
	m.expire(now, m.most-1)
	t := &Trace{
		ID: e.ID, App: e.App, Event: e.Name, ChannelCount: len(e.Channels), Size: len(e.Data), Origin: e.Origin,
		Channels: slices.Clone(e.Channels[:min(len(e.Channels), maxTraceChannels)]),
	}
	m.byID[e.ID] = t
	m.order = append(m.order, aged{e.ID, now})
	return t
}

// expire drops what is too old or more than most.
func (m *traces) expire(now time.Time, most int) {
	for m.first < len(m.order) && (len(m.order)-m.first > most || now.Sub(m.order[m.first].at) > m.window) {
		delete(m.byID, m.order[m.first].id)
		m.order[m.first] = aged{}
		m.first++
	}
	if m.first > len(m.order)/2 {
		m.order = slices.Delete(m.order, 0, m.first)
		m.first = 0
	}
}

func (m *traces) find(id string) (Trace, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.expire(m.now(), m.most)
	t := m.byID[id]
	if t == nil {
		return Trace{}, false
	}
	found := *t
	found.Steps = slices.Clone(t.Steps)
	return found, true
}
