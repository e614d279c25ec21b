// Package queue keeps jobs until they are done: queues by name, delays, tries
// with pauses between them, time limits, unique and debounced jobs, lanes that
// keep order, failed jobs, pause, restart, heartbeats of workers.
//
// Queue is all of that, once, in front of a small Driver for each technology:
// the driver keeps the jobs that may start now and hands each to a worker.
// What waits for its time, what failed, and who works is in tables of the
// database, whatever the driver.
//
// A job runs at least once: a worker that dies with it leaves it to another
// after Config.Silent. Whoever handles jobs must bear a second time, by the
// job's ID.
package queue
