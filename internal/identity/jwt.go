package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"

	"github.com/belfryhq/belfry"
)

const (
	maxJWT       = 16 << 10
	maxForeignID = 128 // characters, as many as a member of a presence channel may have
)

// JWT gives the user of an issuer's token. Its User is Foreign and has the
// token's claims. A token that is malformed, expired, of an unknown issuer,
// meant for others or wrongly signed gives CodeUnauthenticated with the reason;
// CodeUnavailable says that the issuer's keys cannot be had. Numbers in the
// claims are json.Number, as they stand in the token.
func (i *Identity) JWT(ctx context.Context, bearer string) (*belfry.User, error) {
	user, err := i.foreign(ctx, bearer)
	if err != nil {
		i.count.jwtRefused.Add(1)
		return nil, err
	}
	i.count.jwtOK.Add(1)
	return user, nil
}

func (i *Identity) foreign(ctx context.Context, bearer string) (*belfry.User, error) {
	if len(i.issuers.byName) == 0 {
		return nil, refused("the bearer token is no API token, and no issuer of JWTs is set")
	}
	if len(bearer) > maxJWT {
		return nil, refused("the token is too long")
	}
	claims := jwt.MapClaims{}
	if _, _, err := jwt.NewParser(jwt.WithJSONNumber()).ParseUnverified(bearer, claims); err != nil {
		return nil, refused("the token is neither an API token nor a JWT")
	}
	name, _ := claims["iss"].(string)
	from, ok := i.issuers.byName[name]
	if !ok {
		return nil, refused("the token's issuer (iss) is not one of those that are set")
	}
	claims = jwt.MapClaims{}
	_, err := from.parser.ParseWithClaims(bearer, claims, func(token *jwt.Token) (any, error) {
		if from.keys == nil {
			return from.Secret, nil
		}
		return from.keys.find(ctx, token)
	})
	if err != nil {
		return nil, explain(err)
	}
	user, err := from.user(claims)
	if err != nil {
		return nil, err
	}
	return user, i.apart(ctx, from, user)
}

// apart refuses a foreign user whose id is that of a user kept here.
func (i *Identity) apart(ctx context.Context, from *issuer, user *belfry.User) error {
	if _, ok := parseID(user.ID); !ok {
		return nil
	}
	switch _, err := i.Account(ctx, user.ID); belfry.CodeOf(err) {
	case belfry.CodeNotFound:
		return nil
	case "":
		i.cfg.Logger.Warn("JWT refused: its user has the id of a user kept here; set a prefix for the issuer", "issuer", from.Issuer.Issuer, "user", user.ID)
		return &belfry.Error{Code: belfry.CodeForbidden, Message: "the token's user has the id of a user of this server",
			Hint: "set a prefix for the issuer's ids"}
	default:
		return err
	}
}

func (s *issuer) user(claims jwt.MapClaims) (*belfry.User, error) {
	id, ok := idOf(claim(claims, s.IDClaim))
	if !ok {
		return nil, refused(fmt.Sprintf("the token's claim %q is no user's id: it wants a text or a whole number", s.IDClaim))
	}
	id = s.Prefix + id
	if utf8.RuneCountInString(id) > maxForeignID || !plainText(id) {
		return nil, refused(fmt.Sprintf("the token's claim %q is too long for an id or has control characters", s.IDClaim))
	}
	user := &belfry.User{ID: id, Foreign: true, Claims: maps.Clone(claims), Roles: []string{}}
	name, _ := claim(claims, s.NameClaim).(string)
	email, _ := claim(claims, s.EmailClaim).(string)
	user.Name, user.Email = clean(name, 800), clean(email, 254)
	for _, role := range texts(claim(claims, s.RolesClaim)) {
		if !s.TrustRoles && (role == belfry.RoleAdmin || role == belfry.RoleManager) {
			continue
		}
		user.Roles = append(user.Roles, role)
	}
	if len(user.Roles) > 1000 {
		return nil, refused("the token names more than 1,000 roles")
	}
	return user, nil
}

// claim gives the claim of that name or, when there is none, the member that
// the name's parts lead to.
func claim(claims map[string]any, name string) any {
	if value, ok := claims[name]; ok {
		return value
	}
	head, rest, ok := strings.Cut(name, ".")
	if !ok {
		return nil
	}
	below, _ := claims[head].(map[string]any)
	return claim(below, rest)
}

// idOf gives a claim's text: ids are text, and 7.0 or 1e3 is no id.
func idOf(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, v != ""
	case json.Number:
		return v.String(), !strings.ContainsAny(v.String(), ".eE")
	}
	return "", false
}

func texts(value any) (all []string) {
	switch v := value.(type) {
	case string:
		return strings.Fields(v)
	case []any:
		for _, one := range v {
			if text, ok := one.(string); ok {
				all = append(all, text)
			}
		}
	}
	return all
}

func refused(reason string) error {
	return &belfry.Error{Code: belfry.CodeUnauthenticated, Message: reason}
}

// explain gives the reason of a refusal, without what the token holds.
func explain(err error) error {
	if coded, ok := errors.AsType[*belfry.Error](err); ok {
		return coded
	}
	for _, c := range []struct {
		kind   error
		reason string
	}{
		{jwt.ErrTokenExpired, "the token has expired"},
		{jwt.ErrTokenNotValidYet, "the token is not valid yet"},
		{jwt.ErrTokenUsedBeforeIssued, "the token was issued in the future"},
		{jwt.ErrTokenInvalidAudience, "the token is meant for another audience (aud)"},
		{jwt.ErrTokenInvalidIssuer, "the token is of another issuer (iss)"},
		{jwt.ErrTokenRequiredClaimMissing, "the token lacks one of the claims aud, iss and exp"},
		{jwt.ErrTokenSignatureInvalid, "the token's signature is wrong, or of an algorithm that its issuer may not use"},
	} {
		if errors.Is(err, c.kind) {
			return refused(c.reason)
		}
	}
	return refused("the token cannot be verified")
}
