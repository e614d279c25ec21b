package identity_test

import (
	"testing"

	"github.com/belfryhq/belfry/internal/identity"
)

// What a request costs that is known by its cookie or its token.
func BenchmarkRequests(b *testing.B) {
	f := newFixture(b, "")
	id := f.add("a@example.test", "editor", "author").ID
	s := f.login("a@example.test")
	plain, _, err := f.AddToken(b.Context(), identity.NewToken{UserID: id, Scopes: []string{identity.ScopeEvents}})
	must(b, err)
	b.Run("session", func(b *testing.B) {
		for b.Loop() {
			if _, err := f.Session(b.Context(), s.Cookie); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("token", func(b *testing.B) {
		for b.Loop() {
			if _, err := f.Token(b.Context(), plain); err != nil {
				b.Fatal(err)
			}
		}
	})
}
