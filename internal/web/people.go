package web

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/gate"
	"github.com/belfryhq/belfry/internal/identity"
)

// maxSignIn bounds the body of a sign-in and of a set-up.
const maxSignIn = 16 << 10

// people are the routes by which users come and go.
type people struct {
	gate     *gate.Gate
	identity *identity.Identity
}

func (p people) routes(mux *http.ServeMux) {
	handle := func(pattern string, f func(w http.ResponseWriter, r *http.Request) (gate.Caller, error)) {
		mux.Handle(pattern, p.gate.CORS(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if c, err := f(w, r); err != nil {
				p.gate.Fail(w, r, c, err)
			}
		})))
	}
	handle("GET /sanctum/csrf-cookie", p.csrfCookie)
	handle("POST /login", p.login)
	handle("POST /logout", p.logout)
	handle("POST /setup", p.setup)
	handle("GET /api/user", p.user)
	handle("GET /api/users", p.users)
	handle("GET /api/users/roles", p.roles)
	for _, path := range []string{"/sanctum/csrf-cookie", "/login", "/logout", "/setup", "/api/user", "/api/users", "/api/users/roles"} {
		mux.Handle("OPTIONS "+path, p.gate.CORS(http.HandlerFunc(notFound)))
	}
}

// csrfCookie gives a browser its session and the CSRF token in the cookie
// XSRF-TOKEN, as Laravel's front ends ask for them before they sign in.
func (p people) csrfCookie(w http.ResponseWriter, r *http.Request) (c gate.Caller, err error) {
	if _, err = p.gate.Begin(w, r); err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return c, err
}

// signIn is the body of a sign-in.
type signIn struct {
	Email    string `json:"email"`
	Password string `json:"password"`
}

func (p people) login(w http.ResponseWriter, r *http.Request) (gate.Caller, error) {
	c, err := p.fromAPage(w, r)
	if err != nil {
		return c, err
	}
	var in signIn
	if err := readFields(r, &in, func(value func(string) string) { in = signIn{value("email"), value("password")} }); err != nil {
		return c, err
	}
	return c, p.begin(w, r, c, in)
}

// fromAPage lets through what a page of this server, or of a listed origin,
// sent: signing in wants a CSRF token as everything else does.
func (p people) fromAPage(w http.ResponseWriter, r *http.Request) (gate.Caller, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxSignIn)
	c, err := p.gate.Caller(r)
	if err == nil && c.Session == nil {
		err = gate.ErrCSRF()
	}
	return c, err
}

// begin signs in and answers.
func (p people) begin(w http.ResponseWriter, r *http.Request, c gate.Caller, in signIn) error {
	s, err := p.identity.Login(r.Context(), identity.LoginAttempt{
		Email: in.Email, Password: in.Password, Address: c.Address.String(), UserAgent: r.UserAgent(), Previous: p.gate.Previous(r),
	})
	if err != nil {
		return err
	}
	p.gate.SetSession(w, r, s)
	writeJSON(w, http.StatusOK, map[string]any{"user": s.User})
	return nil
}

func (p people) logout(w http.ResponseWriter, r *http.Request) (gate.Caller, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxSignIn)
	c, err := p.gate.Caller(r)
	if err != nil {
		return c, err
	}
	if err := p.identity.Logout(r.Context(), c.Session); err != nil {
		return c, err
	}
	if _, err := p.gate.Renew(w, r); err != nil {
		return c, err
	}
	w.WriteHeader(http.StatusNoContent)
	return c, nil
}

// setup makes the first administrator, for the holder of the link that the
// server printed, and signs them in.
func (p people) setup(w http.ResponseWriter, r *http.Request) (gate.Caller, error) {
	c, err := p.fromAPage(w, r)
	if err != nil {
		return c, err
	}
	var in struct {
		Token string `json:"token"`
		Name  string `json:"name"`
		signIn
	}
	if err := readFields(r, &in, nil); err != nil {
		return c, err
	}
	user, err := p.identity.Setup(r.Context(), in.Token, identity.NewUser{Email: in.Email, Name: in.Name, Password: in.Password})
	if err != nil {
		return c, err
	}
	c.User = user
	return c, p.begin(w, r, c, in.signIn)
}

func (p people) user(w http.ResponseWriter, r *http.Request) (gate.Caller, error) {
	c, err := p.gate.Caller(r)
	if err == nil {
		err = c.SignedIn()
	}
	if err == nil {
		writeJSON(w, http.StatusOK, c.User)
	}
	return c, err
}

// readFields reads a body that is JSON, into v, or a form, by form, nil for none.
// The body is bounded already.
func readFields(r *http.Request, v any, form func(value func(name string) string)) error {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case kind == "application/x-www-form-urlencoded" && form != nil:
		if err := r.ParseForm(); err != nil {
			return formFault(err)
		}
		form(r.PostForm.Get)
		return nil
	case kind == "multipart/form-data" && form != nil:
		if err := r.ParseMultipartForm(maxSignIn); err != nil {
			return formFault(err)
		}
		form(func(name string) string {
			if values := r.MultipartForm.Value[name]; len(values) > 0 {
				return values[0]
			}
			return ""
		})
		return nil
	}
	d := json.NewDecoder(r.Body)
	err := d.Decode(v)
	if err == nil {
		_, err = d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		err = errors.New("more than one value")
	}
	return formFault(err)
}

// formFault tells a body that is too large from one that cannot be read. What
// it holds is not repeated: it may be a password.
func formFault(err error) error {
	if large, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return large
	}
	return &belfry.Error{Code: belfry.CodeInvalid, Message: "the body cannot be read", Hint: "send a JSON object or a form, and say which in Content-Type", Err: err}
}

// writeJSON answers with v, which no cache is to keep.
func writeJSON(w http.ResponseWriter, status int, v any) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // the caller is gone: nobody is left to tell
}
