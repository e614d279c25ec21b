package authz

import (
	"encoding/json"
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/pusher"
)

// Rule is one rule as the operator wrote it.
type Rule struct {
	// Name is a channel's name without private-, presence- or
	// private-encrypted-, with parameters: "orders.{orderId}". private-cache-x is
	// cache-x. A parameter matches one or more characters but the dot.
	Name string
	// Allow is a CEL expression that gives true or false, over user (id, name,
	// roles, claims) and the parameters, which are texts.
	Allow string
	// Member is a CEL expression that gives what others see of a member of the
	// presence channel, a map. Empty means {"id": user.id, "name": user.name}.
	Member string
}

// DefaultRules are in force when the operator wrote none: everybody's own
// channel, those of roles, the system's, and the dashboards', which managers and
// admins may see.
func DefaultRules() []Rule {
	const managers = "'admin' in user.roles || 'manager' in user.roles"
	return []Rule{
		{Name: "user.{userId}", Allow: "user.id == userId"},
		{Name: "admin", Allow: "'admin' in user.roles"},
		{Name: "role.{roleName}", Allow: "roleName in user.roles"},
		{Name: "system", Allow: "true"},
		{Name: "dashboard", Allow: managers},
		{Name: "dashboard.{name}", Allow: managers},
	}
}

// Fault is one thing wrong with a rule.
type Fault struct {
	// Rule counts from 0. Field is "name", "allow" or "member".
	Rule  int
	Field string
	// Line and Column are the place in that field's text, from 1; Column counts
	// characters.
	Line, Column int
	// Message says what is wrong, and for an expression what may be named there.
	Message string
}

// Faults is all that is wrong with a list of rules; it is the error of Compile.
type Faults []Fault

// Error gives one fault a line.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, one := range f {
		lines[i] = fmt.Sprintf("channels[%d].%s: line %d, column %d: %s", one.Rule, one.Field, one.Line, one.Column, one.Message)
	}
	return strings.Join(lines, "\n")
}

// Rules is a compiled list. It is immutable and may be used concurrently.
type Rules struct{ list []rule }

type rule struct {
	pattern *pattern
	text    string // of allow
	allow   cel.Program
	member  cel.Program // nil: id and name
}

// Compile checks and compiles rules, which are tried in their order. Its error
// is Faults, all of them. No rules at all deny everything.
func Compile(rules []Rule) (*Rules, error) {
	lang, err := newLanguage()
	if err != nil {
		return nil, fmt.Errorf("prepare the expression language: %w", err)
	}
	compiled, faults := &Rules{}, Faults{}
	seen := map[string]int{}
	for i, r := range rules {
		out := rule{}
		add := func(field string, list []expressionFault) {
			for _, f := range list {
				faults = append(faults, Fault{i, field, f.line, f.column, f.message})
			}
		}
		p, fault := parsePattern(r.Name)
		if fault != nil {
			faults = append(faults, Fault{i, "name", 1, 1 + len([]rune(r.Name[:fault.at])), fault.message})
			continue // the parameters are not known
		}
		same := r.Name + "\x00" + r.Allow
		if first, twice := seen[same]; twice {
			faults = append(faults, Fault{i, "name", 1, 1, fmt.Sprintf("is the same rule as channels[%d]; keep one", first)})
			continue
		}
		seen[same] = i
		out.pattern, out.text = p, r.Allow
		var list []expressionFault
		if strings.TrimSpace(r.Allow) == "" {
			list = []expressionFault{{1, 1, `is empty; write an expression, as in "user.id == userId", or "true" for any signed-in user`}}
		} else {
			out.allow, list = lang.compile(r.Allow, p.names, wantsBool)
		}
		add("allow", list)
		if strings.TrimSpace(r.Member) != "" {
			out.member, list = lang.compile(r.Member, p.names, wantsMap)
			add("member", list)
		}
		compiled.list = append(compiled.list, out)
	}
	if len(faults) > 0 {
		return nil, faults
	}
	return compiled, nil
}

// Len counts the rules.
func (r *Rules) Len() int { return len(r.list) }

// Result says what kind of decision was taken.
type Result string

// The results. All but Allowed deny.
const (
	Allowed     Result = "allowed"
	NotSignedIn Result = "not_signed_in"
	NoRule      Result = "no_rule"     // no rule is for the channel
	Refused     Result = "refused"     // the rules for it say no, or the application does
	Failed      Result = "failed"      // a rule could not be evaluated
	Invalid     Result = "invalid"     // the question was malformed, or its answer does not fit the app's limits
	Unavailable Result = "unavailable" // the application could not be asked
)

// Decision is an answer and its reason.
type Decision struct {
	Allowed bool
	Result  Result
	// Rule is the pattern of the rule that decided: the one that allows, else the
	// last one tried; empty when there is none.
	Rule string
	// Reason is a sentence for logs and operators, not for the one who asked.
	Reason string
	// Member is what others see of the user on a presence channel (user_info), an
	// object; nil for other channels.
	Member json.RawMessage
}

// Decide says whether user, nil when nobody is signed in, may listen to
// channel, a whole name. Public channels need no decision and are allowed.
// Rules are tried in order and the first that allows wins; one that cannot be
// evaluated does not allow. It blocks on nothing.
func (r *Rules) Decide(user *belfry.User, channel string) Decision {
	kind := pusher.KindOf(channel)
	switch {
	case kind.Is(pusher.ServerToUser):
		return Decision{Result: NoRule, Reason: "only the user's own sign-in opens this channel"}
	case !kind.NeedsAuth():
		return Decision{Allowed: true, Result: Allowed, Reason: "the channel is public"}
	case user == nil:
		return Decision{Result: NotSignedIn, Reason: "nobody is signed in"}
	}
	return r.decide(user, bare(channel), kind.Is(pusher.Presence))
}

func (r *Rules) decide(user *belfry.User, name string, presence bool) Decision {
	no := Decision{Result: NoRule, Reason: "no rule is for this channel"}
	var space [maxParameters]string
	for i := range r.list {
		one := &r.list[i]
		values := space[:len(one.pattern.names)]
		if !one.pattern.match(name, values) {
			continue
		}
		vars := &variables{user: user, names: one.pattern.names, values: values}
		out, _, err := one.allow.Eval(vars)
		switch {
		case err != nil:
			no = Decision{Result: Failed, Rule: one.pattern.text, Reason: "the rule could not be evaluated: " + cut(err.Error(), 300)}
		case out != types.True:
			if no.Result != Failed { // of several reasons a fault is the one to mend
				no = Decision{Result: Refused, Rule: one.pattern.text, Reason: "the rule says no"}
			}
		default:
			return one.allowed(vars, presence)
		}
	}
	return no
}

// allowed is the decision of a rule that allows.
func (one *rule) allowed(vars *variables, presence bool) Decision {
	yes := Decision{Allowed: true, Result: Allowed, Rule: one.pattern.text, Reason: "the rule allows"}
	if !presence {
		return yes
	}
	var err error
	if one.member == nil {
		yes.Member = defaultMember(vars.user)
		return yes
	}
	out, _, err := one.member.Eval(vars)
	if err == nil {
		yes.Member, err = memberJSON(out)
	}
	if err != nil {
		return Decision{Result: Failed, Rule: one.pattern.text, Reason: "the rule allows, but its member could not be evaluated: " + cut(err.Error(), 300)}
	}
	return yes
}

// defaultMember is what others see of a member unless the rule says otherwise.
func defaultMember(u *belfry.User) json.RawMessage {
	b := pusher.AppendString([]byte(`{"id":`), u.ID)
	b = pusher.AppendString(append(b, `,"name":`...), u.Name)
	return append(b, '}')
}
