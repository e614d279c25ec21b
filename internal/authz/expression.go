package authz

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/belfryhq/belfry"
)

// Bounds of one expression. The cost is CEL's own measure, about one for each
// step and each ten characters looked at; it counts where an expression loops.
// Without a loop the work is bounded by the expression's length.
const (
	maxExpression = 4 << 10
	maxCost       = 100_000
)

const userType = "belfry.User"

// members are those of user, in the order in which messages list them.
func members() []string { return []string{"id", "name", "roles", "claims"} }

// language is what all expressions share.
type language struct{ env *cel.Env }

func newLanguage() (*language, error) {
	base, err := cel.NewEnv()
	if err != nil {
		return nil, err
	}
	env, err := base.Extend(
		cel.CustomTypeAdapter(adapter{base.CELTypeAdapter()}),
		cel.CustomTypeProvider(newProvider(base.CELTypeProvider())),
		cel.Variable("user", cel.ObjectType(userType)),
		cel.CrossTypeNumericComparisons(true),
		cel.ParserExpressionSizeLimit(maxExpression),
		cel.ASTValidators(cel.ValidateRegexLiterals()),
	)
	return &language{env: env}, err
}

// expressionFault is what is wrong with an expression; line and column count
// from 1, in characters.
type expressionFault struct {
	line, column int
	message      string
}

// compile makes a program of an expression over the user and parameters. fits
// judges the type of its result and says what is wanted instead, or nothing.
func (l *language) compile(text string, parameters []string, fits func(*cel.Type) string) (cel.Program, []expressionFault) {
	at := func(line, column int, format string, args ...any) []expressionFault {
		return []expressionFault{{line, column, fmt.Sprintf(format, args...)}}
	}
	if len(text) > maxExpression {
		return nil, at(1, 1, "has %d characters, at most %d are read", len(text), maxExpression)
	}
	variables := make([]cel.EnvOption, len(parameters))
	for i, name := range parameters {
		variables[i] = cel.Variable(name, cel.StringType)
	}
	env, err := l.env.Extend(variables...)
	if err != nil {
		return nil, at(1, 1, "cannot be compiled: %s", err)
	}
	checked, issues := env.Compile(text)
	if list := issues.Errors(); len(list) > 0 {
		var faults []expressionFault
		for _, e := range list {
			column := max(e.Location.Column(), 0) + 1
			if strings.HasPrefix(e.Message, "undefined field") {
				column++ // it points at the dot
			}
			faults = append(faults, expressionFault{max(e.Location.Line(), 1), column, plain(e.Message) + "; known here are " + known(parameters)})
			if strings.HasPrefix(e.Message, "Syntax error") {
				break // the others follow from the first
			}
		}
		return nil, faults
	}
	if wrong := fits(checked.OutputType()); wrong != "" {
		return nil, at(1, 1, "gives %s; %s", typeName(checked.OutputType()), wrong)
	}
	options := []cel.ProgramOption{cel.EvalOptions(cel.OptOptimize)}
	if loops(checked) {
		options = append(options, cel.CostLimit(maxCost))
	}
	program, err := env.Program(checked, options...)
	if err != nil {
		return nil, at(1, 1, "cannot be compiled: %s", err)
	}
	return program, nil
}

// loops reports whether the work may grow faster than the expression: in all,
// exists, filter and map.
func loops(checked *cel.Ast) bool {
	found := false
	ast.PostOrderVisit(checked.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		found = found || e.Kind() == ast.ComprehensionKind
	}))
	return found
}

// plain makes a compiler's message one line for people.
func plain(message string) string {
	message, _, _ = strings.Cut(message, "\n")
	message = strings.ReplaceAll(message, " (in container '')", "")
	message = strings.ReplaceAll(message, userType, "user")
	for _, operator := range []string{"==", "!=", "<", "<=", ">", ">=", "&&", "||", "+", "-", "*", "/", "%"} {
		message = strings.ReplaceAll(message, "'_"+operator+"_'", "'"+operator+"'")
	}
	return strings.ReplaceAll(cut(message, 300), "'@in'", "'in'")
}

// known lists what an expression may name.
func known(parameters []string) string {
	var names []string
	for _, m := range members() {
		names = append(names, "user."+m)
	}
	text := strings.Join(names, ", ")
	switch len(parameters) {
	case 0:
		return text + " (the name has no parameters)"
	case 1:
		return text + " and the parameter " + parameters[0]
	default:
		return text + " and the parameters " + strings.Join(parameters, ", ")
	}
}

func typeName(t *cel.Type) string {
	if t.Kind() == types.DynKind {
		return "a value whose type is not known before it is asked"
	}
	return "a value of type " + strings.ReplaceAll(t.String(), userType, "user")
}

func wantsBool(t *cel.Type) string {
	if t.Kind() == types.BoolKind {
		return ""
	}
	return "allow must be true or false: compare it, as in user.id == userId or user.claims.team == 'a'"
}

func wantsMap(t *cel.Type) string {
	switch t.Kind() {
	case types.DynKind:
		return ""
	case types.MapKind:
		if key := t.Parameters()[0].Kind(); key == types.StringKind || key == types.DynKind {
			return ""
		}
	}
	return `member must be a map with text keys, as in {"id": user.id, "name": user.name}`
}

// variables are what one evaluation sees.
type variables struct {
	user   *belfry.User
	names  []string
	values []string
}

// ResolveName implements cel.Activation.
func (v *variables) ResolveName(name string) (any, bool) {
	if name == "user" {
		return v.user, true
	}
	for i, n := range v.names {
		if n == name {
			return v.values[i], true
		}
	}
	return nil, false
}

// Parent implements cel.Activation.
func (v *variables) Parent() cel.Activation { return nil }

// provider adds the type of user to those that CEL has.
type provider struct {
	types.Provider
	user   *types.Type
	fields map[string]*types.FieldType
}

func newProvider(base types.Provider) *provider {
	field := func(t *types.Type, get func(u *belfry.User) any) *types.FieldType {
		return &types.FieldType{
			Type:  t,
			IsSet: func(any) bool { return true },
			GetFrom: func(target any) (any, error) {
				u, ok := target.(*belfry.User)
				if !ok {
					return nil, errors.New("user is not there")
				}
				return get(u), nil
			},
		}
	}
	return &provider{Provider: base, user: types.NewTypeTypeWithParam(types.NewObjectType(userType)), fields: map[string]*types.FieldType{
		"id":     field(types.StringType, func(u *belfry.User) any { return u.ID }),
		"name":   field(types.StringType, func(u *belfry.User) any { return u.Name }),
		"roles":  field(types.NewListType(types.StringType), func(u *belfry.User) any { return u.Roles }),
		"claims": field(types.NewMapType(types.StringType, types.DynType), func(u *belfry.User) any { return u.Claims }),
	}}
}

// FindStructType implements types.Provider.
func (p *provider) FindStructType(name string) (*types.Type, bool) {
	if name == userType {
		return p.user, true
	}
	return p.Provider.FindStructType(name)
}

// FindStructFieldNames implements types.Provider.
func (p *provider) FindStructFieldNames(name string) ([]string, bool) {
	if name == userType {
		return members(), true
	}
	return p.Provider.FindStructFieldNames(name)
}

// FindStructFieldType implements types.Provider.
func (p *provider) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	if name == userType {
		f, ok := p.fields[field]
		return f, ok
	}
	return p.Provider.FindStructFieldType(name, field)
}

// NewValue implements types.Provider. An expression cannot make a user.
func (p *provider) NewValue(name string, fields map[string]ref.Val) ref.Val {
	if name == userType {
		return types.NewErr("a user cannot be made here")
	}
	return p.Provider.NewValue(name, fields)
}

// adapter turns values of claims into CEL's.
type adapter struct{ types.Adapter }

// NativeToValue implements types.Adapter.
func (a adapter) NativeToValue(value any) ref.Val {
	switch v := value.(type) {
	case *belfry.User:
		return types.NewErr("user as a whole is no value; name its members")
	case []string:
		return types.NewStringList(a, v)
	case map[string]any:
		return types.NewStringInterfaceMap(a, v)
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return types.Int(n)
		}
		f, err := v.Float64()
		if err != nil {
			return types.NewErr("%s is not a number", short(v.String()))
		}
		return types.Double(f)
	}
	return a.Adapter.NativeToValue(value)
}
