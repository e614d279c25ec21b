package authz

import (
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/pusher"
)

// Nature is what can be said of a rule without knowing who asks.
type Nature struct {
	// Parameters are the pattern's.
	Parameters []string
	// Always and Never say that the expression's answer does not depend on
	// anybody: it allows, or denies, all.
	Always, Never bool
	// Strangers says that it allows people of whom nothing is known but that they
	// are signed in, whatever the parameters are.
	Strangers bool
	// Impossible is a text that a parameter is compared with and can never be,
	// since no part of a channel's name is like it; empty when there is none.
	Impossible string
	// Covers are the rules after this one whose channels are all this one's too,
	// by their place in the list.
	Covers []int
}

// Survey looks at rules without anybody asking, for a report on what is unsafe
// or has no effect. Its error is that of Compile.
func Survey(rules []Rule) ([]Nature, error) {
	compiled, err := Compile(rules)
	if err != nil {
		return nil, err
	}
	lang, err := newLanguage()
	if err != nil {
		return nil, err
	}
	all := make([]Nature, len(rules))
	for i := range compiled.list {
		one := &compiled.list[i]
		n := &all[i]
		n.Parameters = slices.Clone(one.pattern.names)
		n.Always, n.Never, n.Impossible = lang.fold(rules[i].Allow, n.Parameters)
		n.Strangers = one.allowsStrangers()
		for j := i + 1; j < len(compiled.list); j++ {
			if one.pattern.covers(compiled.list[j].pattern) {
				n.Covers = append(n.Covers, j)
			}
		}
	}
	return all, nil
}

// fold evaluates an expression in which nobody and no parameter is known.
func (l *language) fold(text string, parameters []string) (always, never bool, impossible string) {
	variables, unknown := []cel.EnvOption{}, []*cel.AttributePatternType{cel.AttributePattern("user")}
	for _, name := range parameters {
		variables = append(variables, cel.Variable(name, cel.StringType))
		unknown = append(unknown, cel.AttributePattern(name))
	}
	env, err := l.env.Extend(variables...)
	if err != nil {
		return false, false, ""
	}
	checked, issues := env.Compile(text)
	if issues.Err() != nil {
		return false, false, ""
	}
	impossible = impossibleText(checked, parameters)
	program, err := env.Program(checked, cel.EvalOptions(cel.OptPartialEval), cel.CostLimit(maxCost))
	if err != nil {
		return false, false, impossible
	}
	nobody, err := cel.PartialVars(map[string]any{}, unknown...)
	if err != nil {
		return false, false, impossible
	}
	out, _, err := program.Eval(nobody)
	switch {
	case err != nil: // whoever asks, it cannot be evaluated
		return false, true, impossible
	case types.IsUnknown(out):
		return false, false, impossible
	}
	return out == types.True, out != types.True, impossible
}

// impossibleText finds a parameter that must equal what no parameter can be.
func impossibleText(checked *cel.Ast, parameters []string) (found string) {
	isParameter := func(e ast.Expr) bool { return e.Kind() == ast.IdentKind && slices.Contains(parameters, e.AsIdent()) }
	ast.PostOrderVisit(checked.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.CallKind || e.AsCall().FunctionName() != operators.Equals || found != "" {
			return
		}
		sides := e.AsCall().Args()
		for i, side := range sides {
			other := sides[1-i]
			if !isParameter(side) || other.Kind() != ast.LiteralKind {
				continue
			}
			text, ok := other.AsLiteral().Value().(string)
			if ok && (strings.Contains(text, ".") || !pusher.ValidName(text, belfry.Unlimited)) {
				found = `"` + short(text) + `"`
			}
		}
	}))
	return found
}

// allowsStrangers asks the rule about people and parameters that no operator
// can have meant.
func (one *rule) allowsStrangers() bool {
	for _, stranger := range []struct{ user, value string }{{"survey-1x7", "survey-q3"}, {"survey-8k2", "survey-z9"}} {
		values := make([]string, len(one.pattern.names))
		for i := range values {
			values[i] = stranger.value + strings.Repeat("y", i)
		}
		user := &belfry.User{ID: stranger.user, Roles: []string{}, Claims: map[string]any{}}
		out, _, err := one.allow.Eval(&variables{user: user, names: one.pattern.names, values: values})
		if err != nil || out != types.True {
			return false
		}
	}
	return true
}

// covers reports whether every name that q matches is one that p matches.
func (p *pattern) covers(q *pattern) bool {
	// What stands for q's parameters is in no literal, so it is matched by
	// parameters of p alone.
	const anything = "\x00"
	return p.match(strings.Join(q.literals, anything), make([]string, len(p.names)))
}
