package explain

import (
	"fmt"
	"strings"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/authz"
	"github.com/belfryhq/belfry/pusher"
)

// AuthQuestion asks whether a user may listen to a channel.
type AuthQuestion struct {
	User    string `json:"user"` // id or email; empty for a guest
	Channel string `json:"channel"`
}

// AuthVerdict says which rule decides, and why.
type AuthVerdict struct {
	Allowed bool         `json:"allowed"`
	Result  authz.Result `json:"result"`
	User    *belfry.User `json:"user,omitempty"`
	Channel string       `json:"channel"`
	// Rule is the pattern of the rule that decides; empty when none does.
	Rule     string `json:"rule,omitempty"`
	Sentence string `json:"sentence"`
	Fix      string `json:"fix,omitempty"`
	// Forwards says that the application decides in the rules' stead, so that what
	// the rules say does not count.
	Forwards bool `json:"forwards,omitempty"`
	// Trials are all rules, in their order.
	Trials []authz.Trial `json:"rules"`
}

// Auth explains what rules decide. User is nil for a guest.
func Auth(user *belfry.User, channel string, d authz.Decision, trials []authz.Trial, forwards bool) AuthVerdict {
	v := AuthVerdict{Allowed: d.Allowed, Result: d.Result, User: user, Channel: channel, Rule: d.Rule, Trials: trials, Forwards: forwards}
	name := "Somebody who is not signed in"
	if user != nil {
		name = fmt.Sprintf("User %s (roles: %s)", user.ID, rolesText(user.Roles))
	}
	allow := ""
	for _, t := range trials {
		if t.Rule == d.Rule && t.Matches && (t.Result == d.Result || allow == "") {
			allow = t.Allow
		}
	}
	switch {
	case forwards:
		v.Sentence = "The application decides on channels, not the rules: it is asked at each subscription (authorization.channel_url)."
		v.Fix = "Look in the application: its route for /broadcasting/auth and its channels file."
	case !pusher.KindOf(channel).NeedsAuth() && !pusher.KindOf(channel).Is(pusher.ServerToUser):
		v.Sentence = fmt.Sprintf("Channel %s is public: everybody may listen, no rule is asked.", channel)
		v.Fix = "To have rules decide, name it private-" + channel + "."
	case d.Allowed:
		v.Sentence = fmt.Sprintf("%s may listen to %s: the rule %q allows it (%s).", name, channel, d.Rule, allow)
	case d.Result == authz.NoRule:
		v.Sentence = fmt.Sprintf("%s may not listen to %s: no rule is for that channel.", name, channel)
		v.Fix = "Add a rule to channels: in belfry.yaml; without one nobody has access."
		if near := nearRules(channel, trials); len(near) > 0 {
			v.Fix = "Near it: the rule " + strings.Join(near, ", ") + ". Or add a rule to channels: in belfry.yaml."
		}
	case d.Result == authz.NotSignedIn:
		v.Sentence = fmt.Sprintf("%s may not listen to %s: private and presence channels need a signed-in user.", name, channel)
		v.Fix = "Sign in before subscribing."
	default:
		v.Sentence = fmt.Sprintf("%s may not listen to %s: of the rules for it the last, %q (%s), says: %s", name, channel, d.Rule, allow, period(d.Reason))
		v.Fix = "Give the user what the rule asks for, or change the rule."
		if d.Result == authz.Failed {
			v.Fix = "Mend the rule: it could not be evaluated."
		}
	}
	return v
}

func rolesText(roles []string) string {
	if len(roles) == 0 {
		return "none"
	}
	return strings.Join(roles, ", ")
}

// nearRules gives rules whose patterns look like a channel's name.
func nearRules(channel string, trials []authz.Trial) []string {
	parts := strings.Split(plainName(channel), ".")
	var like, names []string
	for _, t := range trials {
		pattern := strings.Split(strings.ToLower(t.Rule), ".")
		if len(pattern) != len(parts) {
			continue
		}
		for i := range pattern {
			if strings.Contains(pattern[i], "{") {
				pattern[i] = parts[i]
			}
		}
		like, names = append(like, strings.Join(pattern, ".")), append(names, t.Rule)
	}
	var found []string
	for _, n := range nearNames(strings.Join(parts, "."), like) {
		for i := range like {
			if like[i] == n {
				found = append(found, quote(names[i]))
				break
			}
		}
	}
	return found
}
