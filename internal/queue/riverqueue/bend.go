package riverqueue

import (
	"context"

	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"

	"github.com/belfryhq/belfry/internal/store"
)

// bent is River's driver, bent in these places for one crew:
//   - a fetch takes from all queues of the crew, by importance and in order,
//     and tells the Queue of each job before any starts;
//   - a job that ran is deleted at once, or waits again, as its verdict says;
//   - nobody is ever elected, so that River's maintenance never starts;
//   - on SQLite, where River would ask for news 20 times a second, the crew's
//     channel brings them.
type bent[TTx any] struct {
	riverdriver.Driver[TTx]
	run *run
}

// GetExecutor implements riverdriver.Driver.
func (b *bent[TTx]) GetExecutor() riverdriver.Executor {
	return &executor{Executor: b.Driver.GetExecutor(), run: b.run}
}

// GetListener implements riverdriver.Driver.
func (b *bent[TTx]) GetListener(params *riverdriver.GetListenenerParams) riverdriver.Listener {
	if b.run.d.db.Dialect() == store.Postgres {
		return b.Driver.GetListener(params)
	}
	return &listener{woken: b.run.crew.Woken}
}

// SupportsListener implements riverdriver.Driver.
func (b *bent[TTx]) SupportsListener() bool { return true }

type executor struct {
	riverdriver.Executor
	run *run
}

// JobGetAvailable implements riverdriver.Executor.
func (e *executor) JobGetAvailable(ctx context.Context, params *riverdriver.JobGetAvailableParams) ([]*rivertype.JobRow, error) {
	return e.run.fetch(ctx, params)
}

// JobSetStateIfRunningMany implements riverdriver.Executor. It gives no rows:
// nobody subscribes to them.
func (e *executor) JobSetStateIfRunningMany(ctx context.Context, params *riverdriver.JobSetStateIfRunningManyParams) ([]*rivertype.JobRow, error) {
	return nil, e.run.settle(ctx, params.ID)
}

// QueueCreateOrSetUpdatedAt implements riverdriver.Executor: the producer's one
// queue is only a name.
func (e *executor) QueueCreateOrSetUpdatedAt(context.Context, *riverdriver.QueueCreateOrSetUpdatedAtParams) (*rivertype.Queue, error) {
	return &rivertype.Queue{Name: everything, Metadata: []byte("{}")}, nil
}

// Begin implements riverdriver.Executor. A client at work begins transactions
// for the election only.
func (e *executor) Begin(context.Context) (riverdriver.ExecutorTx, error) { return election{e}, nil }

// LeaderAttemptElect implements riverdriver.Executor: another is the leader.
func (e *executor) LeaderAttemptElect(context.Context, *riverdriver.LeaderElectParams) (*riverdriver.Leader, error) {
	return nil, rivertype.ErrNotFound
}

// LeaderAttemptReelect implements riverdriver.Executor.
func (e *executor) LeaderAttemptReelect(context.Context, *riverdriver.LeaderReelectParams) (*riverdriver.Leader, error) {
	return nil, rivertype.ErrNotFound
}

// LeaderDeleteExpired implements riverdriver.Executor.
func (e *executor) LeaderDeleteExpired(context.Context, *riverdriver.LeaderDeleteExpiredParams) (int, error) {
	return 0, nil
}

// LeaderResign implements riverdriver.Executor.
func (e *executor) LeaderResign(context.Context, *riverdriver.LeaderResignParams) (bool, error) {
	return false, nil
}

// election is a transaction in which nothing happens.
type election struct{ *executor }

func (election) Commit(context.Context) error   { return nil }
func (election) Rollback(context.Context) error { return nil }

// listener brings the news of the crew's channel.
type listener struct {
	woken <-chan struct{}
}

func (l *listener) Close(context.Context) error            { return nil }
func (l *listener) Connect(context.Context) error          { return nil }
func (l *listener) Listen(context.Context, string) error   { return nil }
func (l *listener) Unlisten(context.Context, string) error { return nil }
func (l *listener) Ping(context.Context) error             { return nil }
func (l *listener) Schema() string                         { return "" }
func (l *listener) SetAfterConnectExec(string)             {}

// WaitForNotification implements riverdriver.Listener.
func (l *listener) WaitForNotification(ctx context.Context) (*riverdriver.Notification, error) {
	select {
	case <-l.woken:
		return &riverdriver.Notification{Topic: insertTopic, Payload: insertPayload}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// What River's producers listen for.
const (
	insertTopic   = "river_insert"
	insertPayload = `{"queue":"` + everything + `"}`
)
