// Package appstore keeps the apps that were made with commands, in the
// database, and joins them with the apps of the configuration, which are
// read-only here.
//
// Store is the list in the database, Roster the one that commands change and a
// server serves.
package appstore
