// Package trace remembers, for a while and within a bound, where events went and
// what connections did, so that "why did nothing arrive?" has an answer.
//
// What is told to it is appended to logs in memory: a few shards, each a row of
// chunks of bytes with a filter in front, the oldest of which goes when the logs
// have their size. Nothing is allocated for a record but the chunk that it
// stands in, and nothing is looked up, so that telling is cheap on the way of
// each event; whoever asks pays, by reading the chunks whose filter says that
// they may hold what is looked for.
//
// Of an event stay name, size, channels, the top-level keys of its data, and who
// handed it over; never the data, a query string, a cookie or an Authorization
// header.
package trace
