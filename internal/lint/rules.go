package lint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/belfryhq/belfry/internal/authz"
)

// forAll are names of channels that everybody who is signed in is meant to have.
func forAll() []string {
	return []string{"system", "public", "global", "everyone", "everybody", "announcements", "announcement", "broadcast", "broadcasts", "news", "status", "lobby"}
}

// rules looks at the rules on channels.
func (l *linter) rules() {
	if len(l.Rules) == 0 {
		return
	}
	if l.Forwards {
		l.add(Warning, RulesUnused, "channels", "the rules of channels are not asked: authorization.url decides in their stead",
			"remove the rules, or authorization.url")
		return
	}
	natures, err := authz.Survey(l.Rules)
	if err != nil {
		return // refused where settings are read
	}
	shadowed := map[int]bool{}
	for i, n := range natures {
		path, name := fmt.Sprintf("channels[%d]", i), l.Rules[i].Name
		switch {
		case n.Never:
			l.add(Warning, RuleNever, path+".allow", fmt.Sprintf("the rule %q never allows anybody: its expression is false whoever asks", name),
				"remove the rule, or mend the expression")
			continue
		case n.Impossible != "":
			l.add(Warning, RuleNever, path+".allow", fmt.Sprintf("the rule %q compares a parameter with %s, which no part of a channel's name can be: a parameter holds no dot, and only letters, digits and _-=@,;",
				name, n.Impossible), "compare with a text that the channel's name can hold")
		case n.Strangers && !(len(n.Parameters) == 0 && slices.Contains(forAll(), strings.ToLower(name))):
			who := "anybody who is signed in may listen to it"
			if len(n.Parameters) > 0 {
				who = "anybody who is signed in may listen to every channel of that form"
			}
			l.add(Warning, RuleOpen, path+".allow", fmt.Sprintf("the rule %q lets everyone in: %s, with any id and no role", name, who),
				condition(n.Parameters))
		}
		for _, j := range n.Covers {
			l.covered(i, j, natures, shadowed)
		}
	}
}

// covered tells of the rule j, whose channels are all those of the rule i before
// it.
func (l *linter) covered(i, j int, natures []authz.Nature, shadowed map[int]bool) {
	first, second := l.Rules[i].Name, l.Rules[j].Name
	path := fmt.Sprintf("channels[%d].name", j)
	switch {
	case shadowed[j] || natures[j].Never:
	case natures[i].Always || natures[i].Strangers:
		shadowed[j] = true
		l.add(Warning, RuleShadowed, path, fmt.Sprintf("the rule %q has no effect: channels[%d], %q, comes before it, is for the same channels and allows everybody", second, i, first),
			"put the narrower rule first only if the wider one is to stay; else remove the wider one: the first rule that allows wins")
	case slices.Contains(natures[j].Covers, i) || samePattern(first, second):
		l.add(Note, RuleTwice, path, fmt.Sprintf("the rules %q and %q are for the same channels: either of them allows, so the second takes nothing away from the first", first, second),
			"join them with || or &&, whichever is meant")
	}
}

// samePattern reports whether two patterns differ at most in the names of their
// parameters.
func samePattern(a, b string) bool { return anonymous(a) == anonymous(b) }

func anonymous(pattern string) string {
	var out strings.Builder
	for pattern != "" {
		before, rest, found := strings.Cut(pattern, "{")
		out.WriteString(before)
		if !found {
			break
		}
		out.WriteString("{}")
		_, pattern, _ = strings.Cut(rest, "}")
	}
	return out.String()
}

func condition(parameters []string) string {
	if len(parameters) > 0 {
		return fmt.Sprintf("compare the user with the parameter, as in user.id == %s, or ask for a role, as in 'staff' in user.roles", parameters[0])
	}
	return "ask for a role, as in 'staff' in user.roles; for data that is nobody's secret use a public channel"
}
