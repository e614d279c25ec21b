// Package httpx is outgoing HTTP for URLs that an operator or an application
// gave: a client that refuses private destinations at the moment of dialling,
// follows no redirect and uses no proxy, and bounded reading of answers.
package httpx
