package gate

import (
	"net/http"
	"strings"

	"github.com/belfryhq/belfry"
)

// checkOrigin refuses a request that a page of another site made. Clients that
// are no browsers name no origin.
func (g *Gate) checkOrigin(r *http.Request) error {
	origins := r.Header.Values("Origin")
	if len(origins) == 0 {
		if r.Header.Get("Sec-Fetch-Site") == "cross-site" {
			return foreignOrigin()
		}
		return nil
	}
	if len(origins) > 1 || !g.isOwn(r, origins[0]) && !g.isListed(origins[0]) {
		return foreignOrigin()
	}
	return nil
}

func foreignOrigin() error {
	return &belfry.Error{Code: belfry.CodeForbidden, Message: "requests with cookies are not taken from this origin",
		Hint: "add the origin of the front end to BELFRY_CORS_ORIGINS; behind a proxy, set BELFRY_URL to the public address"}
}

// isOwn reports whether an origin is this server's: the public address's, or
// that of the host that was asked for.
func (g *Gate) isOwn(r *http.Request, origin string) bool {
	origin, ok := originOf(origin)
	if !ok {
		return false
	}
	if origin == g.own {
		return true
	}
	way := g.way(r)
	scheme, host, _ := strings.Cut(origin, "://")
	if way.Scheme == "https" && scheme != "https" {
		return false
	}
	return host == plainHost(scheme, way.Host)
}

func (g *Gate) isListed(origin string) bool {
	origin, ok := originOf(origin)
	return ok && g.listed[origin]
}

// CORS lets pages of the listed origins send requests with cookies and read the
// answers; it answers their preflight requests, and refuses those of others.
func (g *Gate) CORS(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Add("Vary", "Origin")
		origin := r.Header.Get("Origin")
		preflight := r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
		if origin == "" || !g.isListed(origin) {
			if preflight {
				g.Fail(w, r, Caller{}, foreignOrigin())
				return
			}
			next.ServeHTTP(w, r)
			return
		}
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Credentials", "true")
		if !preflight {
			h.Set("Access-Control-Expose-Headers", "Retry-After")
			next.ServeHTTP(w, r)
			return
		}
		h.Add("Vary", "Access-Control-Request-Headers")
		h.Set("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE")
		if headers := r.Header.Get("Access-Control-Request-Headers"); headers != "" {
			h.Set("Access-Control-Allow-Headers", headers) // a listed origin may send any
		}
		h.Set("Access-Control-Max-Age", "600")
		w.WriteHeader(http.StatusNoContent)
	})
}
