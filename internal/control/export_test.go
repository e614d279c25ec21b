package control

import (
	"maps"
	"net/http"
	"slices"
	"time"
)

// Patterns gives all requests of the link.
func Patterns() (all []string) {
	Backend{}.all(func(pattern string, _ bool, _ func(http.ResponseWriter, *http.Request) (any, error)) {
		all = append(all, pattern)
	})
	slices.Sort(all)
	return all
}

// Offers gives the requests that are decided on for other machines.
func Offers() []string { return slices.Sorted(maps.Keys(offers)) }

// Refused says why a request is refused to other machines; "" where it is not.
func Refused(pattern string) string { return offers[pattern].refused }

// SetQuiet says how long a stream of c may be silent.
func SetQuiet(c *Client, d time.Duration) { c.far.quiet = d }
