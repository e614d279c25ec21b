// Package dashboard computes the figures of live dashboards and tells open
// pages of them.
//
// A dashboard is a named set of figures; a figure is one SELECT over a database
// that the operator names, with the start and end of a range as parameters.
// Compile checks the operator's settings; New makes the engine, Run runs it.
// Changed tells it that something changed: the dashboard is computed and
// broadcast, the first time at once, further ones joined so that there are two
// broadcasts a second at most and the last change always shows. Current gives
// the figures to whoever asks; all who ask share one computation until the next
// change.
//
// A figure that fails keeps its last good value and says from when it is. It
// never becomes zero.
package dashboard
