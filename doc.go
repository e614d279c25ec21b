// Package belfry is the vocabulary that every other package of Belfry shares:
// apps and their limits, ids, and the one coded error.
//
// It depends on the standard library only and does nothing by itself. The
// server is in package server, the wire protocol in package pusher.
package belfry
