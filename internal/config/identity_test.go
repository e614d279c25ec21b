package config_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/config"
	"github.com/belfryhq/belfry/internal/identity"
)

func TestSignInSettings(t *testing.T) {
	c := load(t, `
session: {idle: 30m, login_delay: 10s}
jwt:
  - issuer: https://app.example.test
    audience: [belfry, other]
    secret: "${JWT_SECRET}"
    id_claim: uid
    prefix: "app:"
    trust_roles: true
  - {issuer: idp, audience: [belfry], jwks: "https://idp.example.test/keys", algorithms: [ES256], prefix: "idp:", leeway: 5s}
`, "JWT_SECRET=a secret of thirty-two bytes, all")
	if want := (config.SignIn{Idle: 30 * time.Minute, Lifetime: 720 * time.Hour, LoginDelay: 10 * time.Second}); c.Session != want {
		t.Errorf("session %+v", c.Session)
	}
	want := []identity.Issuer{
		{Issuer: "https://app.example.test", Audience: []string{"belfry", "other"}, Secret: []byte("a secret of thirty-two bytes, all"),
			IDClaim: "uid", NameClaim: "name", EmailClaim: "email", RolesClaim: "roles", Prefix: "app:", TrustRoles: true, Leeway: 30 * time.Second},
		{Issuer: "idp", Audience: []string{"belfry"}, Secret: []byte{}, JWKS: "https://idp.example.test/keys", Methods: []string{"ES256"},
			IDClaim: "sub", NameClaim: "name", EmailClaim: "email", RolesClaim: "roles", Prefix: "idp:", Leeway: 5 * time.Second},
	}
	if got := c.Issuers(); !reflect.DeepEqual(got, want) {
		t.Errorf("issuers %+v", got)
	}
	if shown := setting(t, c, "jwt[0].secret").Value; strings.Contains(shown, "thirty") {
		t.Errorf("the secret is shown: %q", shown)
	}
}

func TestFaultsOfIssuers(t *testing.T) {
	dir := folder(t, map[string]string{"belfry.yaml": `jwt:
  - issuer: a
    audience: [belfry]
    secret: short
  - issuer: a
    audience: [belfry]
    jwks: https://idp.example.test/keys
    algorithms: [HS256]
    prefix: "7"
  - issuer: b
    audience: [belfry]
    algorithms: [none]
    prefix: x
`})
	got := faultsOf(t, config.Options{Dir: dir})
	for _, want := range []string{
		"belfry.yaml:4:13: jwt[0].secret: has 5 bytes; use at least 32",
		"belfry.yaml:5:13: jwt[1].issuer: is that of another one too",
		`belfry.yaml:8:17: jwt[1].algorithms: "HS256" cannot be used here`,
		"belfry.yaml:9:13: jwt[1].prefix: needs a character that is no digit",
		"belfry.yaml:10:5: jwt[2].secret: is missing",
		"belfry.yaml:12:18: jwt[2].algorithms[0]: \"none\" is not known",
		"belfry.yaml:13:13: jwt[2].prefix: and that of issuer \"a\"",
	} {
		if !slices.ContainsFunc(got, func(line string) bool { return strings.Contains(line, want) }) {
			t.Errorf("no fault %q in\n%s", want, strings.Join(got, "\n"))
		}
	}
	if strings.Contains(strings.Join(got, "\n"), "short") {
		t.Errorf("a secret is shown:\n%s", strings.Join(got, "\n"))
	}
}
