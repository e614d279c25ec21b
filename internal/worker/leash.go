package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/filelock"
)

// The environment of a worker process that has a supervisor.
const (
	slotVariable = "BELFRY_WORKER_SLOT"
	dirVariable  = "BELFRY_WORKER_DIR"
)

// saysReady stands in the pid file of a worker that takes jobs.
const saysReady = "ready"

// lockPatience is how long a lock may be another's: somebody looks at it.
const lockPatience = 3 * time.Second

// ErrStop is the cause of the end of a leashed context.
var ErrStop = errors.New("the supervisor wants the worker to stop")

// Leash is a worker process's end of the tie to its supervisor.
type Leash struct {
	lock  *filelock.Lock
	stdin io.Reader
}

// TakeLeash takes the worker's end. It gives nil when the process has no
// supervisor. stdin must be the process's standard input. The environment is as
// os.Environ gives it.
func TakeLeash(ctx context.Context, environ []string, stdin io.Reader) (*Leash, error) {
	slot, dir := 0, ""
	for _, pair := range environ {
		if v, ok := strings.CutPrefix(pair, slotVariable+"="); ok {
			slot, _ = strconv.Atoi(v)
		} else if v, ok := strings.CutPrefix(pair, dirVariable+"="); ok {
			dir = v
		}
	}
	if slot <= 0 || dir == "" {
		return nil, nil
	}
	surviveSupervisor()
	ctx, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	lock, err := filelock.Wait(ctx, slotFile(dir, slot))
	if err != nil {
		return nil, fmt.Errorf("claim the place of worker %d: %w", slot, err)
	}
	if err := stake(lock, ""); err != nil {
		lock.Release()
		return nil, fmt.Errorf("write process id: %w", err)
	}
	return &Leash{lock: lock, stdin: stdin}, nil
}

// Context gives a context that ends with the cause ErrStop when the supervisor
// wants the worker to stop, or is gone. It is called once.
func (l *Leash) Context(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	go func() {
		io.Copy(io.Discard, l.stdin)
		cancel(ErrStop)
	}()
	return ctx, func() { cancel(context.Canceled) }
}

// Ready says that the worker takes jobs.
func (l *Leash) Ready() error { return stake(l.lock, saysReady) }

// Farewell says why the worker ends, in a few words, for the supervisor's log
// and status.
func (l *Leash) Farewell(reason string) error { return stake(l.lock, reason) }
