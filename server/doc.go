// Package server puts Belfry together: New takes settings and gives a program
// that is a value, Run runs it until its context ends. The command belfry serve
// does nothing else, and a Go program can embed the server the same way.
package server
