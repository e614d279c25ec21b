package config

import (
	"fmt"
	"strings"
)

// expand puts the values of ${NAME} and ${NAME:-default} into text; $${ stands
// for a plain ${. An empty variable counts as not set. It tells whether there
// was anything to put in, and what is wrong: variables not set, or broken
// braces.
func expand(text string, lookup func(string) (string, bool)) (out string, expanded bool, problems []string) {
	var b strings.Builder
	for {
		i := strings.Index(text, "${")
		if i < 0 {
			b.WriteString(text)
			return b.String(), expanded, problems
		}
		if i > 0 && text[i-1] == '$' {
			b.WriteString(text[:i-1])
			b.WriteString("${")
			text = text[i+2:]
			continue
		}
		b.WriteString(text[:i])
		body, rest, closed := strings.Cut(text[i+2:], "}")
		name, fallback, hasFallback := strings.Cut(body, ":-")
		switch {
		case !closed:
			return "", true, append(problems, "a ${ without its }; write ${NAME}, or $${ for the characters themselves")
		case !variableName(name):
			problems = append(problems, "what stands in ${…} is not a variable's name; write ${NAME}, or $${ for the characters themselves")
		case strings.Contains(fallback, "${"):
			problems = append(problems, "a ${…} inside another is not read; write a plain default")
		default:
			value, _ := lookup(name)
			if value == "" {
				value = fallback
				if !hasFallback {
					problems = append(problems, fmt.Sprintf("the variable %s is not set; set it, or write ${%[1]s:-default}", name))
				}
			}
			b.WriteString(value)
		}
		expanded = true
		text = rest
	}
}

// variableName reports whether s may be the name of an environment variable.
func variableName(s string) bool {
	for i, c := range []byte(s) {
		letter := c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}
