// Package pusher is the Pusher Channels protocol, versions 4 to 7, and nothing
// else: channel names and kinds, frames in and out, close codes, signatures,
// and the bodies of the HTTP API. It does no I/O, keeps no state and depends on
// the standard library; every function is safe for concurrent use.
//
// Comments name the clauses of the conformance table in docs/conformance.md
// (WS-10, CH-03, AUTH-01 …) that the code carries out.
package pusher
