package server

import (
	"context"
	"time"

	"github.com/belfryhq/belfry/internal/control"
	"github.com/belfryhq/belfry/internal/trace"
)

// Notes brings what becomes of events in this process to the memory of the
// server on the data folder. Its methods may be called concurrently. What comes
// while no server is there is lost, as its memory is.
type Notes struct {
	link *Link
	wait chan trace.Note
}

const (
	notesWait  = 8192
	notesBatch = 500
	notesPause = 50 * time.Millisecond // so that notes of one moment go together
)

// NewNotes makes the way of notes over a link.
func NewNotes(link *Link) *Notes { return &Notes{link: link, wait: make(chan trace.Note, notesWait)} }

// Tell takes a note. It does not block; when too many wait, it is lost.
func (n *Notes) Tell(note trace.Note) {
	if note.Step.At.IsZero() {
		note.Step.At = time.Now().UTC()
	}
	select {
	case n.wait <- note:
	default:
	}
}

// Run sends notes until ctx ends.
func (n *Notes) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case one := <-n.wait:
			select {
			case <-time.After(notesPause):
			case <-ctx.Done():
			}
			n.send(context.WithoutCancel(ctx), n.more([]trace.Note{one}))
		}
	}
}

// Flush sends what waits.
func (n *Notes) Flush(ctx context.Context) {
	for {
		batch := n.more(nil)
		if len(batch) == 0 || ctx.Err() != nil {
			return
		}
		n.send(ctx, batch)
	}
}

func (n *Notes) more(batch []trace.Note) []trace.Note {
	for len(batch) < notesBatch {
		select {
		case one := <-n.wait:
			batch = append(batch, one)
		default:
			return batch
		}
	}
	return batch
}

// notesTime bounds one call.
const notesTime = 2 * time.Second

func (n *Notes) send(ctx context.Context, batch []trace.Note) {
	ctx, cancel := context.WithTimeout(ctx, notesTime)
	defer cancel()
	_ = n.link.with(ctx, func(c *control.Client) error { return c.Note(ctx, batch) })
}
