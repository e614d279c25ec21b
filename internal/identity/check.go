package identity

import (
	"net/mail"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/words"
)

// checkEmail gives an email as it is kept and the form in which it is unique.
func checkEmail(email string) (kept, key string, err error) {
	kept = strings.TrimSpace(email)
	parsed, err := mail.ParseAddress(kept)
	if err != nil || parsed.Address != kept || len(kept) > 254 || !plainText(kept) {
		return "", "", belfry.Errorf(belfry.CodeInvalid, "%q is no email address", words.Cut(email, 80))
	}
	return kept, strings.ToLower(kept), nil
}

// checkName gives a name as it is kept; the default comes from the email.
func checkName(name, email string) (string, error) {
	name = strings.TrimSpace(name)
	if name == "" {
		name = email[:strings.LastIndexByte(email, '@')]
	}
	if utf8.RuneCountInString(name) > 200 || !plainText(name) {
		return "", belfry.Errorf(belfry.CodeInvalid, "the name has control characters or is longer than 200 characters")
	}
	return name, nil
}

// checkRoles gives roles sorted, each once.
func checkRoles(roles []string) ([]string, error) {
	if len(roles) > 100 {
		return nil, belfry.Errorf(belfry.CodeInvalid, "a user has at most 100 roles")
	}
	for _, role := range roles {
		if role == "" || utf8.RuneCountInString(role) > 64 || strings.ContainsFunc(role, notInRole) {
			return nil, belfry.Errorf(belfry.CodeInvalid, "%s is no role: use 1 to 64 letters, digits and _ - . : @ /", strconv.Quote(words.Cut(role, 80)))
		}
	}
	kept := slices.Compact(slices.Sorted(slices.Values(roles)))
	if kept == nil {
		kept = []string{} // a list in JSON too
	}
	return kept, nil
}

func notInRole(r rune) bool {
	return r == utf8.RuneError || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_-.:@/", r)
}

// plainText reports whether s is UTF-8 without control characters.
func plainText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// clean makes plain text of what a stranger sent, of at most limit bytes.
func clean(s string, limit int) string {
	s = words.Cut(s, limit)
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
}
