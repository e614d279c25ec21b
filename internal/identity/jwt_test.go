package identity_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/identity"
	"github.com/belfryhq/belfry/internal/store"
)

const secret = "a secret of thirty-two bytes, all"

func shared() identity.Issuer {
	return identity.Issuer{Issuer: "https://app.example.test", Audience: []string{"belfry"}, Secret: []byte(secret)}
}

func withIssuers(all ...identity.Issuer) func(*identity.Config) {
	return func(c *identity.Config) { c.Issuers = all }
}

// claims are good ones, changed.
func (f *fixture) claims(change map[string]any) jwt.MapClaims {
	c := jwt.MapClaims{"iss": "https://app.example.test", "aud": "belfry", "exp": f.clock.Now().Add(time.Minute).Unix(), "sub": "user-7", "name": "Ada"}
	maps.Copy(c, change)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

func signed(t *testing.T, method jwt.SigningMethod, key any, claims jwt.MapClaims, kid string) string {
	t.Helper()
	token := jwt.NewWithClaims(method, claims)
	if kid != "" {
		token.Header["kid"] = kid
	}
	text, err := token.SignedString(key)
	must(t, err)
	return text
}

func TestJWTWithASharedSecret(t *testing.T) {
	f := newFixture(t, "", withIssuers(shared()))
	user, err := f.JWT(t.Context(), signed(t, jwt.SigningMethodHS256, []byte(secret), f.claims(map[string]any{
		"email": "ada@example.test", "roles": []string{"editor", "admin", "manager"}, "team": "red"}), ""))
	must(t, err)
	if user.ID != "user-7" || user.Name != "Ada" || user.Email != "ada@example.test" || !user.Foreign || !slices.Equal(user.Roles, []string{"editor"}) || user.Claims["team"] != "red" {
		t.Errorf("the token is of %+v", user)
	}
	if s := f.Stats().JWT; s != (identity.CheckStats{OK: 1}) {
		t.Errorf("counted %+v", s)
	}
}

func TestRefusedJWTs(t *testing.T) {
	f := newFixture(t, "", withIssuers(shared()))
	now := f.clock.Now()
	hs := func(change map[string]any) string {
		return signed(t, jwt.SigningMethodHS256, []byte(secret), f.claims(change), "")
	}
	good := hs(nil)
	_, err := f.JWT(t.Context(), good)
	must(t, err)
	parts := strings.Split(good, ".")
	for name, token := range map[string]string{
		"nothing":             "",
		"no JWT":              "abc",
		"no signature":        parts[0] + "." + parts[1] + ".",
		"none":                signed(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, f.claims(nil), ""),
		"another algorithm":   signed(t, jwt.SigningMethodHS512, []byte(secret), f.claims(nil), ""),
		"another secret":      signed(t, jwt.SigningMethodHS256, []byte(secret+"!"), f.claims(nil), ""),
		"another issuer":      hs(map[string]any{"iss": "https://evil.example.test"}),
		"no issuer":           hs(map[string]any{"iss": nil}),
		"another audience":    hs(map[string]any{"aud": "others"}),
		"no audience":         hs(map[string]any{"aud": nil}),
		"expired":             hs(map[string]any{"exp": now.Add(-time.Minute).Unix()}),
		"no end":              hs(map[string]any{"exp": nil}),
		"not yet":             hs(map[string]any{"nbf": now.Add(time.Minute).Unix()}),
		"no id":               hs(map[string]any{"sub": nil}),
		"an empty id":         hs(map[string]any{"sub": ""}),
		"a broken number":     hs(map[string]any{"sub": 7.5}),
		"a list for an id":    hs(map[string]any{"sub": []string{"7"}}),
		"a long id":           hs(map[string]any{"sub": strings.Repeat("7", 129)}),
		"an id with a zero":   hs(map[string]any{"sub": "7\x00"}),
		"changed claims":      parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"https://app.example.test","aud":"belfry","exp":99999999999,"sub":"1"}`)) + "." + parts[2],
		"an immense token":    hs(map[string]any{"x": strings.Repeat("x", 20_000)}),
		"a thousand roles":    hs(map[string]any{"roles": strings.Repeat("r ", 1001)}),
		"an id that is a map": hs(map[string]any{"sub": map[string]any{"id": "7"}}),
	} {
		_, err := f.JWT(t.Context(), token)
		if belfry.CodeOf(err) != belfry.CodeUnauthenticated {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "evil") {
			t.Errorf("%s: the error repeats the token: %v", name, err)
		}
	}
	_, err = newFixture(t, "").JWT(t.Context(), good)
	wantCode(t, err, belfry.CodeUnauthenticated)
}

func TestClaimNamesAndPrefix(t *testing.T) {
	issuer := shared()
	issuer.IDClaim, issuer.NameClaim, issuer.RolesClaim, issuer.Prefix, issuer.TrustRoles = "uid", "https://example.test/name", "realm.access.roles", "app:", true
	f := newFixture(t, "", withIssuers(issuer))
	f.add("local@example.test")
	user, err := f.JWT(t.Context(), signed(t, jwt.SigningMethodHS256, []byte(secret), f.claims(map[string]any{
		"uid": 1, "https://example.test/name": "Grace", "realm": map[string]any{"access": map[string]any{"roles": "admin editor"}}}), ""))
	must(t, err)
	if user.ID != "app:1" || user.Name != "Grace" || !slices.Equal(user.Roles, []string{"admin", "editor"}) {
		t.Errorf("the token is of %+v", user)
	}
}

func TestForeignIDsAreNotLocalOnes(t *testing.T) {
	f := newFixture(t, "", withIssuers(shared()))
	f.add("local@example.test")
	for id, want := range map[any]belfry.Code{"1": belfry.CodeForbidden, 1: belfry.CodeForbidden, "2": "", "01": ""} {
		_, err := f.JWT(t.Context(), signed(t, jwt.SigningMethodHS256, []byte(secret), f.claims(map[string]any{"sub": id}), ""))
		if belfry.CodeOf(err) != want {
			t.Errorf("id %v: %v", id, err)
		}
	}
}

func TestFaultsOfIssuers(t *testing.T) {
	f := newFixture(t, "")
	bad := identity.Issuer{Secret: []byte("short"), Methods: []string{"RS256", "none"}, Prefix: "7"}
	both := shared()
	both.JWKS = "https://app.example.test/keys"
	mixed := identity.Issuer{Issuer: "other", Audience: []string{"belfry"}, JWKS: "file:///etc/passwd", Methods: []string{"HS256"}, Prefix: "a"}
	_, err := identity.New(identity.Config{DB: f.db, Issuers: []identity.Issuer{bad, both, mixed, both}})
	if err == nil {
		t.Fatal("faulty issuers are taken")
	}
	for _, want := range []string{`issuer 1 (""): issuer is missing`, "audience is missing", "secret has 5 bytes", `"RS256" cannot`, `"none" cannot`, "no digit",
		"keep one of the two", "jwks is no address", `"HS256" cannot`, "give each issuer once", "one id of two users"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "short") || strings.Contains(err.Error(), secret) {
		t.Errorf("the error shows a secret:\n%v", err)
	}
}

// provider publishes keys.
type provider struct {
	*httptest.Server
	asked atomic.Int32
	down  atomic.Bool
	body  atomic.Pointer[string]
}

func newProvider(t *testing.T) *provider {
	p := &provider{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		p.asked.Add(1)
		if p.down.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		w.Write([]byte(*p.body.Load()))
	}))
	t.Cleanup(func() {
		p.Close()
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	})
	return p
}

// publish sets the keys by their ids.
func (p *provider) publish(t *testing.T, keys map[string]*ecdsa.PrivateKey) {
	t.Helper()
	list := []map[string]string{{"kty": "strange", "kid": "s"}, {"kty": "oct", "kid": "o", "k": base64.RawURLEncoding.EncodeToString([]byte(secret))}}
	for id, key := range keys {
		point, err := key.PublicKey.Bytes() // 4, X, Y
		must(t, err)
		text := base64.RawURLEncoding.EncodeToString
		list = append(list, map[string]string{"kty": "EC", "crv": "P-256", "kid": id, "use": "sig", "x": text(point[1:33]), "y": text(point[33:])})
	}
	body, err := json.Marshal(map[string]any{"keys": list})
	must(t, err)
	whole := string(body)
	p.body.Store(&whole)
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	return key
}

func TestJWTWithPublishedKeys(t *testing.T) {
	p := newProvider(t)
	first, next := newKey(t), newKey(t)
	p.publish(t, map[string]*ecdsa.PrivateKey{"1": first})
	f := newFixture(t, "", withIssuers(identity.Issuer{Issuer: "https://app.example.test", Audience: []string{"belfry"}, JWKS: p.URL}))
	try := func(method jwt.SigningMethod, key any, kid string, code belfry.Code, asked int32) {
		t.Helper()
		_, err := f.JWT(t.Context(), signed(t, method, key, f.claims(nil), kid))
		wantCode(t, err, code)
		if got := p.asked.Load(); got != asked {
			t.Errorf("the keys were fetched %d times, want %d", got, asked)
		}
	}
	const refused = belfry.CodeUnauthenticated
	try(jwt.SigningMethodES256, first, "1", "", 1)
	try(jwt.SigningMethodES256, first, "1", "", 1)
	try(jwt.SigningMethodES256, next, "1", refused, 1)
	try(jwt.SigningMethodHS256, []byte(secret), "o", refused, 1) // a published secret is none
	try(jwt.SigningMethodES256, next, "2", refused, 1)           // fetched a moment ago
	p.publish(t, map[string]*ecdsa.PrivateKey{"2": next})
	f.clock.pass(time.Minute)
	try(jwt.SigningMethodES256, next, "2", "", 2)
	try(jwt.SigningMethodES256, first, "1", refused, 2) // withdrawn
	p.down.Store(true)
	f.clock.pass(time.Hour + time.Second)
	try(jwt.SigningMethodES256, next, "2", "", 3) // the old keys do for a day
	f.clock.pass(24 * time.Hour)
	try(jwt.SigningMethodES256, next, "2", belfry.CodeUnavailable, 4)
	p.down.Store(false)
	f.clock.pass(time.Minute)
	try(jwt.SigningMethodES256, next, "2", "", 5)
	if s := f.Stats().KeySets; s != (identity.CheckStats{OK: 3, Refused: 2}) {
		t.Errorf("counted %+v", s)
	}
}

func TestKeySetsAreBounded(t *testing.T) {
	p := newProvider(t)
	key := newKey(t)
	f := newFixture(t, "", withIssuers(identity.Issuer{Issuer: "https://app.example.test", Audience: []string{"belfry"}, JWKS: p.URL}))
	for _, body := range []string{"", "[]", `{"keys":[]}`, `{"keys":[` + strings.Repeat("{},", 200) + "{}]}", strings.Repeat(" ", 2<<20)} {
		p.body.Store(&body)
		_, err := f.JWT(t.Context(), signed(t, jwt.SigningMethodES256, key, f.claims(nil), "1"))
		wantCode(t, err, belfry.CodeUnavailable)
		f.clock.pass(time.Minute)
	}
}

func FuzzJWT(fz *testing.F) {
	db, err := store.Open(store.Config{Dir: fz.TempDir()})
	if err != nil {
		fz.Fatal(err)
	}
	fz.Cleanup(func() { db.Close() })
	if _, err := db.Migrate(fz.Context()); err != nil {
		fz.Fatal(err)
	}
	i, err := identity.New(identity.Config{DB: db, Issuers: []identity.Issuer{shared()}})
	if err != nil {
		fz.Fatal(err)
	}
	fz.Add("a.b.c")
	fz.Add("eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovL2FwcC5leGFtcGxlLnRlc3QifQ.")
	fz.Add("belfry_1_abc")
	fz.Fuzz(func(t *testing.T, bearer string) {
		if user, err := i.JWT(t.Context(), bearer); err == nil {
			t.Errorf("%q is of %+v", bearer, user)
		}
		if token, err := i.Token(t.Context(), bearer); err == nil {
			t.Errorf("%q is %+v", bearer, token)
		}
		if s, err := i.Session(t.Context(), bearer); err == nil {
			t.Errorf("%q is %+v", bearer, s)
		}
	})
}
