// Package store is the database: SQLite in the data folder, or PostgreSQL. It
// opens and migrates it and gives connections and transactions; each engine
// keeps its own SQL, one text for both.
//
// Rules of that text: parameters are $1, $2 …; times are milliseconds since
// 1970 in UTC (Millis, Time); truth values are BOOLEAN columns; JSON is text;
// ON CONFLICT and RETURNING work on both.
//
// SQLite has one writer. Inside a transaction everything goes through the Tx;
// a use of the DB with the transaction's context is refused with an error,
// since it would wait for itself.
package store
