// Package service is the backend of a school's check-in app: students say on
// their phones how they are, and counselors see it on a dashboard.
//
// It is an example of a service beside Belfry. It has a database of its own,
// SQLite or PostgreSQL, an HTTP API, and tells Belfry of each change, after the
// commit, with a webhook that package webhook signs, joins with those that
// follow at once, and tries until it arrives. Belfry then computes its dashboard
// from the service's database.
//
// The API asks nobody who they are: a real one would. It listens on this
// machine alone unless it is told otherwise.
package service
