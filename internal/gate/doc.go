// Package gate says who is asking: it turns an HTTP request into a Caller, by
// session cookie, API token or JWT, keeps other sites' pages from acting in a
// visitor's name, finds the client's address behind trusted proxies, limits how
// often one asks, and answers refusals.
//
// It changes nothing: doors call it and then an engine.
package gate
