package gate_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/gate"
	"github.com/belfryhq/belfry/internal/identity"
	"github.com/belfryhq/belfry/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	password  = "correct horse"
	jwtSecret = "a secret of thirty-two bytes, all"
)

// fixture is a gate before an engine with the users admin, 1, and plain, 2.
type fixture struct {
	*gate.Gate
	identity *identity.Identity
	t        testing.TB

	mu  sync.Mutex // guards now
	now time.Time
}

func (f *fixture) time() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

func (f *fixture) pass(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
}

func open(t testing.TB, cfg gate.Config) *fixture {
	t.Helper()
	db, err := store.Open(store.Config{Dir: t.TempDir()})
	must(t, err)
	t.Cleanup(func() { db.Close() })
	_, err = db.Migrate(t.Context())
	must(t, err)
	f := &fixture{t: t, now: time.Now()}
	f.identity, err = identity.New(identity.Config{DB: db, Now: f.time, Hashing: identity.Hashing{Memory: 64, Time: 1},
		Issuers: []identity.Issuer{{Issuer: "app", Audience: []string{"belfry"}, Secret: []byte(jwtSecret), Prefix: "app:"}}})
	must(t, err)
	for email, roles := range map[string][]string{"admin@example.test": {"admin"}, "plain@example.test": {"editor"}} {
		_, _, err := f.identity.Add(t.Context(), identity.NewUser{Email: email, Roles: roles, Password: password})
		must(t, err)
	}
	cfg.Identity, cfg.Now = f.identity, f.time
	f.Gate, err = gate.New(cfg)
	must(t, err)
	return f
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) login(email string) *identity.Session {
	f.t.Helper()
	s, err := f.identity.Login(f.t.Context(), identity.LoginAttempt{Email: email, Password: password})
	must(f.t, err)
	return s
}

// request makes one with headers, given as name and value in turn.
func request(method, target, body string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for n := 0; n < len(headers); n += 2 {
		if headers[n] == "Host" {
			r.Host = headers[n+1]
			continue
		}
		r.Header.Add(headers[n], headers[n+1])
	}
	return r
}

func wantCode(t testing.TB, err error, code belfry.Code) {
	t.Helper()
	if belfry.CodeOf(err) != code {
		t.Errorf("error %v has the code %q, want %q", err, belfry.CodeOf(err), code)
	}
}

func prefixes(all ...string) (list []netip.Prefix) {
	for _, p := range all {
		list = append(list, netip.MustParsePrefix(p))
	}
	return list
}

// door answers who asks, signs in at /login and refuses what the gate refuses.
func (f *fixture) door() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /csrf", func(w http.ResponseWriter, r *http.Request) {
		if _, err := f.Begin(w, r); err != nil {
			f.Fail(w, r, gate.Caller{}, err)
		}
	})
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		c, err := f.Caller(r)
		if err == nil && c.Session == nil {
			err = gate.ErrCSRF()
		}
		var s *identity.Session
		if err == nil {
			s, err = f.identity.Login(r.Context(), identity.LoginAttempt{Email: r.PostFormValue("email"), Password: r.PostFormValue("password"),
				Address: c.Address.String(), Previous: f.Previous(r)})
		}
		if err != nil {
			f.Fail(w, r, c, err)
			return
		}
		f.SetSession(w, r, s)
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		c, err := f.Caller(r)
		if err = errors.Join(err, c.SignedIn()); err == nil {
			err = f.identity.Logout(r.Context(), c.Session)
		}
		if err == nil {
			_, err = f.Renew(w, r)
		}
		if err != nil {
			f.Fail(w, r, c, err)
		}
	})
	mux.HandleFunc("/who", func(w http.ResponseWriter, r *http.Request) {
		c, err := f.Caller(r)
		if err = errors.Join(err, c.SignedIn()); err != nil {
			f.Fail(w, r, c, err)
			return
		}
		json.NewEncoder(w).Encode(c.User)
	})
	return f.CORS(mux)
}
