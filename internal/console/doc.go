// Package console is the administrators' door: what the server does at the
// moment, what it remembers, and the few things that an operator changes while
// it runs. The pages at /console stand on it.
//
// Every path, known or not, is for the role admin, or for a token with the scope
// admin. What changes something is written to a log of its own, see audit. No
// answer holds a secret but the one that made it.
package console
