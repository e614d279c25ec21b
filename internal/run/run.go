// Package run holds the parts of a program together: each a function that runs
// until its context ends, and all of them stopping when one fails.
package run

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Group runs parts. Make one with NewGroup.
type Group struct {
	ctx    context.Context
	parts  sync.WaitGroup
	failed chan struct{} // closed with the first failure

	mu  sync.Mutex // guards err
	err error
}

// NewGroup makes a group whose parts run until ctx ends.
func NewGroup(ctx context.Context) *Group {
	return &Group{ctx: ctx, failed: make(chan struct{})}
}

// Go runs a part. A part that gives an error of its own, before or after the
// context's end, has failed; the context's error is none.
func (g *Group) Go(name string, part func(context.Context) error) {
	g.parts.Go(func() {
		err := part(g.ctx)
		if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.Cause(g.ctx)) {
			return
		}
		g.fail(fmt.Errorf("%s: %w", name, err))
	})
}

func (g *Group) fail(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err == nil {
		g.err = err
		close(g.failed)
	}
}

// Failed is closed when a part has failed.
func (g *Group) Failed() <-chan struct{} { return g.failed }

// Err gives the first failure, nil while there is none.
func (g *Group) Err() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.err
}

// Wait waits until every part has ended and gives the first failure.
func (g *Group) Wait() error {
	g.parts.Wait()
	return g.Err()
}
