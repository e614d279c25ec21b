// Package identity knows who people are: users with their roles and passwords,
// the sessions of their browsers, API tokens, and the JWTs of applications that
// keep their own users.
//
// Nothing that opens a door is kept in the clear: passwords as argon2id,
// session cookies, API tokens and set-up links as SHA-256 of their random
// text. Every change that may take a right away is written into a numbered log,
// Changes, in the transaction of the change itself, so that all servers of one
// database can follow it.
package identity
