// Package notify keeps notifications and what each receiver has of them: it
// checks, schedules and sends them, counts what is unread, and tells open pages
// of every change.
//
// Each receiver has a row in notify_users with the number of unread
// notifications and a version, which every change of theirs raises in the same
// transaction. Live events may overtake each other; who keeps the highest
// version has the truth.
//
// Sending to many is a job that works in slices of users, each one transaction:
// the receivers' rows, their counts, where the job stands, and one further job
// that tells the slice's open pages. What dies between two slices goes on where
// it stood.
//
// Locks are taken in one order everywhere: receivers by id, their rows, then
// the notification; so that no two transactions wait for each other.
//
// Errors are *belfry.Error, or *Invalid where fields have faults.
package notify
