// Package proxy holds the files of deploy/ to the truth: real proxies run them
// in front of a real server.
package proxy
