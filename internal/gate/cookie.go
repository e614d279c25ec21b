package gate

import (
	"net/http"
	"time"

	"github.com/belfryhq/belfry/internal/identity"
)

// The cookies. The first two hold the session, the third its CSRF token for
// the page's own scripts.
const (
	plainCookie  = "belfry_session"
	secureCookie = "__Host-belfry_session"
	csrfCookie   = "XSRF-TOKEN"
)

// renewGuests is the age at which a guest gets a new session.
const renewGuests = 12 * time.Hour

func (g *Gate) cookieName(r *http.Request) string {
	if g.HTTPS(r) {
		return secureCookie
	}
	return plainCookie
}

// cookie gives the value of the session cookie, empty when there is none.
func (g *Gate) cookie(r *http.Request) string {
	c, err := r.Cookie(g.cookieName(r))
	if err != nil {
		return ""
	}
	return c.Value
}

// Previous gives the value of the session cookie that came with a request, for
// identity.LoginAttempt; empty when there is none.
func (g *Gate) Previous(r *http.Request) string { return g.cookie(r) }

// Begin makes sure that the browser has a session: it gives the one that came
// with the request or starts a guest's, and sets the cookies.
func (g *Gate) Begin(w http.ResponseWriter, r *http.Request) (*identity.Session, error) {
	if cookie := g.cookie(r); cookie != "" {
		s, err := g.identity.Session(r.Context(), cookie)
		if err == nil && (s.User != nil || g.now().Sub(s.Created) < renewGuests) {
			g.SetSession(w, r, s)
			return s, nil
		}
	}
	return g.Renew(w, r)
}

// Renew starts a guest's session in place of the one that came with the
// request, as after signing out.
func (g *Gate) Renew(w http.ResponseWriter, r *http.Request) (*identity.Session, error) {
	s, err := g.identity.StartSession(r.Context())
	if err != nil {
		return nil, err
	}
	g.SetSession(w, r, s)
	return s, nil
}

// SetSession sets the cookies of a session: the session's own only when it is
// new, its CSRF token's always. Both are for this host alone, and end with the
// session.
func (g *Gate) SetSession(w http.ResponseWriter, r *http.Request, s *identity.Session) {
	c := http.Cookie{Path: "/", Expires: s.Expires.UTC(), MaxAge: max(1, int(s.Expires.Sub(g.now())/time.Second)),
		Secure: g.HTTPS(r), SameSite: http.SameSiteLaxMode}
	if s.Cookie != "" {
		session := c
		session.Name, session.Value, session.HttpOnly = g.cookieName(r), s.Cookie, true
		http.SetCookie(w, &session)
	}
	c.Name, c.Value = csrfCookie, s.CSRF
	http.SetCookie(w, &c)
	w.Header().Set("Cache-Control", "no-store")
}
