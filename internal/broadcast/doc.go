// Package broadcast takes events and brings them out: it checks them when they
// are accepted, keeps them in a queue, and hands them to the one driver that is
// in force.
//
// An event that was accepted can no longer fail for its form: app, names,
// sizes, condition and encryption are judged before the caller has its answer.
// What can still go wrong is the target, and that is what tries, the circuit
// and failed jobs are for.
//
// Errors are *belfry.Error. CodeInvalid, CodeNotFound, CodeForbidden and
// CodeTooLarge are permanent: trying again is of no use. All others may pass.
package broadcast
