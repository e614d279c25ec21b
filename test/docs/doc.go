// Package docs runs the snippets of the documents against a real server, so
// that what a reader copies works. A snippet that is run stands under a comment
// that no renderer shows, such as <!-- run: curl -->.
package docs
