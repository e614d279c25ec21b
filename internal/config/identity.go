package config

import (
	"fmt"
	"slices"
	"time"

	"github.com/belfryhq/belfry/internal/identity"
)

// SignIn holds what concerns people who sign in to this server.
type SignIn struct {
	// Silence after which a browser is signed out.
	Idle time.Duration `yaml:"idle" default:"2h" min:"1m" max:"720h"`
	// Time after which it is signed out in any case.
	Lifetime time.Duration `yaml:"lifetime" default:"720h" min:"1m" max:"8760h"`
	// Longest pause between attempts to sign in, which grows with wrong
	// passwords.
	LoginDelay time.Duration `yaml:"login_delay" default:"30s" min:"1s" max:"1h"`
}

// JWTIssuer is an application, or its identity provider, whose JWTs count.
type JWTIssuer struct {
	// The tokens' claim `iss`.
	Issuer string `yaml:"issuer" required:"true" example:"https://app.example.com"`
	// What the tokens' claim `aud` holds, one of these.
	Audience []string `yaml:"audience" required:"true" example:"[belfry]"`
	// Secret that the issuer signs with, at least 32 bytes. This or `jwks`.
	Secret string `yaml:"secret" secret:"true"`
	// Address of the issuer's public keys.
	JWKS string `yaml:"jwks" kind:"url" example:"https://app.example.com/.well-known/jwks.json"`
	// Algorithms that it may use; the default is `HS256` with a secret, and
	// `RS256`, `PS256`, `ES256` and `EdDSA` with `jwks`.
	Algorithms []string `yaml:"algorithms" kind:"enum HS256 HS384 HS512 RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA" example:"[RS256]"`
	// Claim with the user's id, a text or a whole number. A name with dots, as
	// in `realm.user`, leads to a member of a member; so it does in the next
	// three.
	IDClaim string `yaml:"id_claim" default:"sub"`
	// Claim with the user's name.
	NameClaim string `yaml:"name_claim" default:"name"`
	// Claim with the user's email.
	EmailClaim string `yaml:"email_claim" default:"email"`
	// Claim with the user's roles: a list of texts, or one with spaces between.
	RolesClaim string `yaml:"roles_claim" default:"roles"`
	// Put before the user's id, so that it is not taken for the id of a user of
	// this server or of another issuer. A token whose user has the id of one of
	// this server's is refused.
	Prefix string `yaml:"prefix" example:"\"app:\""`
	// Lets the issuer name admins and managers of this server.
	TrustRoles bool `yaml:"trust_roles" default:"false"`
	// How far the issuer's clock may be off.
	Leeway time.Duration `yaml:"leeway" default:"30s" min:"1s" max:"10m"`
}

// Issuers gives the issuers of JWTs. They are made anew at each call.
func (c *Config) Issuers() []identity.Issuer {
	var all []identity.Issuer
	for _, j := range c.JWT {
		all = append(all, identity.Issuer{
			Issuer: j.Issuer, Audience: slices.Clone(j.Audience), Secret: []byte(j.Secret), JWKS: j.JWKS, Methods: slices.Clone(j.Algorithms),
			IDClaim: j.IDClaim, NameClaim: j.NameClaim, EmailClaim: j.EmailClaim, RolesClaim: j.RolesClaim,
			Prefix: j.Prefix, TrustRoles: j.TrustRoles, Leeway: j.Leeway,
		})
	}
	return all
}

// issuers checks the issuers of JWTs, each by itself and between them.
func (k *checker) issuers() {
	for _, f := range identity.CheckIssuers(k.Issuers()) {
		path := fmt.Sprintf("jwt[%d].%s", f.Index, f.Key)
		if !k.faults.has(path) {
			k.fault(path, "%s", f.Text)
		}
	}
}
