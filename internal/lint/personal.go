package lint

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// personal reports whether a field's name looks as if it held what belongs to a
// person. Words count, not their parts: "email_sent_at" looks so, "emailer" does
// not.
func personal(name string) bool {
	parts := words(name)
	joined := strings.Join(parts, "_")
	if slices.Contains(personalNames(), joined) {
		return true
	}
	// What only counts people names none.
	if slices.ContainsFunc(parts, func(w string) bool {
		return slices.Contains([]string{"count", "total", "avg", "rate", "share"}, w)
	}) {
		return false
	}
	return slices.ContainsFunc(parts, func(w string) bool { return slices.Contains(personalWords(), w) })
}

// personalNames are whole names.
func personalNames() []string {
	return []string{"name", "first_name", "last_name", "full_name", "display_name", "given_name", "family_name", "student", "student_id", "student_name", "patient",
		"patient_id", "patient_name", "customer_name", "client_name", "employee_name", "employee", "user", "user_name", "user_id", "ip", "ip_address", "tax_id", "social_security",
		"national_id", "date_of_birth", "card_number"}
}

// personalWords are words in a name.
func personalWords() []string {
	return []string{"firstname", "lastname", "fullname", "surname", "username", "nickname", "email", "mail", "phone", "telephone", "mobile", "address", "street", "zip",
		"postcode", "birth", "birthday", "birthdate", "dob", "ssn", "passport", "iban", "salary", "gender", "religion", "ethnicity", "diagnosis", "medication",
		"latitude", "longitude", "password", "comment"}
}

// words parts "firstName", "first_name" and "first-name" alike, in small letters.
func words(name string) (list []string) {
	var word []rune
	end := func() {
		if len(word) > 0 {
			list, word = append(list, string(word)), nil
		}
	}
	small := false
	for _, r := range name {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			end()
			small = false
			continue
		case unicode.IsUpper(r) && small:
			end()
		}
		small = unicode.IsLower(r)
		word = append(word, unicode.ToLower(r))
	}
	end()
	return list
}

// events looks at what went out on public channels.
func (l *linter) events(seen []Event) {
	told := map[string]bool{}
	for _, e := range seen {
		public := !strings.HasPrefix(e.Channel, "private-") && !strings.HasPrefix(e.Channel, "presence-") && !strings.HasPrefix(e.Channel, "#")
		if !public || told[e.App+"\x00"+e.Channel+"\x00"+e.Name] {
			continue
		}
		var fields []string
		for _, key := range e.Keys {
			if personal(key) {
				fields = append(fields, key)
			}
		}
		if len(fields) == 0 {
			continue
		}
		told[e.App+"\x00"+e.Channel+"\x00"+e.Name] = true
		l.found = append(l.found, Finding{
			Code: ChannelPersonal, Severity: Warning, Where: fmt.Sprintf("app %s, channel %s, event %s", e.App, short(e.Channel), short(e.Name)),
			What: fmt.Sprintf("%s is public, and its event %s carries what looks personal: %s; whoever has the app's key, as every page does, can listen", short(e.Channel), short(e.Name), short(strings.Join(fields, ", "))),
			Fix:  fmt.Sprintf("publish it on private-%s with a rule on who may listen, or leave the fields out", short(e.Channel)),
		})
	}
}

// short cuts what is quoted in a finding.
func short(s string) string {
	if runes := []rune(s); len(runes) > 100 {
		return string(runes[:100]) + "…"
	}
	return s
}
