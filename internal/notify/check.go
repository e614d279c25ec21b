package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/words"
)

// Bounds, in characters but for data.
const (
	maxTitle   = 255
	maxMessage = 10_000
	maxWord    = 64 // category, icon, action_text
	maxURL     = 2048
	maxData    = 8 << 10 // bytes
	maxUsers   = 10_000
	maxRoles   = 100
	maxDays    = 3650
	maxFields  = 50 // faults in one answer
)

// Invalid is bad input: what is wrong with each field, by its name in JSON.
type Invalid struct{ Fields map[string]string }

// Error names all of them.
func (e *Invalid) Error() string {
	all := make([]string, 0, len(e.Fields))
	for _, name := range slices.Sorted(maps.Keys(e.Fields)) {
		all = append(all, name+": "+e.Fields[name])
	}
	return strings.Join(all, "; ")
}

// Unwrap gives the error as one with CodeInvalid.
func (e *Invalid) Unwrap() error { return belfry.Errorf(belfry.CodeInvalid, "%s", e.Error()) }

// Draft is what somebody asks for; nil means not said.
type Draft struct {
	Title, Message, Type, Priority, Category, Icon, Color, ActionURL, ActionText *string

	Importance  *int
	Dismissible *bool
	Data        json.RawMessage // nil: not said
	Target      *Target
	Expires     *time.Time // the zero time: never
	Scheduled   *time.Time // the zero time: not
	Send        bool       // at once
	// Faults are those of fields that could not be read; they join the others.
	Faults map[string]string
}

// Content gives what makes two drafts the same, for a Key. Times that were
// given as spans from now are left out, since they are never the same.
func (d Draft) Content() ([]byte, error) {
	d.Faults, d.Scheduled, d.Expires = nil, nil, nil
	return json.Marshal(d)
}

// faults collects what is wrong.
type faults map[string]string

// add notes the first fault of a field.
func (f faults) add(field, format string, args ...any) {
	if _, there := f[field]; !there && len(f) < maxFields {
		f[field] = fmt.Sprintf(format, args...)
	}
}

// about reports whether there is a fault of a field or of a part of it.
func (f faults) about(field string) bool {
	for name := range f {
		if strings.HasPrefix(name, field) {
			return true
		}
	}
	return false
}

func (f faults) err() error {
	if len(f) == 0 {
		return nil
	}
	return &Invalid{f}
}

// apply puts what a draft says into r and judges the whole.
func (n *Notify) apply(ctx context.Context, r *record, d Draft, now time.Time) error {
	found := faults{}
	maps.Copy(found, d.Faults)
	if d.Scheduled != nil {
		r.scheduled = d.Scheduled.UTC().Truncate(time.Millisecond)
		switch {
		case d.Send:
			found.add("scheduled_at", "a notification that is sent at once has no schedule: leave out one of send and scheduled_at")
		case !r.scheduled.IsZero():
			checkSchedule(found, r.scheduled, now)
		}
	}
	set(&r.Title, d.Title)
	set(&r.Message, d.Message)
	r.Title = strings.TrimSpace(r.Title)
	set(&r.Type, d.Type)
	set(&r.Priority, d.Priority)
	set(&r.Importance, d.Importance)
	set(&r.Dismissible, d.Dismissible)
	setText(&r.Category, d.Category)
	setText(&r.Icon, d.Icon)
	setText(&r.Color, d.Color)
	setText(&r.ActionURL, d.ActionURL)
	setText(&r.ActionText, d.ActionText)
	if d.Expires != nil {
		r.Expires = Time{d.Expires.UTC().Truncate(time.Millisecond)}
	}
	if d.Data != nil {
		r.Data = compact(d.Data)
	}
	r.checkTexts(found)
	r.checkChoices(found)
	checkExpiry(found, r.Expires.Time, r.scheduled, now)
	if d.Target != nil {
		r.target = *d.Target
	}
	if !found.about("target") {
		if err := n.checkTarget(ctx, found, &r.target); err != nil {
			return err
		}
	}
	r.escape()
	return found.err()
}

func set[T any](into *T, value *T) {
	if value != nil {
		*into = *value
	}
}

func setText(into *Text, value *string) {
	if value != nil {
		*into = Text(strings.TrimSpace(*value))
	}
}

func compact(data json.RawMessage) json.RawMessage {
	var into bytes.Buffer
	if json.Compact(&into, data) != nil {
		return data
	}
	return into.Bytes()
}

func checkSchedule(found faults, at, now time.Time) {
	switch {
	case !at.After(now):
		found.add("scheduled_at", "this time is past: name one that is still to come")
	case at.After(now.AddDate(10, 0, 0)):
		found.add("scheduled_at", "this is more than ten years from now")
	}
}

func checkExpiry(found faults, expires, scheduled, now time.Time) {
	switch {
	case expires.IsZero():
	case !expires.After(now):
		found.add("expires_at", "this time is past: name one that is still to come")
	case !scheduled.IsZero() && !expires.After(scheduled):
		found.add("expires_at", "it would expire before it is sent: name a time after scheduled_at")
	case expires.After(now.AddDate(100, 0, 0)):
		found.add("expires_at", "this is more than a hundred years from now: leave it out")
	}
}

func (r *record) checkTexts(found faults) {
	one := func(field, value string, most int) {
		switch {
		case !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl):
			found.add(field, "it has control characters, or is not UTF-8")
		case utf8.RuneCountInString(value) > most:
			found.add(field, "it has %d characters: at most %d are allowed", utf8.RuneCountInString(value), most)
		}
	}
	if r.Title == "" {
		found.add("title", "it is missing")
	}
	one("title", r.Title, maxTitle)
	switch odd := func(c rune) bool { return unicode.IsControl(c) && c != '\n' && c != '\t' && c != '\r' }; {
	case strings.TrimSpace(r.Message) == "":
		found.add("message", "it is missing")
	case !utf8.ValidString(r.Message) || strings.ContainsFunc(r.Message, odd):
		found.add("message", "it has control characters, or is not UTF-8")
	case utf8.RuneCountInString(r.Message) > maxMessage:
		found.add("message", "it has %d characters: at most %d are allowed", utf8.RuneCountInString(r.Message), maxMessage)
	}
	one("category", string(r.Category), maxWord)
	one("icon", string(r.Icon), maxWord)
	one("action_text", string(r.ActionText), maxWord)
	one("action_url", string(r.ActionURL), maxURL)
	if r.ActionURL == "" && r.ActionText != "" {
		found.add("action_url", "it is missing: action_text needs an address")
	}
	if r.ActionURL != "" && !goodURL(string(r.ActionURL)) {
		found.add("action_url", "write https://HOST/… or http://HOST/…, or a path on this host that begins with one /")
	}
	if r.Color != "" && !isColor(string(r.Color)) {
		found.add("color", "write # and six hexadecimal digits, as in #1e90ff")
	}
}

// goodURL takes http and https and paths on this host. Browsers drop tabs and
// line breaks and read \ as /, so none of them may stand in it.
func goodURL(s string) bool {
	if strings.ContainsFunc(s, func(c rune) bool { return unicode.IsControl(c) || unicode.IsSpace(c) || c == '\\' }) {
		return false
	}
	u, err := url.Parse(s)
	if err != nil {
		return false
	}
	if u.Scheme == "" {
		return strings.HasPrefix(s, "/") && !strings.HasPrefix(s, "//")
	}
	return (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.Hostname() != "" && u.User == nil
}

func isColor(s string) bool {
	return len(s) == 7 && s[0] == '#' && !strings.ContainsFunc(s[1:], func(c rune) bool {
		return (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F')
	})
}

func (r *record) checkChoices(found faults) {
	choose := func(field, value string, from []string) {
		if !slices.Contains(from, value) {
			found.add(field, "%q is none of %s", clip(value), strings.Join(from, ", "))
		}
	}
	choose("type", r.Type, Types)
	choose("priority", r.Priority, Priorities)
	if r.Importance < 0 || r.Importance > 100 {
		found.add("importance", "%d is not from 0 to 100", r.Importance)
	}
	var object map[string]json.RawMessage
	switch {
	case len(r.Data) > maxData:
		found.add("data", "it has %d bytes: at most %d are allowed", len(r.Data), maxData)
	case json.Unmarshal(r.Data, &object) != nil || object == nil:
		found.add("data", "it must be a JSON object")
	}
}

// checkTarget judges a target and brings it into one form: what its type does
// not use is left out, and nothing stands twice.
func (n *Notify) checkTarget(ctx context.Context, found faults, t *Target) error {
	given := *t
	*t = Target{Type: given.Type, Users: []string{}, Roles: []string{}, Days: 30}
	switch given.Type {
	case TargetAll:
	case TargetUsers:
		return n.checkNamed(ctx, found, "target.users", given.Users, maxUsers, &t.Users)
	case TargetRoles:
		return n.checkNamed(ctx, found, "target.roles", given.Roles, maxRoles, &t.Roles)
	case TargetActive, TargetInactive:
		if given.Days != 0 {
			t.Days = given.Days
		}
		if t.Days < 1 || t.Days > maxDays {
			found.add("target.days", "%d is not from 1 to %d", t.Days, maxDays)
		}
	case "":
		found.add("target", "it is missing: say who gets it, as in {\"type\": \"all\"}")
	default:
		found.add("target.type", "%q is none of %s", clip(given.Type), strings.Join(Targets, ", "))
	}
	return nil
}

// checkNamed judges the ids or roles of a target.
func (n *Notify) checkNamed(ctx context.Context, found faults, field string, names []string, most int, into *[]string) error {
	switch {
	case len(names) == 0:
		found.add(field, "it is empty: name at least one")
		return nil
	case len(names) > most:
		found.add(field, "it names %d: at most %d are allowed", len(names), most)
		return nil
	}
	var unknown []string
	var err error
	what := "user"
	if field == "target.users" {
		unknown, _, err = n.cfg.Recipients.Unknown(ctx, names, nil)
	} else {
		what = "role"
		_, unknown, err = n.cfg.Recipients.Unknown(ctx, nil, names)
	}
	if err != nil {
		return err
	}
	missing := make(map[string]bool, len(unknown))
	for _, name := range unknown {
		missing[name] = true
	}
	seen := make(map[string]bool, len(names))
	for i, name := range names {
		switch {
		case missing[name]:
			found.add(fmt.Sprintf("%s[%d]", field, i), "there is no %s %q", what, clip(name))
		case !seen[name]:
			seen[name] = true
			*into = append(*into, name)
		}
	}
	return nil
}

// clip shortens what a stranger sent, for an error.
func clip(s string) string { return words.Clip(s, 64) }
