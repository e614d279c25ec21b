// Package control is the link between a running server and the commands on the
// same machine: HTTP with JSON over a socket in the data folder that its owner
// alone may open. Where the system has no such sockets, or the path is too long
// for one, it is a loopback address with a token, both in an owner-only file.
//
// Listen and NewServer are the server's side, Dial and Client the commands'.
package control
