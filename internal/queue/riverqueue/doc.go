// Package riverqueue is a queue's driver on SQLite or PostgreSQL, with River.
//
// River keeps the jobs in its tables, fetches them when it is told that some
// came, and runs each in a goroutine. Its retries, schedules, leader and
// maintenance are not used: the Queue in front does what they do, alike for
// all drivers. Where River leaves to chance what the Queue promises, River's
// own driver is wrapped (see bend.go): the order of a fetch, the importance of
// queues, and what becomes of a job that ran. The wrapped interface is one that
// River calls unstable, so the version of River is to be raised with care: the
// suite in queuetest shows whether it still holds.
package riverqueue
