// Package services gives tests a real PostgreSQL and a real Redis: processes of
// their own, on free ports of 127.0.0.1, in temporary folders, from the packages
// that scripts/test-deps.sh installs. A test that cannot have one fails.
//
// Postgres and Redis are all that most tests need. OwnPostgres and OwnRedis give
// a server that a test may take away in the middle. Nothing is left to do at
// the end: a server ends with the process that asked for it, also when that is
// killed, and TestMain needs no part in it. StartPostgres and StartRedis are for
// programs that measure.
package services
