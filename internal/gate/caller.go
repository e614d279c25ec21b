package gate

import (
	"cmp"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/identity"
)

// Kind says how a caller is known.
type Kind string

// The kinds of callers.
const (
	Guest   Kind = "guest"   // nobody is signed in
	Session Kind = "session" // by the cookie of a browser
	Token   Kind = "token"   // by an API token
	JWT     Kind = "jwt"     // by an issuer's token
)

// Caller is who is asking.
type Caller struct {
	Kind Kind
	// User is nil for a guest; for a token, it is the token's owner.
	User *belfry.User
	// Session is the browser's: a user's or a guest's; nil when the request
	// brought none, or a bearer token.
	Session *identity.Session
	// Token is set for the kind Token.
	Token *identity.Token
	// Address is the client's; not valid when it is not known.
	Address netip.Addr
}

// SessionID names what the caller's rights stand on: the session, or the token.
// It is empty for guests and JWTs.
func (c Caller) SessionID() string {
	switch {
	case c.User == nil:
		return ""
	case c.Token != nil:
		return c.Token.SessionID()
	case c.Session != nil:
		return c.Session.ID
	}
	return ""
}

// Key names the caller for a Limiter: the user, or a guest's address.
func (c Caller) Key() string {
	if c.User != nil {
		return "user " + c.User.ID
	}
	return "address " + network(c.Address)
}

// SignedIn gives CodeUnauthenticated for a guest.
func (c Caller) SignedIn() error {
	if c.User == nil {
		return &belfry.Error{Code: belfry.CodeUnauthenticated, Message: "nobody is signed in", Hint: "sign in at /login, or send a bearer token"}
	}
	return nil
}

// Require gives an error unless the caller has the scope: a token by its scopes
// and its owner's roles, a person by their roles. A person without a token
// needs the role admin for the scopes events and admin.
func (c Caller) Require(scope string) error {
	if err := c.SignedIn(); err != nil {
		return err
	}
	if c.Token != nil {
		if !c.Token.Allows(scope) {
			return &belfry.Error{Code: belfry.CodeForbidden, Message: "the API token lacks the scope " + scope + ", or its user the role for it",
				Hint: "belfry user:token makes one with other scopes"}
		}
		return nil
	}
	need := ""
	switch scope {
	case identity.ScopeNotifications, identity.ScopeDashboard:
	case identity.ScopeManageNotifications:
		need = belfry.RoleManager
	default:
		need = belfry.RoleAdmin
	}
	if need == "" || c.User.Is(need) || c.User.Is(belfry.RoleAdmin) {
		return nil
	}
	return belfry.Errorf(belfry.CodeForbidden, "this needs the role %s", need)
}

// maxForm bounds a form that is searched for a CSRF token.
const maxForm = 256 << 10

// Caller says who sent the request. A bearer token decides alone, and cookies
// are then not looked at; one that is no good gives CodeUnauthenticated. A
// request with a session that may change something needs the session's CSRF
// token (else CodeCSRF) and, if it names an origin, this server's or a listed
// one (else CodeForbidden). A cookie of no session makes a guest. The Caller of
// an error holds the address, for the log.
//
// Where the body is a form and no header has the CSRF token, the form is read:
// look for it in r.PostForm afterwards.
func (g *Gate) Caller(r *http.Request) (Caller, error) {
	c := Caller{Kind: Guest, Address: g.Address(r)}
	if bearer, ok := bearerOf(r); ok {
		return g.bearer(r, c, bearer)
	}
	cookie := g.cookie(r)
	if cookie == "" {
		return c, nil
	}
	s, err := g.identity.Session(r.Context(), cookie)
	if belfry.CodeOf(err) == belfry.CodeUnauthenticated {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	if !safe(r.Method) {
		if err := g.checkOrigin(r); err != nil {
			return c, err
		}
		if err := checkCSRF(r, s); err != nil {
			return c, err
		}
	}
	c.Session = s
	if s.User != nil {
		c.Kind, c.User = Session, s.User
	}
	return c, nil
}

func (g *Gate) bearer(r *http.Request, c Caller, bearer string) (Caller, error) {
	if strings.HasPrefix(bearer, identity.TokenPrefix) {
		token, err := g.identity.Token(r.Context(), bearer)
		if err != nil {
			return c, err
		}
		c.Kind, c.Token, c.User = Token, token, token.User
		return c, nil
	}
	user, err := g.identity.JWT(r.Context(), bearer)
	if err != nil {
		return c, err
	}
	c.Kind, c.User = JWT, user
	return c, nil
}

// bearerOf gives the bearer token of a request.
func bearerOf(r *http.Request) (token string, ok bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(token), strings.EqualFold(scheme, "Bearer")
}

func safe(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// CodeCSRF is the code of a request whose CSRF token is missing or wrong; its
// status is 419, as Laravel's front ends know it.
const CodeCSRF belfry.Code = "csrf_token"

// ErrCSRF gives the error of a missing or wrong CSRF token, for doors that
// want a session where there is none, as signing in does.
func ErrCSRF() error {
	return &belfry.Error{Code: CodeCSRF, Message: "the CSRF token is missing, or not this session's",
		Hint: "GET /sanctum/csrf-cookie, then send the value of the cookie XSRF-TOKEN as the header X-XSRF-TOKEN"}
}

func checkCSRF(r *http.Request, s *identity.Session) error {
	token := cmp.Or(r.Header.Get("X-CSRF-TOKEN"), unescape(r.Header.Get("X-XSRF-TOKEN")))
	if token == "" {
		var err error
		if token, err = formToken(r); err != nil {
			return err
		}
	}
	if !s.ChecksCSRF(token) {
		return ErrCSRF()
	}
	return nil
}

// unescape reads a cookie's value as clients send it that do not decode it.
func unescape(value string) string {
	if plain, err := url.QueryUnescape(value); err == nil && strings.Contains(value, "%") {
		return plain
	}
	return value
}

// formToken gives the field _token of a form's body.
func formToken(r *http.Request) (string, error) {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind != "application/x-www-form-urlencoded" || r.Body == nil {
		return "", nil
	}
	if r.PostForm == nil {
		r.Body = struct {
			io.Reader
			io.Closer
		}{http.MaxBytesReader(nil, r.Body, maxForm), r.Body}
	}
	err := r.ParseForm()
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return "", belfry.Errorf(belfry.CodeTooLarge, "the form is larger than %d bytes", maxForm)
	}
	return r.PostForm.Get("_token"), nil // of a form with faults, what could be read
}
