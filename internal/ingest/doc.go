// Package ingest takes the signed webhooks that tell a dashboard that something
// changed.
//
// A call is taken when its signature is that of its raw body, and, in the
// standard scheme, when its timestamp is near and its id was not seen. Ids are
// kept in the database, so that all servers share them, with the newest in
// memory before it. What a call says of figures is not read: they are computed
// anew.
//
// For a signature that is wrong the likely mistake is looked for, some time
// after the caller was answered and a few times a second at most, and goes to
// the log and to Recent; it never reaches the caller.
package ingest
