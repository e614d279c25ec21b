package identity

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/words"
)

// Issuer is an application, or its identity provider, whose JWTs count. Issuer,
// Audience and one of Secret and JWKS are required.
type Issuer struct {
	// Issuer is the claim iss, byte for byte.
	Issuer string
	// Audience is what the claim aud must hold one of.
	Audience []string
	// Secret is shared with the issuer, at least 32 bytes.
	Secret []byte
	// JWKS is the address of the issuer's public keys. They are fetched when they
	// are first needed, then at most once an hour, and at once for a key that is
	// not known, once a minute.
	JWKS string
	// Methods are the algorithms that the issuer may use; default HS256 with a
	// Secret, and RS256, PS256, ES256 and EdDSA with JWKS.
	Methods []string
	// IDClaim names the user's id; default "sub". Like the next three it may name
	// a member of a member: "realm.roles".
	IDClaim    string
	NameClaim  string // default "name"
	EmailClaim string // default "email"
	// RolesClaim names the user's roles, a list of texts or one text with spaces
	// between; default "roles".
	RolesClaim string
	// Prefix is put before the user's id, so that it is not taken for that of a
	// user kept here or of another issuer's; default none. One that is set holds
	// something other than digits.
	Prefix string
	// TrustRoles lets the issuer name admins and managers of Belfry; without it
	// these two roles are left out.
	TrustRoles bool
	// Leeway is how far the clocks may be apart; default 30 s.
	Leeway time.Duration
}

// secretMethods gives the algorithms that may be used with a Secret.
func secretMethods() []string { return []string{"HS256", "HS384", "HS512"} }

// publicMethods gives those that may be used with JWKS.
func publicMethods() []string {
	return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
}

// issuers are those that were set, by the claim iss.
type issuers struct {
	byName map[string]*issuer
	log    *slog.Logger

	fetched, failed atomic.Uint64 // key sets
}

type issuer struct {
	Issuer
	parser *jwt.Parser
	keys   *keySet // nil with a secret
}

// IssuerFault is something wrong with an issuer's settings. It shows no secret.
type IssuerFault struct {
	Index int    // in the list
	Key   string // issuer, audience, secret, jwks, algorithms or prefix
	Text  string // what is wrong and what to do
}

// CheckIssuers gives all faults of the settings, none when New would take them.
func CheckIssuers(all []Issuer) (faults []IssuerFault) {
	for n, settings := range all {
		say := func(key, format string, args ...any) {
			faults = append(faults, IssuerFault{n, key, fmt.Sprintf(format, args...)})
		}
		settings.check(say)
		for _, other := range all[:n] {
			if other.Issuer == settings.Issuer {
				say("issuer", "is that of another one too; give each issuer once")
			}
			if strings.HasPrefix(other.Prefix, settings.Prefix) || strings.HasPrefix(settings.Prefix, other.Prefix) {
				say("prefix", "and that of issuer %q, %q, could make one id of two users; give each a prefix with which no other begins", other.Issuer, other.Prefix)
			}
		}
	}
	return faults
}

func (s *Issuer) check(say func(key, format string, args ...any)) {
	if s.Issuer == "" {
		say("issuer", "is missing; write what the tokens' claim iss holds")
	}
	if len(s.Audience) == 0 || slices.Contains(s.Audience, "") {
		say("audience", "is missing; write what the tokens' claim aud holds")
	}
	allowed := publicMethods()
	switch {
	case len(s.Secret) > 0 && s.JWKS != "":
		say("jwks", "stands beside a secret; keep one of the two")
	case len(s.Secret) == 0 && s.JWKS == "":
		say("secret", "is missing; set it, or the address of the issuer's keys with jwks")
	case len(s.Secret) > 0:
		allowed = secretMethods()
		if len(s.Secret) < 32 {
			say("secret", "has %d bytes; use at least 32", len(s.Secret))
		}
	default:
		if u, err := url.Parse(s.JWKS); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
			say("jwks", "is no address; write https://…")
		}
	}
	for _, method := range s.Methods {
		if !slices.Contains(allowed, method) {
			say("algorithms", "%q cannot be used here; known are %s", method, strings.Join(allowed, ", "))
		}
	}
	if s.Prefix != "" && (strings.Trim(s.Prefix, "0123456789") == "" || len(s.Prefix) > 40 || !plainText(s.Prefix)) {
		say("prefix", "needs a character that is no digit, and at most 40 bytes; write %q", words.Cut(s.Prefix, 40)+":")
	}
}

// newIssuers makes the issuers ready; its error names all faults.
func newIssuers(cfg *Config) (*issuers, error) {
	all := &issuers{byName: map[string]*issuer{}, log: cfg.Logger}
	var faults []error
	for _, f := range CheckIssuers(cfg.Issuers) {
		faults = append(faults, belfry.Errorf(belfry.CodeInvalid, "JWT issuer %d (%q): %s %s", f.Index+1, cfg.Issuers[f.Index].Issuer, f.Key, f.Text))
	}
	for _, settings := range cfg.Issuers {
		all.byName[settings.Issuer] = settings.ready(all, cfg.Now, cfg.Client)
	}
	return all, errors.Join(faults...)
}

// ready gives the issuer with its defaults and its parser.
func (s Issuer) ready(all *issuers, now func() time.Time, client *http.Client) *issuer {
	s.IDClaim = cmp.Or(s.IDClaim, "sub")
	s.NameClaim = cmp.Or(s.NameClaim, "name")
	s.EmailClaim = cmp.Or(s.EmailClaim, "email")
	s.RolesClaim = cmp.Or(s.RolesClaim, "roles")
	s.Leeway = cmp.Or(s.Leeway, 30*time.Second)
	if len(s.Methods) == 0 {
		if s.Methods = []string{"RS256", "PS256", "ES256", "EdDSA"}; len(s.Secret) > 0 {
			s.Methods = []string{"HS256"}
		}
	}
	ready := &issuer{Issuer: s, parser: jwt.NewParser(jwt.WithValidMethods(s.Methods), jwt.WithIssuer(s.Issuer), jwt.WithAudience(s.Audience...),
		jwt.WithExpirationRequired(), jwt.WithLeeway(s.Leeway), jwt.WithTimeFunc(now), jwt.WithJSONNumber())}
	if s.JWKS != "" {
		ready.keys = &keySet{url: s.JWKS, client: client, now: now, all: all}
	}
	return ready
}
