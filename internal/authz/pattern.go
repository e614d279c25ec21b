package authz

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/pusher"
)

// maxParameters bounds the parameters of one pattern, maxPattern its length.
const (
	maxParameters = 16
	maxPattern    = 400
)

// pattern is a channel name with parameters: literals[0] {names[0]} literals[1]
// … A parameter stands for one or more characters but the dot; all else is
// itself, and the whole name must match.
type pattern struct {
	text     string
	literals []string // one more than names
	names    []string
}

// bare gives a channel's name as patterns see it: without private-, presence-
// or private-encrypted-.
func bare(channel string) string {
	for _, prefix := range prefixes() {
		if rest, ok := strings.CutPrefix(channel, prefix); ok {
			return rest
		}
	}
	return channel
}

// prefixes are those that a pattern leaves out, the longest first.
func prefixes() [3]string { return [3]string{"private-encrypted-", "private-", "presence-"} }

// match puts the parameters' values, parts of name, into values, which has room
// for them, and reports whether name matches. Where there is a choice, the
// first parameters take as much as they can.
//
// It goes from the end: the last place of each literal leaves the parameters
// before it the most room, so no other choice need be tried. What a parameter
// must not hold, a dot, is no reason to take an earlier place either: it would
// only come to stand in the next parameter.
func (p *pattern) match(name string, values []string) bool {
	first, last := p.literals[0], p.literals[len(p.literals)-1]
	if len(p.names) == 0 {
		return name == first
	}
	if len(name) < len(first)+len(last)+1 || !strings.HasPrefix(name, first) || !strings.HasSuffix(name, last) {
		return false
	}
	name = name[len(first) : len(name)-len(last)]
	for i := len(p.names) - 1; i > 0; i-- {
		at := strings.LastIndex(name[:len(name)-1], p.literals[i])
		if at < 1 {
			return false
		}
		// One character at least is the parameter's own.
		if values[i] = name[at+len(p.literals[i]):]; strings.IndexByte(values[i], '.') >= 0 {
			return false
		}
		name = name[:at]
	}
	values[0] = name
	return strings.IndexByte(name, '.') < 0
}

// patternFault is what is wrong with a pattern, and at which character, from 0.
type patternFault struct {
	at      int
	message string
}

// parsePattern reads a pattern.
func parsePattern(text string) (*pattern, *patternFault) {
	if fault := badPattern(text); fault != nil {
		return nil, fault
	}
	p := &pattern{text: text}
	literal, rest := 0, text
	for {
		here := len(text) - len(rest)
		i := strings.IndexAny(rest, "{}")
		if i < 0 {
			p.literals = append(p.literals, text[literal:])
			return p, p.badLiterals()
		}
		name, after, closed := strings.Cut(rest[i+1:], "}")
		at := here + i
		switch {
		case rest[i] == '}':
			return nil, &patternFault{at, "a } without its {"}
		case !closed:
			return nil, &patternFault{at, "a { without its }"}
		case !identifier(name):
			return nil, &patternFault{at + 1, fmt.Sprintf("%q is not a parameter's name: use letters, digits and _, not a digit first", short(name))}
		case slices.Contains(reserved(), name):
			return nil, &patternFault{at + 1, fmt.Sprintf("a parameter cannot be called %q, a word with a meaning in expressions; choose another name", name)}
		case slices.Contains(p.names, name):
			return nil, &patternFault{at + 1, fmt.Sprintf("the parameter %q stands twice; give each its own name", name)}
		case len(p.names) == maxParameters:
			return nil, &patternFault{at, fmt.Sprintf("more than %d parameters", maxParameters)}
		case at == literal && len(p.names) > 0:
			return nil, &patternFault{at, "two parameters side by side could be parted anywhere; put something between them"}
		}
		p.literals = append(p.literals, text[literal:at])
		p.names = append(p.names, name)
		rest = after
		literal = len(text) - len(rest)
	}
}

// badPattern finds what is wrong with the pattern as a whole.
func badPattern(text string) *patternFault {
	switch {
	case text == "":
		return &patternFault{0, "is empty; write a channel's name without private- or presence-"}
	case len(text) > maxPattern:
		return &patternFault{0, fmt.Sprintf("has more than %d characters", maxPattern)}
	}
	for _, prefix := range prefixes() {
		if strings.HasPrefix(text, prefix) {
			return &patternFault{0, fmt.Sprintf("begins with %s, which rules leave out; write %q, which stands for the private, presence and encrypted channels of that name",
				prefix, short(text[len(prefix):]))}
		}
	}
	return nil
}

// badLiterals finds characters that no channel's name has.
func (p *pattern) badLiterals() *patternFault {
	at := 0
	for i, literal := range p.literals {
		for j, c := range literal {
			if !pusher.ValidName(string(c), belfry.Unlimited) {
				return &patternFault{at + j, fmt.Sprintf("no channel's name holds %q; use letters, digits and _-=@,.; and {parameters}", c)}
			}
		}
		at += len(literal)
		if i < len(p.names) {
			at += len(p.names[i]) + 2
		}
	}
	return nil
}

func identifier(s string) bool {
	for i, c := range []byte(s) {
		letter := c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// reserved are the words that mean something in an expression.
func reserved() []string {
	return []string{"user", "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if",
		"import", "let", "loop", "package", "namespace", "return", "var", "void", "while", "bool", "bytes", "double", "duration",
		"dyn", "int", "list", "map", "null_type", "string", "timestamp", "type", "uint", "google", "has", "all", "exists",
		"exists_one", "filter", "size", "matches"}
}

// short cuts what is quoted in a message.
func short(s string) string { return cut(s, 60) }

// cut gives at most max bytes of s, whole characters.
func cut(s string, max int) string {
	if len(s) <= max {
		return s
	}
	for max > 0 && !utf8.RuneStart(s[max]) {
		max--
	}
	return s[:max] + "…"
}
