package queue_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/queue"
)

func TestPermanentErrors(t *testing.T) {
	plain := errors.New("plain")
	for _, c := range []struct {
		err  error
		want bool
	}{
		{nil, false}, {plain, false}, {queue.Permanent(plain), true}, {fmt.Errorf("more: %w", queue.Permanent(plain)), true},
		{queue.After(queue.Permanent(plain), time.Second), true}, {queue.Permanent(nil), false}, {queue.After(nil, time.Second), false},
		{belfry.Errorf(belfry.CodeInvalid, "x"), true}, {fmt.Errorf("more: %w", belfry.Errorf(belfry.CodeTooLarge, "x")), true},
		{belfry.Errorf(belfry.CodeUnavailable, "x"), false}, {belfry.Errorf(belfry.CodeRateLimited, "x"), false}, {belfry.Errorf(belfry.CodeInternal, "x"), false},
	} {
		if got := queue.IsPermanent(c.err); got != c.want {
			t.Errorf("%v: %v", c.err, got)
		}
	}
	if err := queue.After(queue.Permanent(plain), time.Second); !errors.Is(err, plain) || err.Error() != "plain" {
		t.Errorf("the marks hide %v", err)
	}
}

func TestNamesOfQueues(t *testing.T) {
	for _, name := range []string{"default", "a", "A-b_c.d:9", strings.Repeat("x", 100)} {
		if err := queue.CheckName(name); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"", " ", "a b", "ä", "a/b", "a\x00", "*", strings.Repeat("x", 101)} {
		if err := queue.CheckName(name); belfry.CodeOf(err) != belfry.CodeInvalid {
			t.Errorf("%q: %v", name, err)
		}
	}
}
