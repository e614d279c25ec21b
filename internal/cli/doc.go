// Package cli is the belfry command: one file a command, each of them a struct
// with a run method that maps flags to one call and its result to text or JSON.
//
// Commands with a colon in their name (app:list) may be written with a space
// (app list) and the other way round. Exit codes: 0 done, 1 failed, 2 wrong
// use.
package cli
