package api

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// route is one endpoint. Each path has one method; a GET serves HEAD too.
type route struct {
	method    string
	publishes bool // takes an Idempotency-Key
	serve     func(*Door, *call) (answer, error)
}

func (r *route) allows(method string) bool {
	return method == r.method || r.method == http.MethodGet && method == http.MethodHead
}

func (r *route) allow() string {
	if r.method == http.MethodGet {
		return "GET, HEAD"
	}
	return r.method
}

// matched is a route and what the path names.
type matched struct {
	*route
	name         string // of the route, with its parameters left open
	app, subject string // decoded once
}

var routes = map[string]*route{
	"events":                        {http.MethodPost, true, (*Door).events},
	"batch_events":                  {http.MethodPost, true, (*Door).batchEvents},
	"channels":                      {http.MethodGet, false, (*Door).channels},
	"channels/*":                    {http.MethodGet, false, (*Door).channel},
	"channels/*/stats":              {http.MethodGet, false, (*Door).channel},
	"channels/*/users":              {http.MethodGet, false, (*Door).users},
	"channels/*/events":             {http.MethodPost, true, (*Door).channelEvent},
	"users/*/terminate_connections": {http.MethodPost, false, (*Door).terminate},
}

// match finds the route of a still escaped path. Nothing is cleaned or
// redirected: an escaped slash belongs to a name, and the signature covers the
// path as it came (HTTP-05).
func (d *Door) match(raw string) (matched, bool) {
	rest, ok := strings.CutPrefix(d.strip(raw), "/apps/")
	if !ok {
		return matched{}, false
	}
	app, rest, _ := strings.Cut(rest, "/")
	m := matched{app: unescape(app), name: rest}
	if first, tail, more := strings.Cut(rest, "/"); more {
		subject, _, _ := strings.Cut(tail, "/")
		if subject == "" {
			return matched{}, false
		}
		m.subject = unescape(subject)
		m.name = first + "/*" + strings.TrimPrefix(tail, subject)
	}
	m.route, ok = routes[m.name]
	return m, ok && app != ""
}

// strip takes the configured prefix off a path.
func (d *Door) strip(path string) string {
	if rest, ok := strings.CutPrefix(path, d.cfg.PathPrefix); ok && strings.HasPrefix(rest, "/") {
		return rest
	}
	return path
}

// signedPaths lists the forms of the path that the caller may have signed, the
// likeliest first: without the prefix and with it, each decoded and raw, even
// where a proxy or an outer handler took a prefix off (HTTP-05).
func (d *Door) signedPaths(q *request) []string {
	paths := make([]string, 0, 6)
	add := func(path string) {
		for _, form := range [2]string{unescape(path), path} {
			if !slices.Contains(paths, form) {
				paths = append(paths, form)
			}
		}
	}
	bare := d.strip(q.path)
	add(bare)
	if d.cfg.PathPrefix != "" {
		add(d.cfg.PathPrefix + bare)
	}
	if wire, _, _ := strings.Cut(q.target, "?"); wire != q.path && strings.HasPrefix(wire, "/") {
		add(wire)
	}
	return paths
}

// rawPath gives the path as it stood on the wire.
func rawPath(u *url.URL) string {
	if u.RawPath != "" {
		return u.RawPath
	}
	return u.EscapedPath()
}

// unescape decodes a part of a path once; what cannot be decoded stays.
func unescape(s string) string {
	if plain, err := url.PathUnescape(s); err == nil {
		return plain
	}
	return s
}
