package run_test

import (
	"context"
	"errors"
	"testing"

	"github.com/belfryhq/belfry/internal/run"
)

func TestGroupTellsTheFirstFailure(t *testing.T) {
	stopped := errors.New("stopped on purpose")
	broken := errors.New("broken")
	ctx, stop := context.WithCancelCause(context.Background())
	g := run.NewGroup(ctx)
	g.Go("patient", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
	g.Go("candid", func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) })
	g.Go("breaking", func(context.Context) error { return broken })
	<-g.Failed()
	stop(stopped)
	if err := g.Wait(); !errors.Is(err, broken) || err.Error() != "breaking: broken" {
		t.Errorf("Wait = %v", err)
	}
}

func TestGroupEndsWithItsContext(t *testing.T) {
	ctx, stop := context.WithCancelCause(context.Background())
	g := run.NewGroup(ctx)
	g.Go("candid", func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) })
	stop(errors.New("stopped on purpose"))
	if err := g.Wait(); err != nil {
		t.Errorf("Wait = %v", err)
	}
}
