package authz

import (
	"cel.dev/cel-go/common/types"

	"github.com/belfryhq/belfry"
)

// Trial is what one rule has to say about a user and a channel.
type Trial struct {
	Rule  string `json:"rule"`  // its pattern
	Allow string `json:"allow"` // its expression
	// Matches says that the rule is for the channel; only then it was asked.
	Matches bool   `json:"matches"`
	Result  Result `json:"result,omitempty"`
	Reason  string `json:"reason,omitempty"`
	// Parameters are what the pattern took from the channel's name.
	Parameters map[string]string `json:"parameters,omitempty"`
}

// Trials asks every rule, in order, about a user, nil for nobody, and a channel,
// a whole name or one without its prefix. It decides nothing: see Decide.
func (r *Rules) Trials(user *belfry.User, channel string) []Trial {
	name := bare(channel)
	all := make([]Trial, len(r.list))
	var space [maxParameters]string
	for i := range r.list {
		one := &r.list[i]
		t := &all[i]
		t.Rule, t.Allow = one.pattern.text, one.text
		values := space[:len(one.pattern.names)]
		if t.Matches = one.pattern.match(name, values); !t.Matches {
			continue
		}
		for j, parameter := range one.pattern.names {
			if t.Parameters == nil {
				t.Parameters = map[string]string{}
			}
			t.Parameters[parameter] = values[j]
		}
		if user == nil {
			t.Result, t.Reason = NotSignedIn, "nobody is signed in"
			continue
		}
		out, _, err := one.allow.Eval(&variables{user: user, names: one.pattern.names, values: values})
		switch {
		case err != nil:
			t.Result, t.Reason = Failed, "it could not be evaluated: "+cut(err.Error(), 300)
		case out != types.True:
			t.Result, t.Reason = Refused, "it says no"
		default:
			t.Result, t.Reason = Allowed, "it allows"
		}
	}
	return all
}

// Trials asks every rule in force; see Rules.Trials.
func (a *Authorizer) Trials(user *belfry.User, channel string) []Trial {
	return a.rules.Load().Trials(user, channel)
}
