// Package appstore keeps the apps that were made with commands, in the file
// apps.json of the data folder, and joins them with the apps of the
// configuration, which are read-only here.
//
// Store is the file, Roster the list that commands change and a server serves.
package appstore
